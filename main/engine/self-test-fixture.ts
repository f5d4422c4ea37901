/** A small net with one of everything that image classifiers are made of, for the self-test of a device. */
import type { GradientOptions } from '../../core/autodiff/index.ts';
import { normalNumbers, randomSource } from '../../core/metrics/random.ts';
import { attributes, floatValue } from '../../core/onnx/attributes.ts';
import type { AttributeValues } from '../../core/onnx/builder.ts';
import { writeModel } from '../../core/onnx/file.ts';
import type { Declaration, Node } from '../../core/onnx/graph.ts';
import { elementCount, scalar, tensor, type Tensor } from '../../core/onnx/tensor.ts';

export const fixtureOptions: GradientOptions = {
  input: 'image',
  output: 'logits',
  objective: 'probability',
  activation: 'softmax',
};

/** image [N, 1, 16, 16] -> logits [N, 3] */
export function fixtureModel(): Uint8Array {
  const nodes: Node[] = [];
  const constants = new Map<string, Tensor>();
  const random = randomSource(7);
  const op = (operator: string, inputs: readonly string[], values: AttributeValues = {}): string => {
    const output = `${operator}${nodes.length}`;
    nodes.push({
      name: output,
      operator,
      domain: '',
      inputs,
      outputs: [output],
      attributes: attributes(values),
    });
    return output;
  };
  const given = (value: Tensor): string => {
    const name = `c${constants.size}`;
    constants.set(name, value);
    return name;
  };
  const weights = (shape: readonly number[], spread: number): string =>
    given(
      tensor(
        'float32',
        shape,
        normalNumbers(elementCount(shape), random).map((value) => spread * value),
      ),
    );
  const positive = (count: number): string =>
    given(
      tensor(
        'float32',
        [count],
        Float32Array.from({ length: count }, () => 0.5 + random()),
      ),
    );
  const number = (value: number): string => given(scalar('float32', value));
  const square = (size: number, stride: number, pad: number) => ({
    kernel_shape: [size, size],
    strides: [stride, stride],
    pads: [pad, pad, pad, pad],
  });

  const stem = op('Conv', ['image', weights([6, 1, 3, 3], 0.6), weights([6], 0.2)], square(3, 2, 1));
  const normal = op(
    'BatchNormalization',
    [stem, positive(6), weights([6], 0.3), weights([6], 0.3), positive(6)],
    { epsilon: floatValue(1e-5) },
  );
  const pooled = op('MaxPool', [op('Relu', [normal])], square(3, 2, 1));
  // A depthwise and a pointwise convolution around a swish, with a way past them.
  const deep = op('Conv', [pooled, weights([6, 1, 3, 3], 0.5)], { ...square(3, 1, 1), group: 6 });
  const swish = op('Mul', [deep, op('Sigmoid', [deep])]);
  const past = op('Add', [op('Conv', [swish, weights([6, 6, 1, 1], 0.4)], square(1, 1, 0)), pooled]);
  const joined = op('Concat', [past, op('Tanh', [pooled])], { axis: 1 });
  const halved = op('AveragePool', [joined], square(2, 2, 0));
  const features = op('Flatten', [op('GlobalAveragePool', [halved])]);
  // A layer as of a transformer.
  const layer = op('LayerNormalization', [features, positive(12), weights([12], 0.2)], { axis: -1 });
  const inner = op('MatMul', [layer, weights([12, 8], 0.4)]);
  const erf = op('Erf', [op('Mul', [inner, number(Math.SQRT1_2)])]);
  const gelu = op('Mul', [op('Mul', [inner, number(0.5)]), op('Add', [erf, number(1)])]);
  const logits = op('Gemm', [gelu, weights([8, 3], 1.5), weights([3], 0.5)]);

  const declared = (name: string, sizes: readonly number[]): Declaration => ({
    name,
    type: 'float32',
    typeName: 'float32',
    shape: ['N', ...sizes],
  });
  nodes.push({
    name: 'logits',
    operator: 'Identity',
    domain: '',
    inputs: [logits],
    outputs: ['logits'],
    attributes: new Map(),
  });
  return writeModel({
    irVersion: 8,
    opset: 17,
    graph: {
      name: 'fixture',
      nodes,
      constants,
      inputs: [declared('image', [1, 16, 16])],
      outputs: [declared('logits', [3])],
    },
  });
}
