/**
 * Every node test of ONNX whose operator has a rule: its gradient graph builds and runs in ONNX Runtime, leaves the
 * forward result as it was, and agrees with difference quotients of ONNX Runtime's own run of the original model. The
 * other tests are told apart and counted: a gradient of zero, refused, not about gradients.
 */
import type { InferenceSession } from 'onnxruntime-node';
import { Tensor as RuntimeTensor } from 'onnxruntime-node';
import { afterAll, describe, expect, it } from 'vitest';
import { writeModel } from '../../core/onnx/file.ts';
import type { Attribute, Graph, Model } from '../../core/onnx/graph.ts';
import { scalar, tensor, type Tensor } from '../../core/onnx/tensor.ts';
import { computedInFloat32, differentiate, evaluateGradient } from '../support/gradient-under-test.ts';
import { openSession } from '../support/onnx-models.ts';
import {
  asClassifier,
  examine,
  IMAGE,
  imageType,
  nodeTestNames,
  type NodeTest,
  type Path,
  RESULT,
} from '../support/onnx-node-tests.ts';
import { seededRandom } from '../support/onnx-random.ts';

/** Along so many random directions must the gradient agree with difference quotients. */
const DIRECTIONS = 4;
/** Points that are tried for them: next to a kink, the quotients of two steps differ and say nothing. */
const ATTEMPTS = 24;

/** Where ONNX Runtime's own result is not the recorded one (its operators agree with later versions of these tests). */
const RECORDED_OTHERWISE: ReadonlySet<string> = new Set([
  'test_maxunpool_export_with_output_shape',
  'test_resize_downsample_scales_cubic_align_corners',
  'test_resize_downsample_scales_linear_align_corners',
]);

/** The model in float64, so that difference quotients are exact to eight digits. */
function inDouble({ graph, ...model }: Model): Uint8Array {
  const wide = (value: Tensor): Tensor =>
    value.type === 'float32' ? tensor('float64', value.shape, value.data) : value;
  const attribute = (operator: string, name: string, value: Attribute): [string, Attribute] => {
    if (value.kind === 'tensor') return [name, { kind: 'tensor', value: wide(value.value) }];
    if (operator === 'Cast' && name === 'to' && value.kind === 'int' && value.value === 1) {
      return [name, { kind: 'int', value: 11 }];
    }
    if (operator === 'Constant' && value.kind === 'float') {
      return ['value', { kind: 'tensor', value: scalar('float64', value.value) }];
    }
    return [name, value];
  };
  const declared = (list: Graph['inputs']): Graph['inputs'] =>
    list.map((value) => (value.type === 'float32' ? { ...value, type: 'float64' as const } : value));
  return writeModel({
    ...model,
    graph: {
      ...graph,
      nodes: graph.nodes.map((node) => ({
        ...node,
        attributes: new Map(
          [...node.attributes].map(([name, value]) => attribute(node.operator, name, value)),
        ),
      })),
      inputs: declared(graph.inputs),
      outputs: declared(graph.outputs),
      constants: new Map([...graph.constants].map(([name, value]) => [name, wide(value)])),
    },
  });
}

function runtimeTensor({ type, shape, data }: Tensor): RuntimeTensor {
  return type === 'int64'
    ? new RuntimeTensor('int64', BigInt64Array.from(data, BigInt), shape)
    : new RuntimeTensor(type, data as Float32Array, shape);
}

/** The model's outputs as ONNX Runtime computes them, the differentiated inputs taken from a row of numbers. */
type Forward = (image: readonly number[]) => Promise<number[][]>;

function forward(session: InferenceSession, { test, inputs }: Path, isDouble: boolean): Forward {
  const { graph } = test.model;
  return async (image) => {
    let from = 0;
    const feeds: Record<string, RuntimeTensor> = {};
    test.inputs.forEach(({ type, shape, data }, place) => {
      const varied = inputs.includes(place) ? image.slice(from, from + data.length) : data;
      if (inputs.includes(place)) from += data.length;
      const own = isDouble && type === 'float32' ? 'float64' : type;
      feeds[graph.inputs[place]?.name ?? ''] = runtimeTensor(tensor(own, shape, varied));
    });
    const results = await session.run(feeds);
    return graph.outputs.map(({ name }) => Array.from(results[name]?.data as ArrayLike<number>, Number));
  };
}

/** Sessions of one test, closed at its end; undefined where ONNX Runtime does not run the model. */
class Sessions implements AsyncDisposable {
  readonly #opened: InferenceSession[] = [];

  async open(bytes: Uint8Array): Promise<InferenceSession> {
    const session = await openSession(bytes);
    this.#opened.push(session);
    return session;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#opened.map((session) => session.release()));
  }
}

/** A sum that leaves out what has no weight, so that it may be no number. */
function weightedSum(values: ArrayLike<number>, weights: readonly number[]): number {
  return weights.reduce(
    (sum, weight, index) => (weight === 0 ? sum : sum + weight * (values[index] ?? NaN)),
    0,
  );
}

/** Moved a little, in turn anywhere, towards 0 and away from it: off kinks and ties, and within what a function takes. */
function moved(value: number, attempt: number, random: () => number): number {
  const distance = 0.01 + 0.02 * random();
  const sign = attempt % 3 === 0 || Math.abs(value) < 0.05 ? Math.sign(random() - 0.5) : Math.sign(value);
  return value + (attempt % 3 === 1 ? -1 : 1) * sign * distance;
}

function recordedImage({ test, inputs }: Path): number[] {
  return inputs.flatMap((place) => Array.from(test.inputs[place]?.data ?? []));
}

/** The forward result is ONNX Runtime's own to the last digits, and the recorded one within its tolerance. */
function expectSameResult(
  test: NodeTest,
  outputs: readonly number[],
  own: readonly number[][],
  made: ArrayLike<number>,
) {
  const expected = outputs.flatMap((place) => own[place] ?? []);
  const greatest = Math.max(...expected.filter(Number.isFinite).map(Math.abs), 1e-3);
  expect(made).toHaveLength(expected.length);
  expected.forEach((value, index) => {
    const other = made[index] ?? 0;
    if (Object.is(other, value) || other === value) return;
    expect(Math.abs(other - value), `output ${index}: ${other} for ${value}`).toBeLessThan(2e-6 * greatest);
  });
  if (RECORDED_OTHERWISE.has(test.name)) return;
  for (const place of outputs) {
    test.outputs[place]?.data.forEach((value, index) => {
      const other = own[place]?.[index] ?? 0;
      if (Object.is(other, value) || other === value) return;
      expect(Math.abs(other - value), `recorded: ${value}`).toBeLessThan(1e-3 * Math.abs(value) + 1e-5);
    });
  }
}

/** @returns false where ONNX Runtime does not run the original model */
async function checkGradient(way: Path): Promise<boolean> {
  const { test, outputs } = way;
  await using sessions = new Sessions();
  const original = await sessions.open(test.bytes).catch(() => undefined);
  if (original === undefined) return false;
  const plain = forward(original, way, false);
  const model = differentiate(asClassifier(way), IMAGE, RESULT);
  const session = await sessions.open(model.bytes);
  const type = imageType(way);
  const random = seededRandom(test.name);

  const recorded = recordedImage(way);
  const own = await plain(recorded);
  // What is no number at the recorded values takes no part.
  const weights = outputs.flatMap((place) =>
    (own[place] ?? []).map((value) => (Number.isFinite(value) ? 2 * random() - 1 : 0)),
  );
  const there = await evaluateGradient(session, model, type, [recorded], [weights]);
  expectSameResult(test, outputs, own, there.output);
  const lost = there.gradient.map(Number);
  if (!weights.includes(0)) expect(Array.from(lost).some(Number.isNaN)).toBe(false);

  const narrow = test.model.graph.nodes.some(({ operator }) => computedInFloat32.has(operator));
  const double = narrow ? undefined : await sessions.open(inDouble(test.model)).catch(() => undefined);
  const exact = double !== undefined || (type === 'float64' && !narrow);
  const measured = double === undefined ? plain : forward(double, way, true);
  const step = exact ? 1e-6 : 4e-3;
  let agreed = 0;
  let complaint = '';
  for (let attempt = 0; attempt < ATTEMPTS && agreed < DIRECTIONS; attempt++) {
    const point = recorded.map((value) => Math.fround(moved(value, attempt, random)));
    const direction = point.map((_, index) => (Number.isNaN(lost[index]) ? 0 : 2 * random() - 1));
    const along = async (distance: number): Promise<number> => {
      const results = await measured(point.map((value, index) => value + distance * (direction[index] ?? 0)));
      return weightedSum(
        outputs.flatMap((place) => results[place] ?? []),
        weights,
      );
    };
    const quotient = async (h: number): Promise<number> => ((await along(h)) - (await along(-h))) / (2 * h);
    const [coarse, fine] = [await quotient(2 * step), await quotient(step)];
    const { gradient, output } = await evaluateGradient(session, model, type, [point], [weights]);
    const slope = weightedSum(gradient, direction);
    const magnitude = Math.hypot(
      ...direction.map((share, index) => (share === 0 ? 0 : share * (gradient[index] ?? NaN))),
    );
    const greatest = Math.max(...output.filter(Number.isFinite).map(Math.abs), 1);
    const noise = (exact ? 1e-15 : 2e-7) * (greatest / step);
    const tolerance = (exact ? 1e-4 : 1e-2) * Math.max(magnitude, 1e-3) + noise;
    if (!(Math.abs(coarse - fine) <= tolerance)) {
      complaint = `quotients ${coarse} and ${fine} at steps of ${2 * step} and ${step}, slope ${slope}`;
      continue;
    }
    agreed += 1;
    expect(Math.abs(fine - slope), `slope ${slope}, quotient ${fine}`).toBeLessThan(tolerance);
  }
  expect(agreed, complaint).toBe(DIRECTIONS);
  return true;
}

/** Where the gradient is zero, small steps change nothing. @returns false where ONNX Runtime does not run the model */
async function checkConstancy(way: Path): Promise<boolean> {
  await using sessions = new Sessions();
  const original = await sessions.open(way.test.bytes).catch(() => undefined);
  if (original === undefined) return false;
  const run = forward(original, way, false);
  const random = seededRandom(way.test.name);
  const point = recordedImage(way).map((value) => moved(value, 0, random));
  const before = await run(point);
  expect(await run(point.map((value) => value + 1e-5 * (2 * random() - 1)))).toEqual(before);
  return true;
}

type Outcome = 'passed' | 'zero-gradient' | 'refused' | 'not applicable' | 'failed';
const names = nodeTestNames();
const outcomes = new Map<string, { outcome: Outcome; why: string }>();

async function settle(name: string): Promise<{ outcome: Outcome; why: string }> {
  const examined = examine(name);
  if ('why' in examined) return { outcome: examined.kind, why: examined.why };
  const isZero = examined.kind === 'zero-gradient';
  const runs = await (isZero ? checkConstancy(examined.path) : checkGradient(examined.path));
  if (!runs) return { outcome: 'not applicable', why: 'ONNX Runtime has no kernel for it' };
  return { outcome: isZero ? 'zero-gradient' : 'passed', why: '' };
}

describe.skipIf(names === null)('node tests of ONNX', () => {
  it.each(names ?? [])('%s', async (name) => {
    outcomes.set(name, { outcome: 'failed', why: '' });
    outcomes.set(name, await settle(name));
  });

  it('as many pass as have done', () => {
    const count = (wanted: Outcome): number =>
      [...outcomes.values()].filter(({ outcome }) => outcome === wanted).length;
    expect(count('failed')).toBe(0);
    expect(count('passed')).toBeGreaterThanOrEqual(506);
  });

  afterAll(() => {
    const lines = Map.groupBy(outcomes.values(), ({ outcome, why }) =>
      why === '' ? outcome : `${outcome}: ${why}`,
    );
    const table = [...lines].map(([line, { length }]) => `${String(length).padStart(4)} ${line}`);
    console.log(table.sort((a, b) => a.slice(5).localeCompare(b.slice(5))).join('\n'));
  });
});
