/** NumPy's .npy files, versions 1 to 3 (numpy.lib.format): C order, little-endian. */
import { PathlightError } from '../contract/errors.ts';

/** dtype -> the array that holds it. */
export type NpyData = Float32Array | Float64Array | BigInt64Array | Uint8Array;
export type NpyType = 'float32' | 'float64' | 'int64' | 'uint8' | 'bool';

export interface Npy {
  readonly type: NpyType;
  readonly shape: readonly number[];
  /** Row-major; bool as 0 and 1. */
  readonly data: NpyData;
}

const DESCRIPTIONS: Readonly<Record<NpyType, string>> = {
  float32: '<f4',
  float64: '<f8',
  int64: '<i8',
  uint8: '|u1',
  bool: '|b1',
};
const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59] as const;

function elements(type: NpyType, bytes: ArrayBuffer): NpyData {
  switch (type) {
    case 'float32':
      return new Float32Array(bytes);
    case 'float64':
      return new Float64Array(bytes);
    case 'int64':
      return new BigInt64Array(bytes);
    case 'uint8':
    case 'bool':
      return new Uint8Array(bytes);
  }
}

function sizeOf(type: NpyType): number {
  return type === 'float32' ? 4 : type === 'float64' || type === 'int64' ? 8 : 1;
}

/** @throws PathlightError: not-recognised, damaged, or unsupported (Fortran order, big-endian, other types) */
export function readNpy(bytes: Uint8Array): Npy {
  if (bytes.length < 10 || MAGIC.some((byte, at) => bytes[at] !== byte)) {
    throw new PathlightError('not-recognised', 'The file is not a NumPy array.', 'Choose an .npy file.');
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wide = view.getUint8(6) > 1;
  const start = wide ? 12 : 10;
  const body = start + (wide && bytes.length >= 12 ? view.getUint32(8, true) : view.getUint16(8, true));
  const header = new TextDecoder().decode(bytes.subarray(start, body));
  const description = /'descr':\s*'([^']*)'/.exec(header)?.[1];
  const order = /'fortran_order':\s*(True|False)/.exec(header)?.[1];
  const sizes = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1];
  if (description === undefined || order === undefined || sizes === undefined || body > bytes.length) {
    throw new PathlightError('damaged', 'The NumPy array has no readable header.', 'Write the file again.');
  }
  const type = (Object.keys(DESCRIPTIONS) as NpyType[]).find((name) => DESCRIPTIONS[name] === description);
  if (type === undefined || order === 'True') {
    throw new PathlightError(
      'unsupported',
      `The NumPy array is of type ${description}${order === 'True' ? ' in Fortran order' : ''}.`,
      `Save it in C order as one of ${Object.keys(DESCRIPTIONS).join(', ')}.`,
    );
  }
  const shape = sizes
    .split(',')
    .filter((size) => size.trim() !== '')
    .map(Number);
  const count = shape.reduce((product, size) => product * size, 1);
  const data = bytes.subarray(body, body + count * sizeOf(type));
  if (data.length !== count * sizeOf(type)) {
    throw new PathlightError(
      'damaged',
      `The NumPy array of shape (${shape.join(', ')}) is cut short: ${data.length} bytes instead of ${count * sizeOf(type)}.`,
      'Write or copy the file again.',
    );
  }
  // A copy, so that elements are aligned.
  return { type, shape, data: elements(type, new Uint8Array(data).buffer) };
}

/** A file of version 1.0, its data aligned to 64 bytes as NumPy's own writer does. */
export function writeNpy({ type, shape, data }: Npy): Uint8Array<ArrayBuffer> {
  const count = shape.reduce((product, size) => product * size, 1);
  if (data.length !== count) {
    throw new PathlightError(
      'internal',
      `An array of shape (${shape.join(', ')}) cannot hold ${data.length} values.`,
    );
  }
  const sizes = shape.length === 1 ? `${count},` : shape.join(', ');
  const text = `{'descr': '${DESCRIPTIONS[type]}', 'fortran_order': False, 'shape': (${sizes}), }`;
  const prefix = MAGIC.length + 4;
  const length = Math.ceil((prefix + text.length + 1) / 64) * 64 - prefix;
  const file = new Uint8Array(prefix + length + data.byteLength);
  file.set(MAGIC);
  file.set([1, 0, length & 0xff, length >> 8], MAGIC.length);
  file.set(new TextEncoder().encode(`${text.padEnd(length - 1)}\n`), prefix);
  file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), prefix + length);
  return file;
}
