import { setTimeout as pause } from 'node:timers/promises';

/**
 * The time between two batches in which requests that have come in are read and answered. A mere turn of the event loop would not do:
 * an image is longer than a pipe's buffer, so it arrives in pieces.
 */
const milliseconds = 2;

/** Lets the engine's process read what has come in, before it blocks for another batch. */
export function betweenBatches(): Promise<void> {
  return pause(milliseconds);
}

/**
 * Runs a model over many points, `most` at a time.
 * @param points [count, elements]
 * @returns [count, values] what `run` gives for each
 */
export async function inBatches(
  points: Float32Array,
  count: number,
  most: number,
  run: (points: Float32Array, count: number) => Promise<Float32Array>,
): Promise<Float32Array> {
  if (count <= most) return run(points, count);
  const elements = points.length / count;
  let all = new Float32Array();
  for (let from = 0; from < count; from += most) {
    if (from > 0) await betweenBatches();
    const part = Math.min(most, count - from);
    const values = await run(points.subarray(from * elements, (from + part) * elements), part);
    if (from === 0) all = new Float32Array((values.length / part) * count);
    all.set(values, from * (values.length / part));
  }
  return all;
}
