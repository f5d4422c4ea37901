/** Which line and shape is which. */
import type { MethodId } from '../../../core/attribution/methods.ts';
import type { Sketch } from '../../report/drawing.ts';
import { size } from '../../report/theme.ts';
import { lineOf, nullLines, putShape } from './looks.ts';
import { methodName } from './names.ts';
import { sheetWidth } from './sheet.ts';

interface Entry {
  label: string;
  put: (sketch: Sketch, x: number, middle: number) => void;
}

const sample = 22;
const rowHeight = 12;
const style = { size: size.small } as const;

function entriesOf(methods: readonly MethodId[], kind: 'lines' | 'dots'): Entry[] {
  const ofMethods = methods.map((method): Entry => ({
    label: methodName(method),
    put: (sketch, x, middle) => {
      if (kind === 'lines') sketch.line(x, middle, x + sample, middle, lineOf(method));
      putShape(sketch, method, x + sample / 2, middle);
    },
  }));
  const ofNulls = (['random', 'edges'] as const).map((name): Entry => ({
    label: name === 'random' ? 'random map' : 'the image\u2019s edges',
    put: (sketch, x, middle) => {
      if (kind === 'lines') sketch.line(x, middle, x + sample, middle, nullLines[name]);
      else sketch.line(x + sample / 2, middle - 4, x + sample / 2, middle + 4, nullLines[name]);
    },
  }));
  return [...ofMethods, ...ofNulls];
}

/** Entries in rows that fill the width. */
function placed(sketch: Sketch, entries: readonly Entry[]): { entry: Entry; x: number; row: number }[] {
  let [x, row] = [0, 0];
  return entries.map((entry) => {
    const width = sample + 5 + sketch.measure(entry.label, style).width;
    if (x > 0 && x + width > sheetWidth) [x, row] = [0, row + 1];
    const place = { entry, x, row };
    x += width + 16;
    return place;
  });
}

/** @returns its height */
export function legendHeight(sketch: Sketch, methods: readonly MethodId[], kind: 'lines' | 'dots'): number {
  return rowHeight * ((placed(sketch, entriesOf(methods, kind)).at(-1)?.row ?? 0) + 1);
}

export function putLegend(
  sketch: Sketch,
  top: number,
  methods: readonly MethodId[],
  kind: 'lines' | 'dots',
): void {
  for (const { entry, x, row } of placed(sketch, entriesOf(methods, kind))) {
    const middle = top + (row + 0.5) * rowHeight;
    entry.put(sketch, x, middle);
    sketch.text(entry.label, { x: x + sample + 5, y: middle, vertical: 'middle' }, style);
  }
}
