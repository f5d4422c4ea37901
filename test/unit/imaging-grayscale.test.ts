import { describe, expect, it } from 'vitest';
import type { GrayscaleAttributes, StoredFrame, Voi } from '../../core/imaging/frame.ts';
import {
  applyLut,
  displayLut,
  displayValues,
  fullRangeWindow,
  modalityRange,
  percentileWindow,
  storedRange,
  voiValue,
} from '../../core/imaging/grayscale.ts';

const identity: GrayscaleAttributes = {
  modalityLut: { kind: 'linear', slope: 1, intercept: 0, units: '' },
  vois: [],
  photometricInterpretation: 'MONOCHROME2',
  presentationLutShape: null,
};

function frameOf(values: readonly number[], bitsStored = 12, signed = false): StoredFrame {
  return { rows: 1, columns: values.length, values: Uint16Array.from(values), bitsStored, signed };
}

function window(center: number, width: number, shape: 'linear' | 'linear-exact' | 'sigmoid' = 'linear'): Voi {
  return { kind: 'window', function: shape, center, width, explanation: '' };
}

/** Display values as 16-bit greys, which is how DCMTK's dcm2pnm writes its own (it truncates). */
function greys(values: readonly number[], attributes: GrayscaleAttributes, bitsStored = 10): number[] {
  const display = displayValues(frameOf(values, bitsStored), attributes);
  return Array.from(display, (value) => Math.floor(value * 65535 + 1e-3));
}

describe('VOI functions', () => {
  it('LINEAR is PS3.3 C.11.2.1.2.1 with center - 0.5 and width - 1', () => {
    // The standard's own example: center 2048, width 4096 maps 0..4095 onto the full output.
    const full = window(2048, 4096);
    expect(voiValue(full, 0)).toBe(0);
    expect(voiValue(full, 4095)).toBe(1);
    expect(voiValue(full, 2047)).toBeCloseTo(2047 / 4095, 12);
    expect(voiValue(full, 5000)).toBe(1);
    // Another: center 0, width 100: -50 black, 49 white.
    expect(voiValue(window(0, 100), -50)).toBe(0);
    expect(voiValue(window(0, 100), -49)).toBeCloseTo(1 / 99, 12);
    expect(voiValue(window(0, 100), 49)).toBe(1);
  });

  it('LINEAR of width 1 is a threshold at center - 0.5', () => {
    expect([99, 100].map((x) => voiValue(window(100, 1), x))).toEqual([0, 1]);
  });

  it('LINEAR_EXACT has no offsets', () => {
    expect([0, 1, 2, 3, 4].map((x) => voiValue(window(2, 4, 'linear-exact'), x))).toEqual([
      0, 0.25, 0.5, 0.75, 1,
    ]);
  });

  it('SIGMOID agrees with DCMTK', () => {
    const attributes = { ...identity, vois: [window(400, 600, 'sigmoid')] };
    expect(greys([0, 100, 200, 300, 400, 500, 600, 700], attributes)).toEqual([
      4257, 7811, 13671, 22232, 32767, 43302, 51863, 57723,
    ]);
  });

  it('a VOI LUT of 16 bits takes values after the modality LUT and clamps at both ends', () => {
    const table = { firstValue: -2, bits: 16, values: [100, 200, 300, 65535], explanation: '' };
    const attributes: GrayscaleAttributes = {
      ...identity,
      modalityLut: { kind: 'linear', slope: 1, intercept: -10, units: '' },
      vois: [{ kind: 'table', table }],
    };
    const display = displayValues(frameOf([0, 8, 9, 10, 11, 500]), attributes);
    expect(Array.from(display)).toEqual(
      [100, 100, 200, 300, 65535, 65535].map((value) => Math.fround(value / 65535)),
    );
  });
});

describe('inversion, the last step', () => {
  const values = [0, 100, 200, 300, 400, 500, 600, 700];
  const upright = [0, 0, 10940, 21881, 32822, 43762, 54703, 65535];
  const inverted = [65535, 65535, 54594, 43653, 32712, 21772, 10831, 0];
  const show = (
    photometricInterpretation: 'MONOCHROME1' | 'MONOCHROME2',
    presentationLutShape: 'IDENTITY' | 'INVERSE' | null,
  ) =>
    greys(values, { ...identity, vois: [window(400, 600)], photometricInterpretation, presentationLutShape });

  it('MONOCHROME2 and MONOCHROME1 agree with DCMTK', () => {
    expect(show('MONOCHROME2', null)).toEqual(upright);
    expect(show('MONOCHROME2', 'IDENTITY')).toEqual(upright);
    expect(show('MONOCHROME1', null)).toEqual(inverted);
  });

  it('INVERSE inverts, and on MONOCHROME1 names the inversion that is there already', () => {
    expect(show('MONOCHROME2', 'INVERSE')).toEqual(inverted);
    expect(show('MONOCHROME1', 'INVERSE')).toEqual(inverted);
  });

  it('MONOCHROME1 shows its minimum white even where IDENTITY contradicts it', () => {
    expect(show('MONOCHROME1', 'IDENTITY')).toEqual(inverted);
  });

  it('happens after the window, also with 16 bits and with a negative slope', () => {
    const monochrome1: GrayscaleAttributes = {
      ...identity,
      vois: [window(40000, 2000)],
      photometricInterpretation: 'MONOCHROME1',
    };
    const display = displayValues(frameOf([0, 39000, 40000, 41000, 65535], 16), monochrome1);
    expect(Array.from(display, (value) => value.toFixed(3))).toEqual([
      '1.000',
      '1.000',
      '0.500',
      '0.000',
      '0.000',
    ]);

    const negative: GrayscaleAttributes = {
      ...identity,
      modalityLut: { kind: 'linear', slope: -1, intercept: 1000, units: '' },
      vois: [window(500, 1001)],
    };
    const upwards = displayValues(frameOf([0, 500, 1000]), negative);
    expect(upwards[0]).toBeGreaterThan(upwards[2] ?? NaN);
    const twice = displayValues(frameOf([0, 500, 1000]), {
      ...negative,
      photometricInterpretation: 'MONOCHROME1',
    });
    expect(twice[0]).toBeLessThan(twice[2] ?? NaN);
  });
});

describe('stored values', () => {
  it('ignores bits above the stored ones', () => {
    const frame = frameOf([0x8001, 0xf002, 0x1003]);
    expect(storedRange(frame)).toEqual({ min: 1, max: 3 });
    const lut = displayLut(frame, identity, window(2048, 4096));
    expect(lut).toHaveLength(4096);
    expect(Array.from(applyLut(frame, lut))).toEqual([1, 2, 3].map((value) => Math.fround(value / 4095)));
  });

  it('reads signed values as two’s complement of the stored bits, sign-extended or not', () => {
    const frame = frameOf([0xf800, 0x0800, 0x0fff, 0x07ff], 12, true);
    expect(storedRange(frame)).toEqual({ min: -2048, max: 2047 });
    const display = applyLut(frame, displayLut(frame, identity, window(0, 4096)));
    expect(Array.from(display)).toEqual([0, 0, 2047 / 4095, 1].map(Math.fround));
  });

  it('covers all 65536 codes of 16 bits', () => {
    const lut = displayLut(frameOf([0], 16, true), identity, window(0, 65536));
    expect(lut).toHaveLength(65536);
    expect([lut[0x8000], lut[0x7fff]]).toEqual([0, 1]);
  });
});

describe('windows from the frame', () => {
  it('shows the full range of the frame where the file has no VOI', () => {
    const frame = frameOf([100, 300, 200]);
    expect(Array.from(displayValues(frame, identity))).toEqual([0, 1, 0.5]);
    expect(fullRangeWindow(frame, identity.modalityLut)).toMatchObject({
      center: 200,
      width: 200,
      function: 'linear-exact',
    });
  });

  it('keeps a fractional slope', () => {
    const modalityLut = { kind: 'linear', slope: 0.001, intercept: -0.5, units: '' } as const;
    expect(
      Array.from(displayValues(frameOf([100, 300, 200]), { ...identity, modalityLut }), (v) => v.toFixed(5)),
    ).toEqual(['0.00000', '1.00000', '0.50000']);
  });

  it('shows a frame of one value mid-grey', () => {
    expect(Array.from(displayValues(frameOf([7, 7]), identity))).toEqual([0.5, 0.5]);
  });

  it('takes percentiles over modality values, whatever their order', () => {
    const frame = frameOf(Array.from({ length: 1000 }, (_, i) => i));
    expect(modalityRange(frame, identity.modalityLut, 0.01, 0.99)).toEqual({ min: 9, max: 989 });
    const falling = { kind: 'linear', slope: -1, intercept: 0, units: '' } as const;
    expect(modalityRange(frame, falling, 0.01, 0.99)).toEqual({ min: -990, max: -10 });
    expect(percentileWindow(frame, identity.modalityLut)).toMatchObject({ center: 499, width: 980 });
  });
});
