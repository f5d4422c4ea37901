/** Tensors as typed arrays. int64 is held in doubles (exact to 2^53, saturating beyond): BigInt lives in the file reader alone. */
import { PathlightError } from '../contract/errors.ts';

const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  int64: Float64Array,
  int32: Int32Array,
  int16: Int16Array,
  int8: Int8Array,
  uint32: Uint32Array,
  uint16: Uint16Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const;

export type ElementType = keyof typeof ARRAYS;
export type TensorData =
  Float32Array | Float64Array | Int32Array | Int16Array | Int8Array | Uint32Array | Uint16Array | Uint8Array;

/** Row-major; `data.length` is the product of `shape`. */
export interface Tensor {
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Bytes of one element in the runtime. */
export function elementBytes(type: ElementType): number {
  return ARRAYS[type].BYTES_PER_ELEMENT;
}

export function isFloat(type: ElementType): type is 'float32' | 'float64' {
  return type === 'float32' || type === 'float64';
}

/** A zeroed array of the element type. */
export function allocate(type: ElementType, length: number): TensorData {
  return new ARRAYS[type](length);
}

/** @throws PathlightError where the values do not fill the shape */
export function tensor(type: ElementType, shape: readonly number[], values: ArrayLike<number>): Tensor {
  if (values.length !== elementCount(shape)) {
    throw new PathlightError(
      'damaged',
      `A tensor of shape [${shape.join(', ')}] cannot hold ${values.length} values.`,
    );
  }
  const array = ARRAYS[type];
  if (values instanceof array) return { type, shape, data: values };
  const data = allocate(type, values.length);
  data.set(values);
  return { type, shape, data };
}

export function scalar(type: ElementType, value: number): Tensor {
  return tensor(type, [], [value]);
}

/** A vector of int64: axes, shapes, pads. */
export function integers(values: readonly number[]): Tensor {
  return tensor('int64', [values.length], values);
}

/** Elements between neighbours along each axis. */
export function strides(shape: readonly number[]): number[] {
  const result = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) {
    result[axis] = (result[axis + 1] ?? 1) * (shape[axis + 1] ?? 1);
  }
  return result;
}

export function sameTensor(a: Tensor, b: Tensor): boolean {
  return (
    a === b ||
    (a.type === b.type &&
      a.shape.length === b.shape.length &&
      a.shape.every((size, axis) => size === b.shape[axis]) &&
      a.data.every((value, index) => Object.is(value, b.data[index])))
  );
}
