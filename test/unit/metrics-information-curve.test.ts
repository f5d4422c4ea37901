import { describe, expect, test } from 'vitest';
import { interpolateBetween } from '../../core/imaging/triangulation.ts';
import {
  informationCurve,
  type InformationCurve,
  pooledCurve,
  revealedPictures,
  scoresOfPictures,
} from '../../core/metrics/information-curve.ts';
import { losslessSize } from '../../core/metrics/lossless-size.ts';
import { normalNumbers, randomSource } from '../../core/metrics/random.ts';
import { scoreBy, sum } from '../support/probes.ts';

const step = (information: number, performance: number) => ({ information, performance });
const curveOf = (...parameters: Parameters<typeof informationCurve>): InformationCurve => {
  const curve = informationCurve(...parameters);
  if (typeof curve === 'string') throw new Error(curve);
  return curve;
};

describe('the information curve', () => {
  test('is the diagonal where performance comes back as information does', () => {
    const steps = [step(100, 0.2), step(150, 0.4), step(250, 0.8), step(300, 1)];
    const { performance, area } = curveOf(steps, { resolution: 4 });
    [0, 0.25, 0.5, 0.75, 1].forEach((y, k) => expect(performance[k]).toBeCloseTo(y, 12));
    expect(area).toBeCloseTo(0.5, 12);
  });

  test('never falls with more revealed, and is clipped to what the ends allow', () => {
    const steps = [step(0, 0), step(1, 0.9), step(2, 0.3), step(3, 1.5), step(4, 1)];
    const { performance } = curveOf(steps, { resolution: 4 });
    [0, 0.9, 0.9, 1, 1].forEach((y, k) => expect(performance[k]).toBeCloseTo(y, 12));
  });

  test('takes the last of points of equal information', () => {
    const steps = [step(0, 0), step(1, 0.2), step(1, 0.6), step(2, 1)];
    expect(curveOf(steps, { resolution: 2 }).performance[1]).toBe(0.6);
  });

  test('leaves an information that is 0 to 1 by itself as it is', () => {
    const steps = [step(0.4, 0), step(0.7, 0.5), step(1, 1)];
    const raw = curveOf(steps, { resolution: 10, rescaled: false });
    expect(raw.performance[7]).toBeCloseTo(0.5, 12);
    expect(curveOf(steps, { resolution: 10 }).performance[5]).toBeCloseTo(0.5, 12);
  });

  test('says why there is none', () => {
    expect(informationCurve([step(1, 0), step(2, 0.4)])).toBe('performance-too-low');
    expect(informationCurve([step(2, 0), step(2, 1)])).toBe('no-information-to-gain');
    expect(informationCurve([step(1, 0.9), step(2, 0.9)])).toBe('no-performance-to-gain');
    expect(() => informationCurve([])).toThrow('needs its start');
    expect(() => informationCurve([step(0, 0), step(NaN, 0.5), step(1, 1)])).toThrow('not a finite number');
  });

  test('of a folder is the median or the mean at each place', () => {
    const curves = [0.1, 0.2, 0.9].map((y) => ({ performance: Float64Array.of(0, y, 1), area: NaN }));
    expect(pooledCurve(curves, 'median')).toEqual({ performance: Float64Array.of(0, 0.2, 1), area: 0.35 });
    expect(pooledCurve(curves, 'mean').performance[1]).toBeCloseTo(0.4, 12);
    expect(pooledCurve(curves.slice(0, 2), 'median').performance[1]).toBeCloseTo(0.15, 12);
  });
});

describe('the pictures revealed', () => {
  const side = 32;
  const random = randomSource(6);
  const image = Uint8Array.from({ length: side * side }, () => Math.floor(256 * random()));
  const saliency = normalNumbers(side * side, random);

  test('hold ever more of the pixels as they are, from a hundredth to all', () => {
    const pictures = revealedPictures(saliency, image, side, side);
    expect(pictures).toHaveLength(15);
    const right = pictures.map((picture) => picture.filter((value, i) => value === image[i]).length);
    expect(right[0]).toBeGreaterThanOrEqual(10 + 4);
    expect(right).toEqual(right.toSorted((a, b) => a - b));
    expect(right.at(-1)).toBe(side * side);
    expect(revealedPictures(saliency, image, side, side)).toEqual(pictures);
    expect(revealedPictures(saliency, image, side, side, { seed: 2 })).not.toEqual(pictures);
  });

  test('a constant map does not give the image away at the first threshold, as a quantile would', () => {
    const [, first] = revealedPictures(new Float32Array(side * side), image, side, side);
    expect(first).not.toEqual(image);
  });

  test('are scored in batches', async () => {
    const batches: number[] = [];
    const pictures = revealedPictures(saliency, image, side, side);
    const first = scoreBy((point) => point[0] ?? NaN, batches);
    const scores = await scoresOfPictures(first, pictures, (picture) => Float32Array.of(sum(picture)), {
      batchSize: 8,
    });
    expect(batches).toEqual([8, 7]);
    expect([...scores]).toEqual(pictures.map(sum));
  });
});

describe('interpolation between pixels', () => {
  test('is exact for planes, whichever pixels are known, on the border and in rows, too', () => {
    const [height, width] = [23, 31];
    const plane = Float64Array.from(
      { length: height * width },
      (_, i) => 3 * Math.floor(i / width) - 2 * (i % width) + 7,
    );
    for (const share of [0, 0.02, 0.2, 0.7, 1]) {
      const random = randomSource(100 * share);
      const known = Uint8Array.from(plane, () => (random() < share ? 1 : 0));
      expect(interpolateBetween(plane, known, height, width)).toEqual(plane);
    }
  });

  test('needs two pixels on each side', () => {
    expect(() => interpolateBetween([1, 2, 3], new Uint8Array(3), 1, 3)).toThrow('2 to 4096');
    expect([...interpolateBetween([1, 2, 3, 4], new Uint8Array(4), 2, 2)]).toEqual([1, 2, 3, 4]);
  });

  test('is on the Delaunay triangles: those of three pixels whose circle holds no fourth', () => {
    const size = 24;
    const random = randomSource(9);
    let compared = 0;
    for (let round = 0; round < 6; round++) {
      const known = new Uint8Array(size * size);
      for (let k = 0; k < 9; k++) known[Math.floor(random() * size * size)] = 1;
      const values = Float64Array.from(known, () => 100 * random());
      const filled = interpolateBetween(values, known, size, size);
      const expected = byEmptyCircles(values, known, size);
      expected.forEach((options, i) => {
        if (options.length !== 1) return;
        expect(filled[i]).toBeCloseTo(options[0] ?? NaN, 9);
        compared++;
      });
    }
    // On the rest, pixels lie on one circle (the four corners always do), and either choice is right.
    expect(compared).toBeGreaterThan(6 * 0.5 * size * size);
  });
});

/** At each pixel, the different values that the triangles with an empty circle around it give. */
function byEmptyCircles(values: Float64Array, known: Uint8Array, size: number): number[][] {
  const points: [x: number, y: number, value: number][] = [];
  values.forEach((value, i) => {
    const [x, y] = [i % size, Math.floor(i / size)];
    const corner = (x === 0 || x === size - 1) && (y === 0 || y === size - 1);
    if (known[i] === 1 || corner) points.push([x, y, value]);
  });
  const result = Array.from(values, (): number[] => []);
  const cross = (a: number[], b: number[], x: number, y: number): number =>
    ((b[0] ?? 0) - (a[0] ?? 0)) * (y - (a[1] ?? 0)) - ((b[1] ?? 0) - (a[1] ?? 0)) * (x - (a[0] ?? 0));
  points.forEach((a, i) => {
    points.slice(i + 1).forEach((second, j) => {
      points.slice(i + 2 + j).forEach((third) => {
        const turn = cross(a, second, third[0], third[1]);
        if (turn === 0) return;
        const [b, c] = turn > 0 ? [second, third] : [third, second];
        const inside = points.some(([x, y]) => {
          const rows = [a, b, c].map(([px, py]) => [px - x, py - y, (px - x) ** 2 + (py - y) ** 2] as const);
          const [p, q, r] = rows;
          if (p === undefined || q === undefined || r === undefined) return false;
          return (
            p[2] * (q[0] * r[1] - q[1] * r[0]) -
              q[2] * (p[0] * r[1] - p[1] * r[0]) +
              r[2] * (p[0] * q[1] - p[1] * q[0]) >
            0
          );
        });
        if (inside) return;
        values.forEach((_, pixel) => {
          const [x, y] = [pixel % size, Math.floor(pixel / size)];
          const parts = [cross(b, c, x, y), cross(c, a, x, y), cross(a, b, x, y)] as const;
          if (parts.some((part) => part < 0)) return;
          const value = (parts[0] * a[2] + parts[1] * b[2] + parts[2] * c[2]) / Math.abs(turn);
          const options = result[pixel] ?? [];
          if (!options.some((option) => Math.abs(option - value) < 1e-9)) options.push(value);
        });
      });
    });
  });
  return result;
}

describe('the lossless size', () => {
  const side = 64;
  const flat = new Uint8Array(side * side).fill(90);
  const ramp = Uint8Array.from(flat, (_, i) => Math.floor(i / side) + (i % side));
  const random = randomSource(1);
  const noise = Uint8Array.from(flat, () => Math.floor(256 * random()));

  test('is small where pixels follow from their neighbours, and a byte a pixel where they do not', () => {
    expect(losslessSize(flat, side)).toBeLessThan(0.03 * flat.length);
    expect(losslessSize(ramp, side)).toBeLessThan(0.06 * flat.length);
    // Noise costs its byte, and a little for learning that it is noise.
    expect(losslessSize(noise, side) / noise.length).toBeGreaterThan(1);
    expect(losslessSize(noise, side) / noise.length).toBeLessThan(1.1);
  });
});
