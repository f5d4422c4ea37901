/** What a model's file tells of the input that it was trained on: a guess to check against the model's documentation, never a fact. */
import * as attribute from './attributes.ts';
import type { Graph, Node } from './graph.ts';
import type { Tensor } from './tensor.ts';

export interface PreprocessingGuess {
  /** Where the channels stand; null where the shape does not tell. */
  layout: 'NCHW' | 'NHWC' | null;
  channels: number | null;
  /** What to make of grey values before they go in, in a sentence. */
  values: string;
}

/** y = scale x + offset, a number a channel (or one for all). */
interface Affine {
  scale: readonly number[];
  offset: readonly number[];
}

/** Mean and standard deviation of ImageNet's colours, of values from 0 to 1, as torchvision states them. */
const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/** @param input name of the image among the graph's inputs */
export function guessPreprocessing(graph: Graph, input: string): PreprocessingGuess {
  const shape = graph.inputs.find(({ name }) => name === input)?.shape ?? [];
  const isChannels = (size: unknown): size is number => size === 1 || size === 3;
  const [first, last] = [shape[1], shape.at(-1)];
  const layout = shape.length < 4 ? null : isChannels(first) ? 'NCHW' : isChannels(last) ? 'NHWC' : null;
  const channels = layout === 'NCHW' ? first : layout === 'NHWC' ? last : null;
  const count = typeof channels === 'number' ? channels : null;
  return { layout, channels: count, values: describe(leadingAffine(graph, input), count) };
}

function describe(own: Affine | undefined, channels: number | null): string {
  if (own !== undefined) {
    const { scale, offset } = own;
    // The values that the graph itself turns into ImageNet's scale, or into numbers about 1.
    for (const [range, unit] of [
      ['0 to 255', 255],
      ['0 to 1', 1],
    ] as const) {
      const alike = IMAGENET.std.every(
        (std, c) => near(at(scale, c) * unit, 1 / std) && near(at(offset, c), -(IMAGENET.mean[c] ?? 0) / std),
      );
      if (alike) return `${range}: the graph itself applies ImageNet's mean and standard deviation`;
    }
    if (scale.every((factor) => near(factor * 255, 1) || near(factor * 127.5, 1))) {
      return '0 to 255: the graph itself divides them';
    }
    return `the graph itself begins with ${list(scale)} x + ${list(offset)}: what it is given before that, the file does not tell`;
  }
  if (channels === 3) {
    return 'not told by the file; most colour models take 0 to 1 less the mean [0.485, 0.456, 0.406] over [0.229, 0.224, 0.225] (ImageNet)';
  }
  return 'not told by the file; TorchXRayVision takes -1024 to 1024, others 0 to 1 or a standardised grey';
}

/** Arithmetic with constants between the input and the first other operator, taken together. */
function leadingAffine(graph: Graph, input: string): Affine | undefined {
  const constants = new Map(graph.constants);
  for (const node of graph.nodes) {
    const value = attribute.tensorAttribute(node, 'value', undefined);
    if (node.operator === 'Constant' && value !== undefined) constants.set(node.outputs[0] ?? '', value);
  }
  let affine: Affine | undefined;
  for (let value = input; ;) {
    const readers = graph.nodes.filter(({ inputs }) => inputs.includes(value));
    const [node] = readers;
    if (node === undefined || readers.length > 1) return affine;
    if (node.operator !== 'Transpose' && node.operator !== 'Identity' && node.operator !== 'Cast') {
      const step = stepOf(node, value, constants);
      if (step === undefined) return affine;
      affine = then(affine ?? { scale: [1], offset: [0] }, step);
    }
    value = node.outputs[0] ?? '';
  }
}

function stepOf(node: Node, value: string, constants: ReadonlyMap<string, Tensor>): Affine | undefined {
  const [a, b] = node.inputs;
  const list = (name: string | undefined): number[] | undefined => {
    const found = constants.get(name ?? '')?.data;
    return found !== undefined && found.length <= 3 ? Array.from(found) : undefined;
  };
  const other = list(a === value ? b : a);
  switch (node.operator) {
    case 'Add':
      return other && { scale: [1], offset: other };
    case 'Sub':
      return (
        other && (a === value ? { scale: [1], offset: other.map((v) => -v) } : { scale: [-1], offset: other })
      );
    case 'Mul':
      return other && { scale: other, offset: [0] };
    case 'Div':
      return a === value ? other && { scale: other.map((v) => 1 / v), offset: [0] } : undefined;
    case 'BatchNormalization': {
      const [gamma, beta, mean, variance] = node.inputs.slice(1).map(list);
      if (!gamma || !beta || !mean || !variance) return undefined;
      const epsilon = attribute.float(node, 'epsilon', 1e-5);
      const scale = gamma.map((v, c) => v / Math.sqrt((variance[c] ?? 0) + epsilon));
      return { scale, offset: beta.map((v, c) => v - (mean[c] ?? 0) * (scale[c] ?? 0)) };
    }
    default:
      return undefined;
  }
}

function then(first: Affine, next: Affine): Affine {
  const channels = [
    ...Array(Math.max(...[first, next].flatMap(({ scale, offset }) => [scale.length, offset.length]))).keys(),
  ];
  return {
    scale: channels.map((c) => at(first.scale, c) * at(next.scale, c)),
    offset: channels.map((c) => at(first.offset, c) * at(next.scale, c) + at(next.offset, c)),
  };
}

const at = (values: readonly number[], channel: number): number =>
  (values.length === 1 ? values[0] : values[channel]) ?? 0;
const near = (a: number, b: number): boolean => Math.abs(a - b) <= 0.01 * Math.abs(b);
const list = (values: readonly number[]): string => {
  const rounded = values.map((value) => Number(value.toPrecision(4)));
  return rounded.length === 1 ? String(rounded[0]) : `[${rounded.join(', ')}]`;
};
