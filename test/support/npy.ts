import { readFileSync } from 'node:fs';
import { readNpy } from '../../core/imaging/npy.ts';

/** A NumPy file's array, as float64 values whatever its type. */
export function readArray(file: string): { shape: readonly number[]; values: Float64Array } {
  const { shape, data } = readNpy(readFileSync(file));
  return { shape, values: Float64Array.from<number | bigint>(data, Number) };
}
