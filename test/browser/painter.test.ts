/** The shader says what core/imaging says, pixel by pixel: screen = report = model. */
import { expect, test } from 'vitest';
import { overlayLevels, renderPicture, type OverlayStyle } from '../../core/imaging/blend.ts';
import type { GrayscaleAttributes, StoredFrame, Voi } from '../../core/imaging/frame.ts';
import { applyLut, displayLut } from '../../core/imaging/grayscale.ts';
import { resizeTriangle } from '../../core/imaging/resample.ts';
import { fitted, mirrored, turned, type View } from '../../renderer/viewer/geometry.ts';
import { Painter, type Field, type PaintedPicture } from '../../renderer/viewer/painter.ts';

/** Deterministic numbers in [0, 1): a test picture must be the same in every run. */
function* pseudoRandom(seed: number): Generator<number, never> {
  let state = seed;
  for (;;) {
    state = (state * 1664525 + 1013904223) >>> 0;
    yield state / 2 ** 32;
  }
}

const ROWS = 40;
const COLUMNS = 56;

function frameOf(bitsStored: number, signed = false): StoredFrame {
  const random = pseudoRandom(bitsStored);
  // Bits above those stored are set as well: they are overlay planes in old files and must not count.
  const values = Uint16Array.from(
    { length: ROWS * COLUMNS },
    () => Math.floor(random.next().value * 2 ** bitsStored) | (bitsStored < 16 ? 0x8000 : 0),
  );
  return { rows: ROWS, columns: COLUMNS, values, bitsStored, signed };
}

const monochrome1: GrayscaleAttributes = {
  modalityLut: { kind: 'linear', slope: -0.5, intercept: 100, units: 'US' },
  vois: [],
  photometricInterpretation: 'MONOCHROME1',
  presentationLutShape: null,
};
const sigmoid: Voi = { kind: 'window', function: 'sigmoid', center: -400, width: 900, explanation: '' };

function mapOf(height: number, width: number): Field {
  const random = pseudoRandom(7);
  const data = Float32Array.from({ length: height * width }, () => (random.next().value - 0.45) ** 3);
  return { data, height, width };
}

function paint(painter: Painter, picture: PaintedPicture, width: number, height: number): Uint8ClampedArray {
  const element = document.createElement('canvas');
  element.width = width;
  element.height = height;
  const context = element.getContext('2d', { willReadFrequently: true });
  if (context === null) throw new Error('No 2-D canvas');
  expect(painter.paint(context, picture, 1)).toBe(true);
  return context.getImageData(0, 0, width, height).data;
}

function pictureOf(
  frame: StoredFrame,
  lut: Float32Array,
  view?: View,
  canvas = { width: COLUMNS, height: ROWS },
) {
  const size = { columns: frame.columns, rows: frame.rows, aspect: 1 };
  return {
    frame,
    lut,
    size,
    view: view ?? fitted(size, canvas),
    overlay: null,
    outline: null,
  } satisfies PaintedPicture;
}

/** Largest difference of two pictures, in levels of 255. */
function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((largest, value, i) => Math.max(largest, Math.abs(value - (b[i] ?? NaN))), 0);
}

function greyOf(display: Float32Array): Uint8ClampedArray {
  return Uint8ClampedArray.from(Array.from(display).flatMap((v) => [v * 255, v * 255, v * 255, 255]));
}

const painter = new Painter();

test.each([
  ['8 bits', frameOf(8), null],
  ['12 bits, signed', frameOf(12, true), sigmoid],
  ['16 bits', frameOf(16), null],
] as const)('grey is the display value of the chain: %s', (_, frame, voi) => {
  const lut = displayLut(frame, monochrome1, voi);
  const painted = paint(painter, pictureOf(frame, lut), COLUMNS, ROWS);
  expect(difference(painted, greyOf(applyLut(frame, lut)))).toBeLessThanOrEqual(1);
});

test('enlarged, grey is interpolated between display values, not between stored ones', () => {
  const frame = frameOf(12);
  const lut = displayLut(frame, monochrome1, sigmoid);
  const [width, height] = [COLUMNS * 3, ROWS * 3];
  const painted = paint(painter, pictureOf(frame, lut, undefined, { width, height }), width, height);
  const expected = resizeTriangle(applyLut(frame, lut), ROWS, COLUMNS, height, width);
  expect(difference(painted, greyOf(expected))).toBeLessThanOrEqual(1);
});

test('reduced to half, each pixel is the mean of the four that it covers', () => {
  const frame = frameOf(12);
  const lut = displayLut(frame, monochrome1, null);
  const [width, height] = [COLUMNS / 2, ROWS / 2];
  const painted = paint(painter, pictureOf(frame, lut, undefined, { width, height }), width, height);
  const display = applyLut(frame, lut);
  const mean = Float32Array.from({ length: width * height }, (_, i) => {
    const at = 2 * Math.floor(i / width) * COLUMNS + 2 * (i % width);
    const four = [at, at + 1, at + COLUMNS, at + COLUMNS + 1].map((index) => display[index] ?? NaN);
    return four.reduce((sum, value) => sum + value, 0) / 4;
  });
  expect(difference(painted, greyOf(mean))).toBeLessThanOrEqual(1);
});

test('turned and mirrored, every pixel comes from where it should', () => {
  const frame = frameOf(12);
  const lut = displayLut(frame, monochrome1, null);
  const canvas = { width: ROWS, height: COLUMNS };
  const size = { columns: COLUMNS, rows: ROWS, aspect: 1 };
  const upright = fitted(size, { width: COLUMNS, height: ROWS });
  // Mirrored left to right, then turned clockwise: the image's rows become the screen's columns, from right to left.
  const view = turned(mirrored(upright, 'horizontal'), 'clockwise');
  const painted = paint(painter, pictureOf(frame, lut, view), canvas.width, canvas.height);
  const display = applyLut(frame, lut);
  const expected = Float32Array.from({ length: ROWS * COLUMNS }, (_, i) => {
    const [screenRow, screenColumn] = [Math.floor(i / ROWS), i % ROWS];
    const row = ROWS - 1 - screenColumn;
    const column = COLUMNS - 1 - screenRow;
    return display[row * COLUMNS + column] ?? NaN;
  });
  expect(difference(painted, greyOf(expected))).toBeLessThanOrEqual(1);
});

test.each(['all', 'positive', 'negative', 'absolute'] as const)(
  'the overlay is that of the blend rule: %s',
  (sign) => {
    const frame = frameOf(12);
    const lut = displayLut(frame, monochrome1, null);
    const field = mapOf(14, 16);
    for (const [top, opacity] of [
      [0.1, 0.7],
      [0.5, 1],
      [1, 0.3],
    ] as const) {
      const style: OverlayStyle = { ...overlayLevels([field.data], top), sign, opacity };
      const painted = paint(painter, { ...pictureOf(frame, lut), overlay: { field, style } }, COLUMNS, ROWS);
      const expected = renderPicture({
        display: applyLut(frame, lut),
        rows: ROWS,
        columns: COLUMNS,
        overlay: { map: field.data, rows: field.height, columns: field.width, style },
      });
      expect(difference(painted, expected)).toBeLessThanOrEqual(1);
    }
  },
);

test('a map that is zero everywhere leaves the image as it is', () => {
  const frame = frameOf(8);
  const lut = displayLut(frame, monochrome1, null);
  const field = { data: new Float32Array(64), height: 8, width: 8 };
  const style: OverlayStyle = { ...overlayLevels([field.data], 0.1), sign: 'all', opacity: 1 };
  const painted = paint(painter, { ...pictureOf(frame, lut), overlay: { field, style } }, COLUMNS, ROWS);
  expect(difference(painted, greyOf(applyLut(frame, lut)))).toBeLessThanOrEqual(1);
});

test('the outline runs where the probability is one half, and nowhere else', () => {
  const frame: StoredFrame = {
    rows: ROWS,
    columns: COLUMNS,
    values: new Uint16Array(ROWS * COLUMNS),
    bitsStored: 8,
    signed: false,
  };
  const lut = new Float32Array(256);
  // Probability rises from left to right and is one half in the middle.
  const data = Float32Array.from({ length: COLUMNS }, (_, x) => x / (COLUMNS - 1));
  const outline = { data, height: 1, width: COLUMNS };
  const painted = paint(painter, { ...pictureOf(frame, lut), outline }, COLUMNS, ROWS);
  const bright = Array.from({ length: COLUMNS }, (_, x) => painted[4 * x] ?? 0).flatMap((v, x) =>
    v > 20 ? [x] : [],
  );
  expect(bright).toEqual([COLUMNS / 2 - 1, COLUMNS / 2]);
});

test('outside the image there is black', () => {
  const frame = frameOf(8);
  const lut = new Float32Array(256).fill(1);
  const painted = paint(painter, pictureOf(frame, lut), COLUMNS, ROWS * 2);
  expect([painted[0], painted[4 * COLUMNS * ROWS]]).toEqual([0, 255]);
});

test('a frame beyond the largest texture is refused with its size', () => {
  const frame: StoredFrame = {
    rows: 1,
    columns: 200_000,
    values: new Uint16Array(200_000),
    bitsStored: 8,
    signed: false,
  };
  expect(() => paint(painter, pictureOf(frame, new Float32Array(256)), 8, 8)).toThrow(/200000 × 1 pixels/);
});

test('after the graphics processor was reset, the same picture comes back', async () => {
  const own = new Painter();
  const frame = frameOf(12);
  const lut = displayLut(frame, monochrome1, null);
  const before = paint(own, pictureOf(frame, lut), COLUMNS, ROWS);
  const extension = own.context.getExtension('WEBGL_lose_context');
  if (extension === null) throw new Error('WEBGL_lose_context is part of every WebGL2');
  const restored = new Promise<void>((resolve) => own.onRestored(resolve));
  extension.loseContext();
  await new Promise((resolve) => setTimeout(resolve));
  extension.restoreContext();
  await restored;
  expect(difference(paint(own, pictureOf(frame, lut), COLUMNS, ROWS), before)).toBe(0);
  own.dispose();
});
