import { describe, expect, it } from 'vitest';
import { gaussianBlur, resizeTriangle } from '../../core/imaging/resample.ts';

/** The image that the stored values were computed for. */
function pattern(rows: number, columns: number): Float32Array {
  return Float32Array.from({ length: rows * columns }, (_, i) => ((i * 37) % 101) / 100);
}

function expectClose(actual: Float32Array, expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length);
  actual.forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i] ?? NaN, 5);
  });
}

describe('resizeTriangle agrees with Pillow 9.4 BILINEAR on float images', () => {
  it('shrinking, with antialiasing', () => {
    expectClose(
      resizeTriangle(pattern(7, 9), 7, 9, 4, 5),
      [
        0.334218, 0.387292, 0.488515, 0.467202, 0.624626, 0.642086, 0.5366, 0.428588, 0.48485, 0.481086,
        0.5044, 0.624, 0.531435, 0.37025, 0.4444, 0.548844, 0.523333, 0.585126, 0.60625, 0.444184,
      ],
    );
  });

  it('enlarging', () => {
    expectClose(
      resizeTriangle(pattern(3, 2), 3, 2, 5, 7),
      [
        0.0, 0.0, 0.079286, 0.185, 0.290714, 0.37, 0.37, 0.296, 0.296, 0.288714, 0.279, 0.269286, 0.262,
        0.262, 0.74, 0.74, 0.602857, 0.42, 0.237143, 0.1, 0.1, 0.578, 0.578, 0.570714, 0.561, 0.551286, 0.544,
        0.544, 0.47, 0.47, 0.549286, 0.655, 0.760714, 0.84, 0.84,
      ],
    );
  });

  it('shrinking one way, enlarging the other', () => {
    expectClose(
      resizeTriangle(pattern(8, 5), 8, 5, 3, 9),
      [
        0.529737, 0.440439, 0.291608, 0.390848, 0.552105, 0.595234, 0.599971, 0.45114, 0.361842, 0.439048,
        0.490238, 0.575556, 0.47918, 0.337381, 0.436058, 0.534735, 0.633413, 0.692619, 0.698947, 0.59193,
        0.413567, 0.506901, 0.668158, 0.519327, 0.408889, 0.452018, 0.477895,
      ],
    );
  });
});

describe('gaussianBlur, reflected at the border and cut off at four sigma', () => {
  it('agrees with a convolution of the padded image', () => {
    expectClose(
      gaussianBlur(pattern(4, 5), 4, 5, 0.8),
      [
        0.259498, 0.38092, 0.5057, 0.432081, 0.402368, 0.491804, 0.399503, 0.508436, 0.555145, 0.415442,
        0.554558, 0.414855, 0.461564, 0.570497, 0.478196, 0.567632, 0.537919, 0.4643, 0.58908, 0.710502,
      ],
    );
  });

  it('reflects more than once where the kernel is wider than the image', () => {
    expectClose(
      gaussianBlur(pattern(3, 4), 3, 4, 3),
      [
        0.441006, 0.437595, 0.432763, 0.429346, 0.441759, 0.438292, 0.43338, 0.429906, 0.44251, 0.438986,
        0.433994, 0.430464,
      ],
    );
  });
});
