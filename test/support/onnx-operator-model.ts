/** One operator as a model from an image [N, n] to a result [N, K], so that its gradient can be taken and compared. */
import type { Node } from '../../core/onnx/graph.ts';
import { elementCount, integers, tensor, type Tensor } from '../../core/onnx/tensor.ts';
import { declaration, type FloatType, modelBytes, node } from './onnx-models.ts';
import type { Domain, Operand, OperatorCase } from './onnx-operator-cases.ts';

/** Distinct values in random order, a step apart, so that no difference quotient crosses a kink or a tie. */
function sample(count: number, domain: Domain, random: () => number): number[] {
  const ranks = Array.from({ length: count }, (_, index) => ({ index, key: random() }));
  ranks.sort((a, b) => a.key - b.key);
  return ranks.map(({ index }) => {
    const place = (index + 0.37) / count;
    switch (domain) {
      case 'spread':
        return (index - Math.floor(count / 2) + 0.37) * Math.min(0.11 + 4 / count ** 2, 1);
      case 'positive':
        return 0.4 + 1.6 * place;
      case 'unit':
        return 1.6 * place - 0.8;
      case 'above-one':
        return 1.3 + 2 * place;
    }
  });
}

export interface OperatorModel {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** An image, where the operator's derivative exists. */
  readonly point: number[];
}

export interface OperatorModelOptions {
  /** Instead of the set that the case states. */
  readonly opset?: number;
  /** The first axis of every operand that is part of the image becomes that of the images. */
  readonly batch?: boolean;
}

/** image [1, n] -> Slice and Reshape to each operand -> the operator -> every output flattened and joined. */
export function operatorModel(
  operator: string,
  form: OperatorCase,
  type: FloatType,
  random: () => number,
  options: OperatorModelOptions = {},
): OperatorModel {
  const constants = new Map<string, Tensor>();
  const nodes: Node[] = [];
  const point: number[] = [];
  const constant = (name: string, value: Tensor): string => {
    constants.set(name, value);
    return name;
  };
  const opset = options.opset ?? form.opset ?? 17;
  const old = opset < 10;
  const inputs = form.operands.map((operand: Operand, index) => {
    const name = `x${index}`;
    switch (operand.kind) {
      case 'none':
        return '';
      case 'exact':
        return constant(name, tensor(operand.type, operand.shape, operand.values));
      case 'real':
        return constant(
          name,
          tensor(
            type,
            operand.shape,
            operand.values ?? sample(elementCount(operand.shape), operand.domain, random),
          ),
        );
      case 'image': {
        const shape = options.batch === true ? [-1, ...operand.shape.slice(1)] : operand.shape;
        const count = Math.abs(elementCount(shape));
        const from = point.length;
        point.push(...(operand.values ?? sample(count, operand.domain, random)));
        const bounds = { starts: [from], ends: [from + count], axes: [1] };
        const lists = Object.entries(bounds).map(([key, list]) => constant(`${name}/${key}`, integers(list)));
        nodes.push(
          old
            ? node('Slice', ['image'], [`${name}/flat`], bounds)
            : node('Slice', ['image', ...lists], [`${name}/flat`]),
          node('Reshape', [`${name}/flat`, constant(`${name}/shape`, integers(shape))], [name]),
        );
        return name;
      }
    }
  });
  const outputs = Array.from({ length: form.outputs ?? 1 }, (_, index) => `y${index}`);
  const applied = operator === 'Resize' && old ? 'Upsample' : operator;
  const unused = Array.from({ length: form.unused ?? 0 }, (_, index) => `unused${index}`);
  nodes.push(node(applied, inputs, [...outputs, ...unused], form.attributes));
  const row = constant('row', integers([options.batch === true ? 0 : 1, -1]));
  const rows = outputs.map((output) => {
    nodes.push(
      node('Cast', [output], [`${output}/cast`], { to: type === 'float32' ? 1 : 11 }),
      node('Reshape', [`${output}/cast`, row], [`${output}/row`]),
    );
    return `${output}/row`;
  });
  nodes.push(node('Concat', rows, ['result'], { axis: 1 }));
  const images = options.batch === true ? 'N' : 1;
  const bytes = modelBytes(
    {
      nodes,
      constants,
      inputs: [declaration('image', [images, point.length], type)],
      outputs: [declaration('result', [images, 'K'], type)],
    },
    opset,
    opset > 24 ? 10 : 8,
  );
  return { bytes, point };
}
