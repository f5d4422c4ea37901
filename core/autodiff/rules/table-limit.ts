/** How large a table of numbers a rule may write into the graph: a small file must not ask for a large one. */
import type { Site } from '../site.ts';

/** Elements: a matrix that maps 4096 samples of an axis to 4096. */
const LARGEST_TABLE = 2 ** 24;

/** @throws PathlightError of kind `unsupported` */
export function limitTable(g: Site, elements: number): void {
  if (elements > LARGEST_TABLE) throw g.unsupported('its axes are too long for its gradient');
}
