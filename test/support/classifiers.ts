/**
 * Well-known classifiers in ONNX, as PyTorch's exporter writes them, with random weights: their shapes and operators are what counts.
 * Every draw is scaled so that activations keep their size through the layers (He et al. 2015, Glorot and Bengio 2010).
 */
import type { AttributeValues } from '../../core/onnx/builder.ts';
import type { Node } from '../../core/onnx/graph.ts';
import { integers, scalar, tensor, type Tensor } from '../../core/onnx/tensor.ts';
import { declaration, modelBytes, node } from './onnx-models.ts';
import { seededRandom } from './onnx-random.ts';

class Network {
  readonly nodes: Node[] = [];
  readonly constants = new Map<string, Tensor>();
  readonly #random: () => number;

  constructor(seed: string) {
    this.#random = seededRandom(seed);
  }

  add(operator: string, inputs: readonly string[], values: AttributeValues = {}): string {
    const output = `v${this.nodes.length}`;
    this.nodes.push(node(operator, inputs, [output], values));
    return output;
  }

  constant(value: Tensor): string {
    const name = `c${this.constants.size}`;
    this.constants.set(name, value);
    return name;
  }

  /** Uniform around `mean` with the given standard deviation. */
  draw(shape: readonly number[], deviation: number, mean = 0): string {
    const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
    const reach = deviation * Math.sqrt(12);
    for (let index = 0; index < data.length; index++) data[index] = mean + reach * (this.#random() - 0.5);
    return this.constant(tensor('float32', shape, data));
  }

  /** @returns bytes of a model from [N, ...shape] to [N, classes] */
  bytes(shape: readonly number[], classes: number, output: string): Uint8Array<ArrayBuffer> {
    const { nodes, constants } = this;
    return modelBytes({
      nodes: [...nodes, node('Identity', [output], ['logits'])],
      constants,
      inputs: [declaration('input', ['N', ...shape])],
      outputs: [declaration('logits', ['N', classes])],
    });
  }
}

export interface ResNetOptions {
  /** Pixels along an edge. */
  size?: number;
  /** Channels of the first stage's bottlenecks; 64 in ResNet-50. */
  width?: number;
  /** BatchNormalization in nodes of its own; the exporter's default folds it into the convolutions. */
  batchNormalization?: boolean;
  classes?: number;
}

/** ResNet-50 (He et al. 2016), with the stride in the 3x3 convolution as in torchvision. */
export function resnet50(options: ResNetOptions = {}): Uint8Array<ArrayBuffer> {
  const { size = 224, width = 64, batchNormalization = false, classes = 1000 } = options;
  const net = new Network('resnet50');
  const conv = (x: string, from: number, to: number, kernel: number, stride = 1, gain = 2): string => {
    const weights = net.draw([to, from, kernel, kernel], Math.sqrt(gain / (from * kernel * kernel)));
    const pad = (kernel - 1) / 2;
    const values = {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: [pad, pad, pad, pad],
      dilations: [1, 1],
      group: 1,
    };
    if (!batchNormalization) return net.add('Conv', [x, weights, net.draw([to], 0.1)], values);
    const y = net.add('Conv', [x, weights], values);
    const [scale, bias, mean] = [net.draw([to], 0.1, 1), net.draw([to], 0.1), net.draw([to], 0.1)];
    return net.add('BatchNormalization', [y, scale, bias, mean, net.draw([to], 0.1, 1)]);
  };
  const relu = (x: string): string => net.add('Relu', [x]);

  let x = relu(conv('input', 3, width, 7, 2));
  x = net.add('MaxPool', [x], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] });
  let channels = width;
  [3, 4, 6, 3].forEach((blocks, stage) => {
    const inner = width * 2 ** stage;
    for (let block = 0; block < blocks; block++) {
      const stride = block === 0 && stage > 0 ? 2 : 1;
      const narrow = relu(conv(x, channels, inner, 1));
      // Small enough that the sum with the shortcut does not grow.
      const wide = conv(relu(conv(narrow, inner, inner, 3, stride)), inner, 4 * inner, 1, 1, 0.2);
      const shortcut = block === 0 ? conv(x, channels, 4 * inner, 1, stride, 1) : x;
      x = relu(net.add('Add', [wide, shortcut]));
      channels = 4 * inner;
    }
  });
  const features = net.add('Flatten', [net.add('GlobalAveragePool', [x])], { axis: 1 });
  const head = net.draw([classes, channels], Math.sqrt(1 / channels));
  const logits = net.add('Gemm', [features, head, net.draw([classes], 0.1)], { transB: 1 });
  return net.bytes([3, size, size], classes, logits);
}

export interface VisionTransformerOptions {
  size?: number;
  depth?: number;
  /** Features of a token; a multiple of 64, the width of a head. */
  width?: number;
  classes?: number;
}

/** ViT-B/16 (Dosovitskiy et al. 2021), in operator set 17: LayerNormalization is one operator, Gelu is five. */
export function vitB16(options: VisionTransformerOptions = {}): Uint8Array<ArrayBuffer> {
  const { size = 224, depth = 12, width = 768, classes = 1000 } = options;
  const net = new Network('vit_b_16');
  const heads = width / 64;
  const tokens = (size / 16) ** 2 + 1;
  const shape = (sizes: readonly number[]): string => net.constant(integers(sizes));
  const number = (value: number): string => net.constant(scalar('float32', value));
  const dense = (x: string, from: number, to: number, gain = 1): string => {
    const product = net.add('MatMul', [x, net.draw([from, to], Math.sqrt(gain / from))]);
    return net.add('Add', [net.draw([to], 0.02), product]);
  };
  const normalised = (x: string): string =>
    net.add('LayerNormalization', [x, net.draw([width], 0.1, 1), net.draw([width], 0.1)], { axis: -1 });
  const gelu = (x: string): string => {
    const erf = net.add('Erf', [net.add('Div', [x, number(Math.SQRT2)])]);
    return net.add('Mul', [net.add('Mul', [x, net.add('Add', [erf, number(1)])]), number(0.5)]);
  };
  const attention = (x: string): string => {
    const split = (perm: readonly number[]): string =>
      net.add('Transpose', [net.add('Reshape', [dense(x, width, width), shape([-1, tokens, heads, 64])])], {
        perm,
      });
    const scale = number(64 ** -0.25);
    const query = net.add('Mul', [split([0, 2, 1, 3]), scale]);
    const key = net.add('Mul', [split([0, 2, 3, 1]), scale]);
    const weights = net.add('Softmax', [net.add('MatMul', [query, key])], { axis: -1 });
    const mixed = net.add('Transpose', [net.add('MatMul', [weights, split([0, 2, 1, 3])])], {
      perm: [0, 2, 1, 3],
    });
    return dense(net.add('Reshape', [mixed, shape([-1, tokens, width])]), width, width, 0.2);
  };

  const patches = net.add(
    'Conv',
    ['input', net.draw([width, 3, 16, 16], Math.sqrt(1 / (3 * 256))), net.draw([width], 0.1)],
    { kernel_shape: [16, 16], strides: [16, 16], pads: [0, 0, 0, 0], dilations: [1, 1], group: 1 },
  );
  const sequence = net.add('Transpose', [net.add('Reshape', [patches, shape([-1, width, tokens - 1])])], {
    perm: [0, 2, 1],
  });
  const batch = net.add('Gather', [net.add('Shape', [sequence]), net.constant(integers([0]))], { axis: 0 });
  const repeated = net.add('Concat', [batch, shape([1, width])], { axis: 0 });
  const classToken = net.add('Expand', [net.draw([1, 1, width], 0.02), repeated]);
  const placed = net.add('Concat', [classToken, sequence], { axis: 1 });
  let x = net.add('Add', [placed, net.draw([1, tokens, width], 0.02)]);
  for (let layer = 0; layer < depth; layer++) {
    x = net.add('Add', [x, attention(normalised(x))]);
    const hidden = gelu(dense(normalised(x), width, 4 * width));
    x = net.add('Add', [x, dense(hidden, 4 * width, width, 0.2)]);
  }
  const first = net.add('Gather', [normalised(x), net.constant(scalar('int64', 0))], { axis: 1 });
  const head = net.draw([classes, width], Math.sqrt(1 / width));
  const logits = net.add('Gemm', [first, head, net.draw([classes], 0.1)], { transB: 1 });
  return net.bytes([3, size, size], classes, logits);
}
