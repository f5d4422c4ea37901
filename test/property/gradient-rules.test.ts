/**
 * Every gradient rule against central differences of the operator as ONNX Runtime computes it, at seeded random points,
 * in float64 where the runtime has the kernels.
 */
import { describe, expect, it } from 'vitest';
import { rules } from '../../core/autodiff/rules/index.ts';
import { elementCount, integers, tensor, type Tensor } from '../../core/onnx/tensor.ts';
import type { Node } from '../../core/onnx/graph.ts';
import {
  computedInFloat32,
  differentiate,
  evaluateGradient,
  type Evaluation,
} from '../support/gradient-under-test.ts';
import { seededRandom } from '../support/onnx-random.ts';
import { declaration, type FloatType, modelBytes, node, openSession } from '../support/onnx-models.ts';
import {
  type Domain,
  type Operand,
  operatorCases,
  type OperatorCase,
} from '../support/onnx-operator-cases.ts';

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

interface Built {
  bytes: Uint8Array<ArrayBuffer>;
  point: number[];
}

/** image [1, n] -> Slice and Reshape to each operand -> the operator -> every output flattened and joined. */
function build(operator: string, form: OperatorCase, type: FloatType, random: () => number): Built {
  const constants = new Map<string, Tensor>();
  const nodes: Node[] = [];
  const point: number[] = [];
  const constant = (name: string, value: Tensor): string => {
    constants.set(name, value);
    return name;
  };
  const opset = form.opset ?? 17;
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
        const count = elementCount(operand.shape);
        const from = point.length;
        point.push(...(operand.values ?? sample(count, operand.domain, random)));
        const bounds = { starts: [from], ends: [from + count], axes: [1] };
        nodes.push(
          old
            ? node('Slice', ['image'], [`${name}/flat`], bounds)
            : node(
                'Slice',
                [
                  'image',
                  ...Object.entries(bounds).map(([key, list]) => constant(`${name}/${key}`, integers(list))),
                ],
                [`${name}/flat`],
              ),
          node('Reshape', [`${name}/flat`, constant(`${name}/shape`, integers(operand.shape))], [name]),
        );
        return name;
      }
    }
  });
  const outputs = Array.from({ length: form.outputs ?? 1 }, (_, index) => `y${index}`);
  const applied = operator === 'Resize' && old ? 'Upsample' : operator;
  nodes.push(node(applied, inputs, outputs, form.attributes));
  const row = constant('row', integers([1, -1]));
  const rows = outputs.map((output) => {
    nodes.push(
      node('Cast', [output], [`${output}/cast`], { to: type === 'float32' ? 1 : 11 }),
      node('Reshape', [`${output}/cast`, row], [`${output}/row`]),
    );
    return `${output}/row`;
  });
  nodes.push(node('Concat', rows, ['result'], { axis: 1 }));
  const bytes = modelBytes(
    {
      nodes,
      constants,
      inputs: [declaration('image', [1, point.length], type)],
      outputs: [declaration('result', [1, 'K'], type)],
    },
    opset,
  );
  return { bytes, point };
}

async function check(operator: string, form: OperatorCase, type: FloatType): Promise<void> {
  const random = seededRandom(`${operator} ${form.what}`);
  const { bytes, point } = build(operator, form, type, random);
  const model = differentiate(bytes);
  const session = await openSession(model.bytes);
  const weights = Array.from({ length: model.outputCount }, () => 2 * random() - 1);
  const run = (x: readonly number[]): Promise<Evaluation> =>
    evaluateGradient(session, model, type, x, weights);

  const { gradient } = await run(point);
  expect(gradient).toHaveLength(point.length);
  const step = type === 'float64' ? 1e-5 : 1e-2;
  const differences: number[] = [];
  for (const [index, value] of point.entries()) {
    const [up, down] = [value + step, value - step];
    const above = await run(point.with(index, up));
    const below = await run(point.with(index, down));
    differences.push((above.f - below.f) / (up - down));
  }
  await session.release();
  // Relative to the greatest slope: a quotient in float32 keeps about four digits of it.
  const scale = Math.max(1, ...differences.map(Math.abs));
  const tolerance = (type === 'float64' ? 1e-7 : 2e-3) * scale;
  const worst = differences.map((slope, index) => Math.abs(slope - (gradient[index] ?? NaN)));
  const at = worst.indexOf(Math.max(...worst));
  expect(
    Math.max(...worst),
    `at element ${at}: gradient ${gradient[at]}, difference ${differences[at]}`,
  ).toBeLessThan(tolerance);
}

/** @returns whether ONNX Runtime has what the gradient model needs in the type */
async function runs(operator: string, form: OperatorCase, type: FloatType): Promise<boolean> {
  const { bytes } = build(operator, form, type, seededRandom('probe'));
  try {
    await (await openSession(differentiate(bytes).bytes)).release();
    return true;
  } catch (error) {
    if (
      error instanceof Error &&
      /NOT_IMPLEMENTED|Could not find an implementation|INVALID_GRAPH|Type/.test(error.message)
    ) {
      return false;
    }
    throw error;
  }
}

describe('the gradient of every operator is the limit of its difference quotients', () => {
  for (const [operator, forms] of Object.entries(operatorCases)) {
    describe(operator, () => {
      for (const form of forms) {
        it(form.what, async () => {
          const type =
            !computedInFloat32.has(operator) && (await runs(operator, form, 'float64'))
              ? 'float64'
              : 'float32';
          await check(operator, form, type);
        });
      }
    });
  }
});

it('covers every rule of the table that is differentiable', () => {
  const differentiable = Object.entries(rules).flatMap(([name, rule]) =>
    rule.kind === 'differentiable' ? [name] : [],
  );
  expect(Object.keys(operatorCases).sort()).toEqual(differentiable.sort());
  expect(Object.values(operatorCases).every((forms) => forms.length > 0)).toBe(true);
});
