/** What moved between two maps, and where that is. */
import { describe, expect, it } from 'vitest';
import { lungParts, lungShares, placeInWords } from '../../core/metrics/lung-parts.ts';
import { contrastMaps } from '../../core/metrics/map-contrast.ts';
import { normalNumbers, randomSource } from '../../core/metrics/random.ts';
import { strongestRegions } from '../../core/metrics/strongest-regions.ts';
import { stayingPlacement } from '../../core/imaging/transform.ts';

const side = 56;
const noise = (seed: number): Float32Array => normalNumbers(side * side, randomSource(seed));

/** A map of zeros but for a square of one value. */
function square(row: number, column: number, size: number, value: number): Float32Array {
  return Float32Array.from({ length: side * side }, (_, i) => {
    const [r, c] = [Math.floor(i / side) - row, (i % side) - column];
    return r >= 0 && r < size && c >= 0 && c < size ? value : 0;
  });
}

/** Two lungs, joined by a bridge as over a heart. */
const lungs = Float32Array.from({ length: side * side }, (_, i) => {
  const [row, column] = [Math.floor(i / side), i % side];
  const inLung = row >= 10 && row < 46 && ((column >= 8 && column < 24) || (column >= 32 && column < 48));
  return inLung || (row >= 36 && row < 40 && column >= 8 && column < 48) ? 0.9 : 0.1;
});

describe('the contrast of two maps', () => {
  it('of a map with itself: no difference, and full likeness', () => {
    const map = noise(1);
    const { contrast, difference, compared } = contrastMaps(map, map, side, side, stayingPlacement);
    expect(difference.every((value) => value === 0)).toBe(true);
    expect(compared.every((pixel) => pixel === 1)).toBe(true);
    expect(contrast).toMatchObject({
      comparedArea: 1,
      leftShare: 0,
      cameShare: 0,
      relativeChange: 0,
      topOverlap: 1,
      exact: { topOverlap: 1, relativeChange: 0 },
    });
    expect(contrast.rankCorrelation).toBeCloseTo(1, 12);
  });

  it('of unrelated maps: what random maps have', () => {
    const { contrast } = contrastMaps(noise(2), noise(3), side, side, stayingPlacement);
    expect(Math.abs(contrast.rankCorrelation)).toBeLessThan(0.1);
    expect(Math.abs(contrast.null.rankCorrelation.mean)).toBeLessThan(0.1);
    expect(contrast.topOverlap).toBeLessThan(0.1);
    expect(contrast.relativeChange).toBeCloseTo(Math.SQRT2, 1);
  });

  it('of a map that moved with its picture: none, where the picture stayed', () => {
    const map = noise(4);
    // Seven columns to the right: in from the left come numbers that A never had.
    const moved = map.map((_, i) => (i % side < 7 ? 5 : (map[i - 7] ?? NaN)));
    const { contrast, difference, compared } = contrastMaps(map, moved, side, side, {
      zoom: 1,
      across: 7 / side,
      down: 0,
    });
    expect(Math.max(...difference.map(Math.abs))).toBeLessThan(1e-6);
    expect(contrast.comparedArea).toBeCloseTo(1 - 7 / side, 12);
    expect(compared.reduce((sum, pixel) => sum + pixel, 0)).toBe(side * (side - 7));
    expect(contrast.rankCorrelation).toBeCloseTo(1, 6);
    expect(contrast.leftShare).toBeCloseTo(7 / side, 1);
    expect(contrast.cameShare).toBeGreaterThan(0.4);
  });

  it('of a fractional shift says what resampling alone costs', () => {
    const { contrast } = contrastMaps(noise(5), noise(5), side, side, {
      zoom: 1,
      across: 0.5 / side,
      down: 0,
    });
    expect(contrast.exact.rankCorrelation).toBeLessThan(0.95);
    expect(contrast.exact.relativeChange ?? 0).toBeGreaterThan(0.1);
  });

  it('refuses a map of another size', () => {
    expect(() => contrastMaps(noise(1), new Float32Array(4), side, side, stayingPlacement)).toThrow(
      /4 values/,
    );
  });
});

describe('the strongest regions', () => {
  it('are found with their sign, place and sum', () => {
    const map = square(5, 40, 6, 2).map((value, i) => value + (square(38, 10, 5, -3)[i] ?? 0));
    const [gained, lost, ...more] = strongestRegions(map, side, side);
    expect(more).toEqual([]);
    expect(gained).toMatchObject({ sign: 1 });
    expect(lost).toMatchObject({ sign: -1 });
    expect(Math.abs((gained?.row ?? 0) - 7.5)).toBeLessThanOrEqual(1);
    expect(Math.abs((gained?.column ?? 0) - 42.5)).toBeLessThanOrEqual(1);
    expect(gained?.sum).toBeGreaterThan(0.8 * 72);
    expect(lost?.sum).toBeLessThan(0.8 * -75);
    expect((gained?.share ?? 0) + (lost?.share ?? 0)).toBeGreaterThan(0.8);
  });

  it('of a map of zeros are none', () => {
    expect(strongestRegions(new Float32Array(side * side), side, side)).toEqual([]);
  });
});

describe('the parts of the lungs', () => {
  const parts = lungParts(lungs, side);
  const standing = { right: 'L', bottom: 'F' };

  it('are told apart though they are joined', () => {
    const shares = parts && lungShares(square(12, 10, 4, -1), parts);
    expect(shares).toEqual({ pictureLeft: 1, pictureRight: 0, outside: 0 });
    expect(parts && lungShares(square(12, 40, 4, 1), parts)).toMatchObject({ pictureRight: 1 });
    expect(parts && lungShares(square(0, 0, 3, 1), parts)).toMatchObject({ outside: 1 });
    expect(parts && lungShares(new Float32Array(side * side), parts)).toBeNull();
  });

  it('are none where no lungs are', () => {
    expect(lungParts(new Float32Array(side * side), side)).toBeNull();
  });

  it.each([
    [12, 12, standing, 'in the right lung (left in the picture), upper third'],
    [12, 12, { right: 'R', bottom: 'F' }, 'in the left lung, upper third'],
    [44, 40, standing, 'in the left lung (right in the picture), lower third'],
    [28, 40, null, "in the lung on the picture's right, middle third"],
    // Upside down, the head is below.
    [12, 12, { right: 'L', bottom: 'H' }, 'in the right lung (left in the picture), lower third'],
    [44, 40, { right: 'L', bottom: 'HP' }, 'in the left lung (right in the picture), upper third'],
    // On its side, a picture's thirds are not a lung's.
    [12, 12, { right: 'F', bottom: 'R' }, "in the lung on the picture's left"],
    [2, 52, standing, 'outside the lungs, top right of the picture'],
    [28, 28, standing, 'outside the lungs, centre of the picture'],
  ] as const)('row %i, column %i, oriented %j: %s', (row, column, orientation, words) => {
    expect(placeInWords({ row, column }, side, side, parts, orientation)).toBe(words);
  });

  it('are not spoken of where nothing is known of them', () => {
    expect(placeInWords({ row: 50, column: 2 }, side, side, null, standing)).toBe(
      'bottom left of the picture',
    );
  });
});
