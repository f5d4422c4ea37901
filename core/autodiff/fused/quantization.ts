/**
 * Quantisation around operators that compute in floats (QDQ). What is quantised stays a float that holds a whole number,
 * so that whatever lies between the two (Reshape, MaxPool, Concat ...) is followed as it is. The rounding is passed straight
 * through: its derivative is taken as 1 within the range of the integers, and is 0 beyond it (Bengio et al. 2013, arXiv:1308.3432).
 */
import * as attribute from '../../onnx/attributes.ts';
import type { Value } from '../../onnx/builder.ts';
import { elementType } from '../../onnx/file.ts';
import type { ElementType } from '../../onnx/tensor.ts';
import { isFloat } from '../../onnx/tensor.ts';
import type { Decomposition, Fusion } from './fusion.ts';

const RANGES: Partial<Record<ElementType, readonly [number, number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
};

/** A scale or zero point, one for all or one a place of an axis, laid out to meet the value. */
function spread(f: Fusion, parameter: Value): Value {
  if (attribute.int(f.node, 'block_size', 0) > 0) throw f.unsupported('it is quantised in blocks');
  const rank = f.rank(f.x());
  const stated = attribute.int(f.node, 'axis', 1);
  const axis = stated < 0 ? stated + rank : stated;
  const [count = 1] = f.dimensions(parameter);
  if (f.rank(parameter) === 0) return parameter;
  if (count === 1) return f.op('Reshape', [parameter, f.integers([])]);
  return f.reshape(
    parameter,
    Array.from({ length: rank }, (_, at) => (at === axis ? count : 1)),
  );
}

function zeroPoint(f: Fusion, type: ElementType): Value | undefined {
  if (!f.has(2)) return undefined;
  if (f.data(f.x(2))?.data.every((value) => value === 0) === true) return undefined;
  return spread(f, f.cast(f.x(2), type));
}

/** clip(round(x / scale) + zero point) */
function quantise(f: Fusion): void {
  const type = f.graph.type(f.x());
  const code = attribute.int(f.node, 'output_dtype', 0);
  const stored = f.has(2) ? f.graph.type(f.x(2)) : code === 0 ? 'uint8' : elementType(code);
  const range = stored === undefined ? undefined : RANGES[stored];
  if (range === undefined || !isFloat(type))
    throw f.unsupported('it quantises to a type that is not supported');
  if (f.data(f.x()) === undefined) {
    f.note(
      'The model is quantised: its gradient passes through the rounding of values as if they were not rounded, and is 0 where they exceed the range of their integers.',
    );
  }
  const divided = f.div(f.x(), spread(f, f.cast(f.x(1), type)));
  const rounded = f.graph.opStraightThrough('Round', divided);
  const zero = zeroPoint(f, type);
  const shifted = zero === undefined ? rounded : f.add(rounded, zero);
  f.give('Clip', [shifted, f.number(range[0]), f.number(range[1])]);
}

/** (q - zero point) scale */
function dequantise(f: Fusion): void {
  const type = f.graph.type(f.x(1));
  const whole = f.cast(f.x(), type);
  const zero = zeroPoint(f, type);
  f.give('Mul', [zero === undefined ? whole : f.sub(whole, zero), spread(f, f.x(1))]);
}

export const quantization = {
  DequantizeLinear: dequantise,
  QuantizeLinear: quantise,
  'com.microsoft::DequantizeLinear': dequantise,
  'com.microsoft::QuantizeLinear': quantise,
} satisfies Record<string, Decomposition>;
