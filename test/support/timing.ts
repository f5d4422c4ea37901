/** What every benchmark prints of its times and its machine. */
import os from 'node:os';

export interface Timing {
  /** Both in milliseconds; spread is the interquartile range. */
  median: number;
  spread: number;
}

export function summarise(milliseconds: readonly number[]): Timing {
  const sorted = milliseconds.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.round(share * (sorted.length - 1))] ?? NaN;
  return { median: at(0.5), spread: at(0.75) - at(0.25) };
}

export function machine(): { cpu: string; cores: number; memoryGB: number } {
  return {
    cpu: os.cpus()[0]?.model ?? 'unknown',
    cores: os.availableParallelism(),
    memoryGB: Math.round(os.totalmem() / 2 ** 30),
  };
}
