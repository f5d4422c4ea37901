/**
 * Every gradient rule against central differences of the operator as ONNX Runtime computes it, at seeded random points,
 * in float64 where the runtime has the kernels.
 */
import { describe, expect, it } from 'vitest';
import type { GradientModel } from '../../core/autodiff/index.ts';
import { rules } from '../../core/autodiff/rules/index.ts';
import { PathlightError } from '../../core/contract/errors.ts';
import { NEWEST_OPSET } from '../../core/onnx/upgrade.ts';
import {
  computedInFloat32,
  differentiate,
  evaluateGradient,
  type Evaluation,
} from '../support/gradient-under-test.ts';
import { floatTensor, type FloatType, openSession } from '../support/onnx-models.ts';
import { operatorCases, type OperatorCase } from '../support/onnx-operator-cases.ts';
import {
  type OperatorModel,
  operatorModel,
  type OperatorModelOptions,
} from '../support/onnx-operator-model.ts';
import { seededRandom } from '../support/onnx-random.ts';

/** Operators that it runs in older sets alone. */
const WITHOUT_NEWEST_KERNEL: ReadonlySet<string> = new Set(['GlobalLpPool', 'Swish']);

const cases = Object.entries(operatorCases);

async function check(
  operator: string,
  form: OperatorCase,
  type: FloatType,
  options: OperatorModelOptions = {},
): Promise<void> {
  const random = seededRandom(`${operator} ${form.what}`);
  const { bytes, point } = operatorModel(operator, form, type, random, options);
  const model = differentiate(bytes);
  const session = await openSession(model.bytes);
  const weights = Array.from({ length: model.outputCount }, () => 2 * random() - 1);
  const run = (x: readonly number[]): Promise<Evaluation> =>
    evaluateGradient(session, model, type, [x], [weights]);

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

/**
 * A graph in float64 that ONNX Runtime does not open fails: the reader must know for which operators to take float32.
 * @returns float64 where the gradient model computes in it
 */
function widestType(operator: string, form: OperatorCase, options: OperatorModelOptions = {}): FloatType {
  if (computedInFloat32.has(operator)) return 'float32';
  const { bytes } = operatorModel(operator, form, 'float64', seededRandom('probe'), options);
  const narrowed = differentiate(bytes).notes.some((note) => note.startsWith('The model is in double'));
  return narrowed ? 'float32' : 'float64';
}

describe('the gradient of every operator is the limit of its difference quotients', () => {
  for (const [operator, forms] of cases) {
    describe(operator, () => {
      for (const form of forms) {
        it(form.what, async () => {
          await check(operator, form, widestType(operator, form));
        });
      }
    });
  }
});

/** The graph made of a GPU's kernels against the usual one, both on the CPU in float32. @returns whether they differ */
async function checkGpuKernels(operator: string, form: OperatorCase): Promise<boolean> {
  const random = seededRandom(`${operator} ${form.what}`);
  const { bytes, point } = operatorModel(operator, form, 'float32', random);
  const usual = differentiate(bytes);
  const forGpu = differentiate(bytes, 'image', 'result', 'gpu');
  if (Buffer.from(usual.bytes).equals(forGpu.bytes)) return false;
  const weights = Array.from({ length: usual.outputCount }, () => 2 * random() - 1);
  const gradientBy = async (model: GradientModel): Promise<Float64Array> => {
    const session = await openSession(model.bytes);
    const { gradient } = await evaluateGradient(session, model, 'float32', [point], [weights]);
    await session.release();
    return gradient;
  };
  const [expected, given] = [await gradientBy(usual), await gradientBy(forGpu)];
  const scale = Math.max(...expected.map(Math.abs));
  const apart = Math.max(...expected.map((slope, at) => Math.abs(slope - (given[at] ?? NaN))));
  expect(apart, form.what).toBeLessThanOrEqual(1e-6 * scale);
  return true;
}

describe('made of the kernels that GPUs have, the gradient is the same', () => {
  const differing = ['Abs', 'Conv', 'LpNormalization', 'LpPool', 'GlobalLpPool', 'MaxPool', 'ReduceL1'];
  it.each(cases)('%s', async (operator, forms) => {
    let differ = 0;
    for (const form of forms) if (await checkGpuKernels(operator, form)) differ += 1;
    if (differing.includes(operator)) expect(differ).toBeGreaterThan(0);
  });
});

/** Whether the operator has this form in an operator set, as ONNX Runtime sees it. */
async function isValid(operator: string, form: OperatorCase, opset: number): Promise<boolean> {
  const { bytes, point } = operatorModel(operator, form, 'float32', seededRandom('probe'), { opset });
  try {
    const session = await openSession(bytes);
    await session.run({ image: floatTensor('float32', point, [1, point.length]) });
    await session.release();
    return true;
  } catch {
    return false;
  }
}

describe(`in operator set ${NEWEST_OPSET}`, () => {
  const options = { opset: NEWEST_OPSET };
  it.each(cases.filter(([operator]) => !WITHOUT_NEWEST_KERNEL.has(operator)))(
    '%s',
    async (operator, forms) => {
      let valid = 0;
      for (const form of forms) {
        const isOld = form.opset !== undefined && form.opset < 17;
        if (isOld || !(await isValid(operator, form, NEWEST_OPSET))) continue;
        valid += 1;
        await check(operator, form, widestType(operator, form, options), options);
      }
      expect(valid).toBeGreaterThan(0);
    },
  );
});

/** Operators whose first axis is that of the images, with the forms that take any number of them. */
const perImage = [
  'AveragePool',
  'BatchNormalization',
  'Col2Im',
  'Conv',
  'ConvTranspose',
  'DepthToSpace',
  'Einsum',
  'Flatten',
  'Gemm',
  'GlobalAveragePool',
  'GlobalLpPool',
  'GlobalMaxPool',
  'GridSample',
  'GroupNormalization',
  'InstanceNormalization',
  'LRN',
  'LayerNormalization',
  'LogSoftmax',
  'LpNormalization',
  'LpPool',
  'MaxPool',
  'Pad',
  'RMSNormalization',
  'Resize',
  'Softmax',
  'SpaceToDepth',
] as const satisfies readonly (keyof typeof operatorCases)[];

/** @returns undefined where a form is written for its own number of images */
function takesAnyNumber({ bytes }: OperatorModel): GradientModel | undefined {
  try {
    const model = differentiate(bytes);
    return model.batch === 'dynamic' ? model : undefined;
  } catch (error) {
    if (error instanceof PathlightError && error.kind === 'damaged') return undefined;
    throw error;
  }
}

describe('the gradients of several images are those of each by itself', () => {
  it.each(perImage)('%s', async (operator) => {
    let checked = 0;
    for (const form of operatorCases[operator]) {
      const random = seededRandom(`${operator} ${form.what}`);
      const made = operatorModel(operator, form, 'float32', random, { batch: true });
      const model = takesAnyNumber(made);
      if (model === undefined) continue;
      checked += 1;
      const images = [made.point, made.point.map((value) => value * 0.9 + 0.01), made.point.toReversed()];
      const weights = images.map(() => Array.from({ length: model.outputCount }, () => 2 * random() - 1));
      const session = await openSession(model.bytes);
      const alone = [];
      for (const [index, image] of images.entries()) {
        alone.push(await evaluateGradient(session, model, 'float32', [image], [weights[index] ?? []]));
      }
      const together = await evaluateGradient(session, model, 'float32', images, weights);
      await session.release();
      const expected = alone.flatMap(({ gradient }) => [...gradient]);
      expect(together.gradient).toHaveLength(expected.length);
      expected.forEach((value, index) => {
        expect(together.gradient[index], `${form.what}, element ${index}`).toBeCloseTo(value, 4);
      });
    }
    expect(checked).toBeGreaterThan(0);
  });
});

it('covers every rule of the table that is differentiable', () => {
  const differentiable = Object.entries(rules).flatMap(([name, rule]) =>
    rule.kind === 'differentiable' ? [name] : [],
  );
  expect(Object.keys(operatorCases).sort()).toEqual(differentiable.sort());
  expect(Object.values(operatorCases).every((forms) => forms.length > 0)).toBe(true);
});
