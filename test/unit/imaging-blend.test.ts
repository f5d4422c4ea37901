import { describe, expect, it } from 'vitest';
import {
  blendPoint,
  colorPosition,
  overlayAlpha,
  overlayLevels,
  renderPicture,
  signedPart,
  type OverlayStyle,
} from '../../core/imaging/blend.ts';
import { colorAt, divergingColors, sequentialColors } from '../../core/imaging/colormap.ts';

const style: OverlayStyle = { sign: 'all', opacity: 0.6, range: 4, threshold: 2 };

describe('the rule', () => {
  it('fades quadratically below the threshold and never shows zero', () => {
    expect([0, 1, 2, 3, -1, -3].map((a) => overlayAlpha(a, 2))).toEqual([0, 0.25, 1, 1, 0.25, 1]);
    expect([0, 1e-9, -1e-9].map((a) => overlayAlpha(a, 0))).toEqual([0, 1, 1]);
  });

  it('chooses signs', () => {
    expect(
      (['all', 'positive', 'negative', 'absolute'] as const).map((sign) => signedPart(-2, sign)),
    ).toEqual([-2, 0, -2, 2]);
    expect((['all', 'positive', 'negative', 'absolute'] as const).map((sign) => signedPart(3, sign))).toEqual(
      [3, 3, 0, 3],
    );
  });

  it('places colours: zero in the middle of the diverging map, at the start of the sequential one', () => {
    expect([-8, -4, 0, 2, 4, 8].map((s) => colorPosition(s, 4, 'all'))).toEqual([0, 0, 0.5, 0.75, 1, 1]);
    expect([0, 2, 8].map((s) => colorPosition(s, 4, 'absolute'))).toEqual([0, 0.5, 1]);
    expect(colorPosition(0, 0, 'all')).toBe(0.5);
  });

  it('is linear in opacity and in displayed values', () => {
    const full = colorAt(divergingColors, 0.75);
    blendPoint(0.2, 2, style).forEach((value, i) =>
      expect(value).toBeCloseTo(0.2 + 0.6 * ((full[i] ?? 0) - 0.2), 12),
    );
    expect(blendPoint(0.2, 2, { ...style, opacity: 0 })).toEqual([0.2, 0.2, 0.2]);
    expect(blendPoint(0.2, -2, { ...style, sign: 'positive' })).toEqual([0.2, 0.2, 0.2]);
    const saturated = [
      [blendPoint(0.9, 4, { ...style, opacity: 1 }), colorAt(divergingColors, 1)],
      [blendPoint(0.9, -4, { ...style, opacity: 1, sign: 'absolute' }), colorAt(sequentialColors, 1)],
    ] as const;
    for (const [blended, color] of saturated) {
      blended.forEach((value, i) => expect(value).toBeCloseTo(color[i] ?? NaN, 12));
    }
  });
});

describe('levels', () => {
  const map = Float32Array.from({ length: 1000 }, (_, i) => (i % 2 === 0 ? -1 : 1) * (i + 1));

  it('takes the colour range and the threshold from quantiles of |a|', () => {
    expect(overlayLevels([map], 0.05)).toEqual({ range: 995, threshold: 951 });
    expect(overlayLevels([map], 1)).toEqual({ range: 995, threshold: 0 });
    expect(overlayLevels([map], 0.05, 1).range).toBe(1000);
  });

  it('shows exactly the stated share fully', () => {
    const { threshold } = overlayLevels([map], 0.05);
    expect(map.filter((a) => overlayAlpha(a, threshold) === 1)).toHaveLength(50);
  });

  it('shares one scale over several maps', () => {
    expect(overlayLevels([map.subarray(0, 500), map.subarray(500)], 0.05)).toEqual(
      overlayLevels([map], 0.05),
    );
  });

  it('is defined for a map that is zero everywhere', () => {
    expect(overlayLevels([new Float32Array(9)], 0.05)).toEqual({ range: 0, threshold: 0 });
    expect(blendPoint(0.5, 0, { ...style, range: 0, threshold: 0 })).toEqual([0.5, 0.5, 0.5]);
  });
});

describe('renderPicture', () => {
  it('writes grey without an overlay', () => {
    const rgba = renderPicture({ display: Float32Array.of(0, 0.5, 1), rows: 1, columns: 3 });
    expect(Array.from(rgba)).toEqual([0, 0, 0, 255, 128, 128, 128, 255, 255, 255, 255, 255]);
  });

  it('lays the map over the whole picture, pixel borders aligned', () => {
    // One map pixel covers four of the picture: the bilinear map meets its own values at their centres.
    const rgba = renderPicture({
      display: new Float32Array(64).fill(0.5),
      rows: 8,
      columns: 8,
      overlay: {
        map: Float32Array.of(4, 0, 0, 0),
        rows: 2,
        columns: 2,
        style: { ...style, opacity: 1, threshold: 0.5 },
      },
    });
    const at = (row: number, column: number) =>
      Array.from(rgba.subarray(4 * (8 * row + column), 4 * (8 * row + column) + 3));
    const full = colorAt(divergingColors, 1).map((value) => Math.round(255 * value));
    expect(at(0, 0)).toEqual(full);
    expect(at(1, 1)).toEqual(full);
    expect(at(7, 7)).toEqual([128, 128, 128]);
    // Row 3 lies 3.5 / 4 - 0.5 = 0.375 of the way to the second map row.
    expect(at(3, 0)).toEqual(
      blendPoint(0.5, 4 * 0.625, { ...style, opacity: 1, threshold: 0.5 }).map((v) => Math.round(255 * v)),
    );
    expect(at(2, 5)).toEqual(at(5, 2));
  });
});
