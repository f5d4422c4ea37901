/** Where in the picture something lies, as a reader would say it: which lung, which third; or outside the lungs, and where. */
import type { Orientation } from '../imaging/orientation.ts';
import { lungMask } from './lung-check.ts';
import { areaOf } from './map.ts';

/** Of |map|; they sum to 1. Sides are the picture's. */
export interface LungShares {
  pictureLeft: number;
  pictureRight: number;
  outside: number;
}

/** The lung region, parted at the column of its centre of mass: the masks join the lungs over the heart, so that no outline parts them. */
export interface LungParts {
  /** [height, width] */
  pictureLeft: Uint8Array;
  pictureRight: Uint8Array;
}

/**
 * @param lungs [height, width] lung probability
 * @returns null where there are none
 */
export function lungParts(lungs: Float32Array, width: number): LungParts | null {
  const mask = lungMask(lungs);
  const area = areaOf(mask);
  if (area === 0) return null;
  const middle = mask.reduce((sum, pixel, i) => sum + pixel * ((i % width) + 0.5), 0) / area;
  return {
    pictureLeft: mask.map((pixel, i) => ((i % width) + 0.5 < middle ? pixel : 0)),
    pictureRight: mask.map((pixel, i) => ((i % width) + 0.5 < middle ? 0 : pixel)),
  };
}

/**
 * @param map [pixels] signed
 * @param pixels counts these alone; all where absent
 * @returns null for a map of zeros, which has nothing to share
 */
export function lungShares(
  map: Float32Array,
  { pictureLeft, pictureRight }: LungParts,
  pixels?: readonly number[],
): LungShares | null {
  let [left, right, total] = [0, 0, 0];
  const count = (i: number): void => {
    const value = Math.abs(map[i] ?? 0);
    total += value;
    if (pictureLeft[i] === 1) left += value;
    else if (pictureRight[i] === 1) right += value;
  };
  if (pixels === undefined) map.forEach((_, i) => count(i));
  else pixels.forEach(count);
  if (total === 0) return null;
  return {
    pictureLeft: left / total,
    pictureRight: right / total,
    outside: (total - left - right) / total,
  };
}

/** What the lung on a side of the picture is called: the patient's side where the file states it, else the picture's. */
export function lungName(side: 'left' | 'right', orientation: Orientation | null): string {
  const towards = orientation?.right.charAt(0);
  if (towards !== 'L' && towards !== 'R') return `the lung on the picture's ${side}`;
  const patient = (towards === 'L') === (side === 'right') ? 'left' : 'right';
  return patient === side ? `the ${patient} lung` : `the ${patient} lung (${side} in the picture)`;
}

/** The thirds of a lung from the picture's top downwards, or null where they do not lie so: a picture on its side, or seen from above. */
function thirdsOf(orientation: Orientation | null): readonly [string, string, string] | null {
  const downwards = orientation?.bottom.charAt(0) ?? 'F';
  if (downwards === 'F') return ['upper', 'middle', 'lower'];
  return downwards === 'H' ? ['lower', 'middle', 'upper'] : null;
}

/**
 * "in the right lung (left in the picture), lower third"; "outside the lungs, top right of the picture"
 * @param parts null: nothing is known of lungs
 */
export function placeInWords(
  { row, column }: { row: number; column: number },
  height: number,
  width: number,
  parts: LungParts | null,
  orientation: Orientation | null,
): string {
  const cell = `${ofThree(row / height, ['top', 'middle', 'bottom'])} ${ofThree(column / width, ['left', 'centre', 'right'])}`;
  const inPicture = `${cell === 'middle centre' ? 'centre' : cell} of the picture`;
  if (parts === null) return inPicture;
  const at = row * width + column;
  const side = parts.pictureLeft[at] === 1 ? 'left' : parts.pictureRight[at] === 1 ? 'right' : null;
  if (side === null) return `outside the lungs, ${inPicture}`;
  const lung = `in ${lungName(side, orientation)}`;
  const thirds = thirdsOf(orientation);
  if (thirds === null) return lung;
  const part = side === 'left' ? parts.pictureLeft : parts.pictureRight;
  const first = Math.floor(part.indexOf(1) / width);
  const last = Math.floor(part.lastIndexOf(1) / width);
  return `${lung}, ${ofThree((row - first) / (last + 1 - first), thirds)} third`;
}

function ofThree<T>(share: number, [first, second, third]: readonly [T, T, T]): T {
  return share < 1 / 3 ? first : share < 2 / 3 ? second : third;
}
