/** NumPy files: what is written is read back, and what is no such file is said. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Npy, readNpy, writeNpy } from '../../core/imaging/npy.ts';

describe('npy', () => {
  it('reads back what it writes, with the data aligned to 64 bytes', () => {
    const arrays = fc.oneof(
      fc.float32Array().map((data): Npy => ({ type: 'float32', shape: [data.length], data })),
      fc.float64Array().map((data): Npy => ({ type: 'float64', shape: [1, data.length], data })),
      fc.bigInt64Array().map((data): Npy => ({ type: 'int64', shape: [data.length, 1], data })),
      fc.uint8Array().map((data): Npy => ({ type: 'uint8', shape: [1, data.length, 1], data })),
      fc.constant<Npy>({ type: 'bool', shape: [], data: Uint8Array.of(1) }),
    );
    fc.assert(
      fc.property(arrays, (array) => {
        const file = writeNpy(array);
        expect((file.length - array.data.byteLength) % 64).toBe(0);
        // Read from an odd offset: a file inside a larger buffer need not be aligned.
        const shifted = new Uint8Array(file.length + 3);
        shifted.set(file, 3);
        expect(readNpy(shifted.subarray(3))).toEqual(array);
      }),
    );
  });

  it('writes what NumPy 1.24 wrote for the same array', () => {
    const expected =
      "\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }".padEnd(127) + '\n';
    const file = writeNpy({ type: 'float32', shape: [2, 1], data: Float32Array.of(1, 2) });
    expect(Buffer.from(file.subarray(0, 128)).toString('latin1')).toBe(expected);
  });

  it('says what is wrong with other files', () => {
    const good = writeNpy({ type: 'float32', shape: [4], data: new Float32Array(4) });
    const edited = (from: string, to: string): Uint8Array =>
      Buffer.from(Buffer.from(good).toString('latin1').replace(from, to), 'latin1');
    expect(() => readNpy(new Uint8Array(20))).toThrow('not a NumPy array');
    expect(() => readNpy(good.subarray(0, good.length - 1))).toThrow('15 bytes instead of 16');
    expect(() => readNpy(good.subarray(0, 60))).toThrow('no readable header');
    expect(() => readNpy(edited('<f4', '>f4'))).toThrow('of type >f4');
    expect(() => readNpy(edited('False', 'True '))).toThrow('Fortran order');
  });
});
