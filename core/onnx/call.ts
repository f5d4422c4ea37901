/** One operator applied to values of which the type, the shape and perhaps the data are known. */
import { PathlightError } from '../contract/errors.ts';
import type { Node } from './graph.ts';
import { nodeName, operatorName } from './graph.ts';
import * as attribute from './attributes.ts';
import type { ElementType, Tensor } from './tensor.ts';

/** What is known of a value, at one size of the batch. */
export interface Fact {
  readonly type: ElementType;
  readonly shape: readonly number[];
  /** Known where it does not depend on the image. */
  readonly data?: Tensor;
}

export interface Call {
  readonly node: Node;
  readonly opset: number;
  /** undefined: an optional input that is not given. */
  readonly inputs: readonly (Fact | undefined)[];
}

/** A node that contradicts itself or its inputs. */
export function malformed(call: Call, what: string): PathlightError {
  const shapes = call.inputs.map((fact) => (fact === undefined ? '-' : `[${fact.shape.join(', ')}]`));
  return new PathlightError(
    'damaged',
    `Node ${nodeName(call.node)} (${operatorName(call.node)}): ${what}; its inputs have the shapes ${shapes.join(', ')}.`,
    'Export the model again.',
  );
}

/** A node that is well-formed, but of a kind that is not handled. */
export function notHandled(call: Call, what: string): PathlightError {
  return new PathlightError(
    'unsupported',
    `Node ${nodeName(call.node)} (${operatorName(call.node)}): ${what}.`,
    'Export the model for inference, with fixed image sizes.',
  );
}

/** @throws PathlightError where the input is not given */
export function input(call: Call, index: number): Fact {
  const fact = call.inputs[index];
  if (fact === undefined) throw malformed(call, `input ${index} is missing`);
  return fact;
}

/** The values of an input that decides a shape. */
export function values(call: Call, index: number): readonly number[] {
  const { data } = input(call, index);
  if (data === undefined) throw notHandled(call, `input ${index} decides a shape and depends on the image`);
  return Array.from(data.data);
}

export function optionalValues(call: Call, index: number): readonly number[] | undefined {
  return call.inputs[index] === undefined ? undefined : values(call, index);
}

/** An axis as ONNX counts it, negative from the end, made non-negative. */
export function axisOf(call: Call, axis: number, rank: number): number {
  const result = axis < 0 ? axis + rank : axis;
  if (result < 0 || result >= rank || !Number.isInteger(result)) {
    throw malformed(call, `axis ${axis} is outside a rank of ${rank}`);
  }
  return result;
}

/** Axes from the attribute of older operator sets or from the input of newer ones. */
export function axesOf(call: Call, rank: number, index = 1): number[] | undefined {
  const axes = attribute.ints(call.node, 'axes', undefined) ?? optionalValues(call, index);
  return axes?.map((axis) => axisOf(call, axis, rank)).sort((a, b) => a - b);
}

/** The axes over which a Reduce operator goes; none where it does nothing (noop_with_empty_axes). */
export function reducedAxes(call: Call): number[] {
  const { shape } = input(call, 0);
  const axes = axesOf(call, shape.length);
  if (axes !== undefined && axes.length > 0) return axes;
  return attribute.int(call.node, 'noop_with_empty_axes', 0) === 1 ? [] : [...shape.keys()];
}

/** ONNX's multidirectional broadcasting. */
export function broadcast(call: Call, ...shapes: (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    let size = 1;
    for (const shape of shapes) {
      const own = shape[axis - rank + shape.length] ?? 1;
      if (own === 1 || own === size) continue;
      if (size !== 1) throw malformed(call, 'the shapes do not broadcast');
      size = own;
    }
    return size;
  });
}
