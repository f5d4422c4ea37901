import { readFileSync } from 'node:fs';

/** A NumPy array file of float32, float64 or int64 in C order, as float64 values. */
export function readNpy(file: string): { shape: number[]; values: Float64Array } {
  const bytes = readFileSync(file);
  const headerLength = bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', 10, 10 + headerLength);
  const type = /'descr': '([^']+)'/.exec(header)?.[1];
  const shape = (/'shape': \(([^)]*)\)/.exec(header)?.[1] ?? '')
    .split(',')
    .filter((part) => part.trim() !== '')
    .map(Number);
  if (!header.includes("'fortran_order': False")) throw new Error(`${file} is in Fortran order`);
  const start = bytes.byteOffset + 10 + headerLength;
  const data = bytes.buffer.slice(start, bytes.byteOffset + bytes.length);
  if (type === '<f4') return { shape, values: Float64Array.from(new Float32Array(data)) };
  if (type === '<f8') return { shape, values: new Float64Array(data) };
  throw new Error(`${file} holds ${type ?? 'nothing known'}`);
}
