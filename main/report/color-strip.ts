import { type ColorTable, colorAt } from '../../core/imaging/colormap.ts';
import { hexOf } from './theme.ts';

interface Stripe {
  x: number;
  width: number;
  fill: string;
}

/** A table's colours from end to end, as rectangles from left to right. @param width points, from `x` on */
export function* colorStrip(
  table: ColorTable,
  { x, width }: { x: number; width: number },
): Generator<Stripe, void, undefined> {
  const stripes = 128;
  for (let i = 0; i < stripes; i++) {
    const from = (i * width) / stripes;
    yield {
      x: x + from,
      // Each reaches under the next one, so that no white hairlines show between them.
      width: Math.min((2 * width) / stripes, width - from),
      fill: hexOf(colorAt(table, i / (stripes - 1)).map((part) => 255 * part)),
    };
  }
}
