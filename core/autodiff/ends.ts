/** Which of a model's inputs is the image, which output is explained, and how the model is brought to what its caller feeds and reads. */
import { PathlightError } from '../contract/errors.ts';
import { attributes } from '../onnx/attributes.ts';
import { filled } from '../onnx/builder.ts';
import { elementCode } from '../onnx/file.ts';
import type { ExternalFiles } from '../onnx/external-data.ts';
import type { Declaration, Graph, Model, Node } from '../onnx/graph.ts';
import { renamed } from '../onnx/inline.ts';
import type { Tensor } from '../onnx/tensor.ts';
import { elementCount, tensor } from '../onnx/tensor.ts';

/** A further input's value: one number for all of it, or every element, row by row. */
export interface HeldInput {
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

export interface Ends {
  readonly input: string;
  /** An output of the model, or a value inside it, such as the last linear layer's input. */
  readonly output: string;
  /** Shape of one image, without the batch axis: for models that leave their image size open. */
  readonly inputShape?: readonly number[];
  /** How the model takes its images. The graph takes channels first in any case, and `inputShape` states them so. */
  readonly layout?: 'NCHW' | 'NHWC';
  /** What the caller feeds and reads; the model's own type by default. A double model computes in double all the same. */
  readonly elementType?: 'float32';
  /** Values of the model's further inputs, by name. */
  readonly heldInputs?: Readonly<Record<string, HeldInput>>;
  /** The files beside the model in which it keeps weights. */
  readonly externalFiles?: ExternalFiles;
}

/** @returns why a model of volumes cannot be given a card; undefined of images */
export function volumeReason({
  name,
  shape,
}: {
  name: string;
  shape: readonly (number | string | null)[];
}): string | undefined {
  if (shape.length !== 5) return undefined;
  return `The input "${name}" takes volumes, [${shape.map((size) => size ?? '?').join(', ')}]. Pathlight can differentiate such a model, but its cards, its viewer and its maps are of two-dimensional images: a card has no depth, so that the model cannot be explained in the application.`;
}

/** @throws PathlightError bad-request: a held input does not exist, or its values do not fill its shape */
export function heldTensors(model: Model, ends: Ends): Map<string, Tensor> {
  return new Map(
    Object.entries(ends.heldInputs ?? {}).map(([name, { shape, values }]): [string, Tensor] => {
      const declared = model.graph.inputs.find((input) => input.name === name);
      if (declared === undefined || name === ends.input) {
        throw new PathlightError('bad-request', `The model has no further input "${name}" to hold.`);
      }
      const [only] = values;
      const type = declared.type ?? 'float32';
      const count = elementCount(shape);
      if (values.length !== count && values.length !== 1) {
        throw new PathlightError(
          'bad-request',
          `The input "${name}" of shape [${shape.join(', ')}] is held at ${values.length} values instead of ${count}.`,
        );
      }
      return [name, values.length === count ? tensor(type, shape, values) : filled(type, shape, only ?? 0)];
    }),
  );
}

/** The model with its ends laid out and typed as its caller wants them. */
export function adaptEnds(model: Model, ends: Ends): Model {
  return withLayout(withElementType(model, ends), ends);
}

function withElementType(model: Model, { input, output, elementType }: Ends): Model {
  const code = elementCode('float64');
  const declared = model.graph.inputs.find(({ name }) => name === input);
  if (elementType === undefined || declared?.type !== 'float64') return model;
  const inner = { input: 'pathlight/double_input', output: 'pathlight/double_output' };
  const cast = (from: string, to: string, type: number): Node => node('Cast', from, to, { to: type });
  const result = model.graph.outputs.map((each) => (each.name === output ? asFloat32(each) : each));
  return withNodes(
    model,
    new Map([
      [input, inner.input],
      [output, inner.output],
    ]),
    [cast(input, inner.input, code), cast(inner.output, output, elementCode('float32'))],
    {
      inputs: model.graph.inputs.map((each) => (each === declared ? asFloat32(each) : each)),
      outputs: result,
    },
  );
}

function asFloat32(declared: Declaration): Declaration {
  return { ...declared, type: 'float32', typeName: 'float32' };
}

function withLayout(model: Model, { input, layout }: Ends): Model {
  if (layout !== 'NHWC') return model;
  const inner = 'pathlight/channels_last';
  const rank = model.graph.inputs.find(({ name }) => name === input)?.shape?.length ?? 4;
  // [N, C, H, W] -> [N, H, W, C]
  const perm = [0, ...Array.from({ length: rank - 2 }, (_, axis) => axis + 2), 1];
  return withNodes(model, new Map([[input, inner]]), [node('Transpose', input, inner, { perm })], {
    inputs: model.graph.inputs.map((each) => {
      const { shape } = each;
      if (each.name !== input || shape === null) return each;
      return {
        ...each,
        shape: [0, rank - 1, ...perm.slice(1, -1).map((axis) => axis - 1)].map((axis) => shape[axis] ?? null),
      };
    }),
  });
}

function node(operator: string, from: string, to: string, values: Parameters<typeof attributes>[0]): Node {
  return { name: to, operator, domain: '', inputs: [from], outputs: [to], attributes: attributes(values) };
}

function withNodes(
  model: Model,
  names: ReadonlyMap<string, string>,
  nodes: readonly Node[],
  declarations: Partial<Graph>,
): Model {
  const rename = (name: string): string => names.get(name) ?? name;
  const own = model.graph.nodes.map((each) => renamed(each, rename));
  return { ...model, graph: { ...model.graph, ...declarations, nodes: [...own, ...nodes] } };
}
