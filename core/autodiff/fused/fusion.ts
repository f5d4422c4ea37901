/** Where a fused operator is written out in standard ones: the vocabulary of the rules, and what a replacement needs besides. */
import type { AttributeValues, GraphBuilder, Value } from '../../onnx/builder.ts';
import type { Node } from '../../onnx/graph.ts';
import type { KnownOperator } from '../../onnx/inference.ts';
import { scalar } from '../../onnx/tensor.ts';
import { Site } from '../site.ts';

export class Fusion extends Site {
  /** Takes what readers of the results should know. */
  readonly note: (text: string) => void;

  constructor(graph: GraphBuilder, node: Node, note: (text: string) => void) {
    super(graph, node);
    this.note = note;
  }

  /** A number in the element type of input 0. */
  override number(value: number): Value {
    return this.graph.constant(scalar(this.graph.type(this.x()), value));
  }

  wants(output: number): boolean {
    return (this.node.outputs[output] ?? '') !== '';
  }

  /** Appends the node that makes one of the outputs, where it is wanted. */
  give(operator: KnownOperator, inputs: readonly Value[], values: AttributeValues = {}, output = 0): void {
    if (!this.wants(output)) return;
    this.graph.addAs(this.node.name, operator, inputs, [this.y(output)], values);
  }

  /** Means over axes, which stay as sizes of 1. */
  mean(value: Value, axes: readonly number[]): Value {
    return this.graph.opset < 18
      ? this.op('ReduceMean', [value], { axes })
      : this.op('ReduceMean', [value, this.integers(axes)]);
  }

  /** The last axis from one place to another. */
  lastAxis(value: Value, from: number, to: number, step = 1): Value {
    return this.slice(value, [-1], [from], [to], [step]);
  }
}

/** Writes a fused operator out; `unsupported` where it does not know the form. */
export type Decomposition = (f: Fusion) => void;
