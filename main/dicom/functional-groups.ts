/** Multi-frame functional groups (PS3.3 C.7.6.16): where an enhanced image keeps what others keep at the top. */
import type { Dataset } from './dataset.ts';

/** Macros that hold attributes this project reads. */
const macros = [
  'x00209116', // Plane Orientation
  'x00289110', // Pixel Measures
  'x00289132', // Frame VOI LUT
  'x00289145', // Pixel Value Transformation
];

/** Data sets that may hold a frame's attribute, the most specific first; the data set itself comes last. */
export function frameScopes(dataset: Dataset, index: number): Dataset[] {
  const perFrame = dataset.items('x52009230')[index];
  const shared = dataset.items('x52009229')[0];
  const groups = [perFrame, shared].filter((group) => group !== undefined);
  return [...groups.flatMap((group) => macros.flatMap((macro) => group.items(macro).slice(0, 1))), dataset];
}
