import { describe, expect, it } from 'vitest';
import { orientationOfCosines, parsePatientOrientation, sides } from '../../core/imaging/orientation.ts';
import { decideSpacing, type SpacingAttributes } from '../../core/imaging/spacing.ts';

const upright = { flipHorizontal: false, flipVertical: false, quarterTurns: 0 } as const;

describe('orientation', () => {
  it('reads Patient Orientation', () => {
    expect(parsePatientOrientation(['L', 'F'])).toEqual({ right: 'L', bottom: 'F' });
    expect(parsePatientOrientation(['AL ', 'FP'])).toEqual({ right: 'AL', bottom: 'FP' });
  });

  it('never guesses: absent, partial, unknown, opposite or doubled letters are unknown', () => {
    for (const values of [
      [],
      ['L'],
      ['', ''],
      ['L', ''],
      ['X', 'F'],
      ['L', 'R'],
      ['LR', 'F'],
      ['LL', 'F'],
      ['L', 'L'],
      ['L', 'F', 'A'],
      ['l', 'f'],
    ]) {
      expect(parsePatientOrientation(values)).toBeNull();
    }
  });

  it('computes directions from cosines, and refuses what is no orientation', () => {
    expect(orientationOfCosines([1, 0, 0, 0, 1, 0])).toEqual({ right: 'L', bottom: 'P' });
    expect(orientationOfCosines([0, 1, 0, 0, 0, -1])).toEqual({ right: 'P', bottom: 'F' });
    const oblique = Math.SQRT1_2;
    expect(orientationOfCosines([0.9, Math.sqrt(0.19), 0, 0, 0, -1])).toEqual({ right: 'LP', bottom: 'F' });
    expect(orientationOfCosines([oblique, -oblique, 0, 0, 0, -1])).toEqual({ right: 'LA', bottom: 'F' });
    for (const cosines of [
      [],
      [0, 0, 0, 0, 0, 0],
      [1, 0, 0, 1, 0, 0],
      [1, 0, 0, 0, 2, 0],
      [NaN, 0, 0, 0, 1, 0],
    ]) {
      expect(orientationOfCosines(cosines)).toBeNull();
    }
  });

  it('letters follow flips and turns', () => {
    const frontal = { right: 'L', bottom: 'F' };
    expect(sides(frontal, upright)).toEqual({ left: 'R', right: 'L', top: 'H', bottom: 'F' });
    expect(sides(frontal, { ...upright, flipHorizontal: true })).toEqual({
      left: 'L',
      right: 'R',
      top: 'H',
      bottom: 'F',
    });
    expect(sides(frontal, { ...upright, flipVertical: true })).toEqual({
      left: 'R',
      right: 'L',
      top: 'F',
      bottom: 'H',
    });
    // A quarter turn clockwise brings the top to the right.
    expect(sides(frontal, { ...upright, quarterTurns: 1 })).toEqual({
      left: 'F',
      right: 'H',
      top: 'R',
      bottom: 'L',
    });
    expect(sides(frontal, { ...upright, quarterTurns: 2 })).toEqual(
      sides(frontal, { flipHorizontal: true, flipVertical: true, quarterTurns: 0 }),
    );
    // Flipped first, then turned.
    expect(sides(frontal, { flipHorizontal: true, flipVertical: false, quarterTurns: 1 })).toEqual({
      left: 'F',
      right: 'H',
      top: 'L',
      bottom: 'R',
    });
  });
});

describe('spacing', () => {
  const absent: SpacingAttributes = {
    modality: 'DX',
    pixelSpacing: [],
    imagerPixelSpacing: [],
    nominalScannedPixelSpacing: [],
    calibrationType: '',
    magnification: null,
  };
  const decide = (attributes: Partial<SpacingAttributes>) => decideSpacing({ ...absent, ...attributes });

  it.each([
    ['nothing: pixels only', {}, null],
    [
      'a projection with Imager Pixel Spacing: at the detector',
      { imagerPixelSpacing: [0.2, 0.1] },
      { row: 0.2, column: 0.1, basis: 'detector' },
    ],
    [
      'with its magnification: corrected',
      { imagerPixelSpacing: [0.2, 0.2], magnification: 1.25 },
      { row: 0.16, column: 0.16, basis: 'detector-magnification-corrected' },
    ],
    [
      'a magnification below 1 is an error in the file',
      { imagerPixelSpacing: [0.2, 0.2], magnification: 0.5 },
      { row: 0.2, column: 0.2, basis: 'detector' },
    ],
    [
      'calibrated by a fiducial',
      { pixelSpacing: [0.15, 0.15], imagerPixelSpacing: [0.15, 0.15], calibrationType: 'FIDUCIAL' },
      { row: 0.15, column: 0.15, basis: 'calibrated' },
    ],
    [
      'Pixel Spacing that differs from the imager’s: corrected by the modality',
      { pixelSpacing: [0.15, 0.15], imagerPixelSpacing: [0.2, 0.2] },
      { row: 0.15, column: 0.15, basis: 'calibrated' },
    ],
    [
      'Pixel Spacing equal to the imager’s: at the detector',
      { pixelSpacing: [0.2, 0.2], imagerPixelSpacing: [0.2, 0.2] },
      { row: 0.2, column: 0.2, basis: 'detector' },
    ],
    [
      'a projection with bare Pixel Spacing: at the detector',
      { pixelSpacing: [0.2, 0.2] },
      { row: 0.2, column: 0.2, basis: 'detector' },
    ],
    [
      'digitised film',
      { modality: 'RG', nominalScannedPixelSpacing: [0.1, 0.1] },
      { row: 0.1, column: 0.1, basis: 'detector' },
    ],
    [
      'a cross-section: in the patient',
      { modality: 'CT', pixelSpacing: [0.7, 0.7] },
      { row: 0.7, column: 0.7, basis: 'patient' },
    ],
    ['a cross-section has no detector plane', { modality: 'MR', imagerPixelSpacing: [0.7, 0.7] }, null],
    ['zero is no spacing', { imagerPixelSpacing: [0, 0.2] }, null],
    ['nor is text', { imagerPixelSpacing: [NaN, 0.2] }, null],
  ] as const)('%s', (_, attributes, expected) => {
    expect(decide(attributes)).toEqual(expected);
  });
});
