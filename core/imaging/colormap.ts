/**
 * Colour maps as 256 x 3 tables of sRGB bytes, generated in CIE LCh(ab), so that lightness, which is what the eye reads
 * shape from, changes evenly. No rainbow: it draws edges where the data have none.
 */

/** 256 sRGB triples; entry i stands for the position i / 255. */
export type ColorTable = Uint8Array;

const toRadians = Math.PI / 180;

/** CIE LCh(ab), D65 -> linear sRGB; components outside [0, 1] are out of the display's gamut. */
export function linearOfLch(lightness: number, chroma: number, hueDegrees: number): [number, number, number] {
  const fy = (lightness + 16) / 116;
  const fx = fy + (chroma * Math.cos(hueDegrees * toRadians)) / 500;
  const fz = fy - (chroma * Math.sin(hueDegrees * toRadians)) / 200;
  const inverse = (f: number) => (f > 6 / 29 ? f ** 3 : 3 * (6 / 29) ** 2 * (f - 4 / 29));
  const [x, y, z] = [0.95047 * inverse(fx), inverse(fy), 1.08883 * inverse(fz)];
  return [
    3.2404542 * x - 1.5371385 * y - 0.4985314 * z,
    -0.969266 * x + 1.8760108 * y + 0.041556 * z,
    0.0556434 * x - 0.2040259 * y + 1.0572252 * z,
  ];
}

/** IEC 61966-2-1: a linear component as an sRGB byte. */
function byteOfLinear(linear: number): number {
  const clipped = Math.min(Math.max(linear, 0), 1);
  const encoded = clipped <= 0.0031308 ? 12.92 * clipped : 1.055 * clipped ** (1 / 2.4) - 0.055;
  return Math.round(255 * encoded);
}

function tableOf(lch: (position: number) => [number, number, number]): ColorTable {
  const table = new Uint8Array(256 * 3);
  for (let i = 0; i < 256; i++) {
    table.set(linearOfLch(...lch(i / 255)).map(byteOfLinear), 3 * i);
  }
  return table;
}

/**
 * Signed values, -1 at position 0 and +1 at position 1: blue against orange, which colour-blind readers tell apart. Both arms
 * have the same lightness, and grey, in the middle, is the only neutral.
 */
export const divergingColors: ColorTable = tableOf((position) => {
  const signed = 2 * position - 1;
  const size = Math.abs(signed);
  return signed < 0 ? [80 - 24 * size, 50 * size ** 0.8, 272] : [80 - 24 * size, 64 * size ** 0.8, 62];
});

/** Magnitudes, 0 at position 0: from dark violet over red to pale yellow, lightness rising evenly. */
export const sequentialColors: ColorTable = tableOf((position) => [
  15 + 77 * position,
  30 + 30 * Math.sin(Math.PI * position) ** 0.9,
  310 + 145 * position,
]);

/** Colour at a position in [0, 1], interpolated between the two nearest entries; components in [0, 1]. */
export function colorAt(table: ColorTable, position: number): [number, number, number] {
  const exact = Math.min(Math.max(position, 0), 1) * 255;
  const below = Math.min(Math.floor(exact), 254);
  const share = exact - below;
  const a = 3 * below;
  const mix = (from: number, to: number) => (from + share * (to - from)) / 255;
  return [
    mix(table[a] ?? 0, table[a + 3] ?? 0),
    mix(table[a + 1] ?? 0, table[a + 4] ?? 0),
    mix(table[a + 2] ?? 0, table[a + 5] ?? 0),
  ];
}
