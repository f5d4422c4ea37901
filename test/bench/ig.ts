/**
 * npm run -s bench -- ig: how many gradients, and how long, an integral takes by each quadrature rule, on the shipped classifier and the
 * sample radiographs: to a completeness gap of 1 %, and until the map changes by at most 5 % between one count of nodes and the one before.
 * The map's true error is its relative L2 distance from 512 midpoints. Medians over the samples; gaps of differences below the floor
 * that the application uses are left out.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { makeBaseline } from '../../core/attribution/baselines.ts';
import { differenceFloor } from '../../core/attribution/convergence.ts';
import { lastFrame } from '../../core/attribution/inquiry.ts';
import { integrateFixed } from '../../core/attribution/integrate-fixed.ts';
import { integratedGradients } from '../../core/attribution/integrated-gradients.ts';
import { type QuadratureRule } from '../../core/attribution/quadrature.ts';
import { buildGradientModel } from '../../core/autodiff/index.ts';
import { displayValues } from '../../core/imaging/grayscale.ts';
import { modelInput } from '../../core/imaging/model-input.ts';
import { readFrame } from '../../main/dicom/read.ts';
import { usualBatch } from '../../main/engine/batch.ts';
import { differentiableModel } from '../../main/engine/gradient-model.ts';
import { describeDevice, openSession } from '../../main/engine/sessions.ts';
import { shippedCard, shippedModel } from '../support/engine-models.ts';
import { machine } from '../support/timing.ts';

const TARGET = 1;
const REFERENCE = 512;
const GAP = 0.01;
const CHANGE = 0.05;
const baselines = ['black', 'blurred'] as const;
const rules: readonly { rule: QuadratureRule; counts: readonly number[] }[] = [
  { rule: 'gauss-legendre', counts: [8, 16, 32, 50] },
  { rule: 'midpoint', counts: [8, 16, 32, 64] },
  { rule: 'trapezoid', counts: [8, 16, 32, 64] },
  { rule: 'left', counts: [8, 16, 32, 64] },
  { rule: 'right', counts: [8, 16, 32, 64] },
];
const NESTED = 65;

interface Step {
  evaluations: number;
  seconds: number;
  /** null: the difference of scores is below the floor. */
  gap: number | null;
  /** null: there is no count before. */
  change: number | null;
  error: number;
}

const examples = path.resolve(import.meta.dirname, '../../examples');
const samples = readdirSync(examples)
  .filter((name) => name.endsWith('.dcm'))
  .slice(0, Number(process.argv[2] ?? 3));
const model = shippedModel('pneumonia');
const { input } = shippedCard('pneumonia');
const graph = buildGradientModel(readFileSync(model.file), {
  input: model.input.name,
  output: model.output.name,
  objective: 'logit',
  activation: model.output.activation,
  path: true,
});
const session = await openSession(graph.bytes, model.id);
const differentiable = differentiableModel(session, graph, TARGET);
const batchSize = usualBatch(graph);
const device = await describeDevice('cpu');

function distance(map: Float32Array, reference: Float32Array): number {
  const square = (sum: number, value: number): number => sum + value * value;
  const difference = map.map((value, i) => value - (reference[i] ?? 0));
  return Math.sqrt(difference.reduce(square, 0) / reference.reduce(square, 0));
}

async function stepsOf(
  rule: { rule: QuadratureRule; counts: readonly number[] },
  x: Float32Array,
  baseline: Float32Array,
  reference: Float32Array,
  difference: number,
): Promise<Step[]> {
  const steps: Step[] = [];
  let before: Float32Array | undefined;
  for (const count of rule.counts) {
    const start = performance.now();
    const { map, sum } = await lastFrame(
      integrateFixed(differentiable, x, baseline, rule.rule, count, { batchSize, measureSum: false }),
    );
    const seconds = (performance.now() - start) / 1000;
    steps.push({
      evaluations: count,
      seconds,
      gap: gapOf(sum, difference),
      change: before === undefined ? null : distance(before, map),
      error: distance(map, reference),
    });
    before = map;
  }
  return steps;
}

function gapOf(sum: number, difference: number): number | null {
  if (Math.abs(difference) < differenceFloor('logit')) return null;
  return Math.abs(sum - difference) / Math.abs(difference);
}

/** Every complete level; each holds the nodes of those before it. */
async function nestedSteps(
  x: Float32Array,
  baseline: Float32Array,
  reference: Float32Array,
): Promise<{ steps: Step[]; difference: number }> {
  const steps: Step[] = [];
  let difference = 0;
  const options = { gapTolerance: 0, mapTolerance: 0, differenceFloor: differenceFloor('logit') };
  const frames = integratedGradients(differentiable, x, baseline, {
    ...options,
    maxEvaluations: NESTED,
    batchSize,
  });
  for await (const { map, evaluations, nodes, gapRelative, mapChange, seconds, fx, fb } of frames) {
    if (evaluations < nodes || evaluations < 5) continue;
    difference = (fx ?? 0) - (fb ?? 0);
    steps.push({
      evaluations,
      seconds,
      gap: gapRelative,
      change: mapChange,
      error: distance(map, reference),
    });
  }
  return { steps, difference };
}

function median(values: readonly number[]): number | null {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? null;
}

interface Case {
  rule: string;
  /** Other rules begin anew with every count, so that what came before is lost. */
  nested: boolean;
  baseline: string;
  steps: Step[];
}

/** The first step that satisfies; its evaluations are null where none does. */
function cost(
  { steps, nested }: Case,
  satisfies: (step: Step) => boolean,
  both: boolean,
): { evaluations: number | null; seconds: number | null } {
  const at = steps.findIndex(satisfies);
  const step = steps[at];
  if (step === undefined) return { evaluations: null, seconds: null };
  // A change needs the count before, too.
  const before = both && !nested ? steps[at - 1] : undefined;
  return {
    evaluations: step.evaluations + (before?.evaluations ?? 0),
    seconds: step.seconds + (before?.seconds ?? 0),
  };
}

function summaryOf(cases: readonly Case[]): object {
  const [first] = cases;
  const medianOf = (pick: (own: Case) => number | null): number | null =>
    median(cases.map(pick).filter((value) => value !== null));
  const toGap = (own: Case): ReturnType<typeof cost> =>
    cost(own, ({ gap }) => gap !== null && gap <= GAP, false);
  const toChange = (own: Case): ReturnType<typeof cost> =>
    cost(own, ({ change }) => change !== null && change <= CHANGE, true);
  return {
    evaluationsToGap: medianOf((own) => toGap(own).evaluations),
    secondsToGap: medianOf((own) => toGap(own).seconds),
    reachedGap: cases.filter((own) => toGap(own).evaluations !== null).length,
    evaluationsToChange: medianOf((own) => toChange(own).evaluations),
    secondsToChange: medianOf((own) => toChange(own).seconds),
    reachedChange: cases.filter((own) => toChange(own).evaluations !== null).length,
    cases: cases.length,
    counts: first?.steps.map(({ evaluations }, at) => ({
      evaluations,
      gap: medianOf(({ steps }) => steps[at]?.gap ?? null),
      mapChange: medianOf(({ steps }) => steps[at]?.change ?? null),
      mapError: medianOf(({ steps }) => steps[at]?.error ?? null),
      seconds: medianOf(({ steps }) => steps[at]?.seconds ?? null),
    })),
  };
}

const cases: Case[] = [];
for (const sample of samples) {
  const { frame, grayscale } = await readFrame(path.join(examples, sample), 0);
  const x = modelInput(displayValues(frame, grayscale), frame.rows, frame.columns, input);
  for (const name of baselines) {
    const baseline = makeBaseline(name, x, input);
    const { map: reference } = await lastFrame(
      integrateFixed(differentiable, x, baseline, 'midpoint', REFERENCE, { batchSize, measureSum: false }),
    );
    const nested = await nestedSteps(x, baseline, reference);
    cases.push({ rule: 'nested-trapezoid', nested: true, baseline: name, steps: nested.steps });
    for (const rule of rules) {
      const steps = await stepsOf(rule, x, baseline, reference, nested.difference);
      cases.push({ rule: rule.rule, nested: false, baseline: name, steps });
    }
  }
}
await session.release();
const byRule = (baseline: string): object[] =>
  ['nested-trapezoid', ...rules.map(({ rule }) => rule)].map((rule) => ({
    rule,
    ...summaryOf(cases.filter((own) => own.rule === rule && own.baseline === baseline)),
  }));
console.log(
  JSON.stringify(
    {
      bench: 'ig',
      machine: machine(),
      models: [
        {
          id: model.id,
          samples: samples.length,
          batch: batchSize,
          provider: device.provider,
          threads: device.threads,
          baselines: baselines.map((name) => ({ baseline: name, rules: byRule(name) })),
        },
      ],
    },
    null,
    1,
  ),
);
