/** Every method of attribution, by one table: the command line, the window and the report read it; nothing else lists them. */
import * as v from 'valibot';
import { alongPath, type Path, pathAlong, type PathRule, straightPath } from './along-path.ts';
import { type AveragedFrame, averageRuns, type Statistic } from './average.ts';
import { inputRange, stepLength } from './baseline-kinds.ts';
import type { BaselineInput } from './baselines.ts';
import { blurByDerivative, blurPath } from './blur-path.ts';
import { expectedGradients, referenceDraws } from './expected-gradients.ts';
import { gradientAtImage } from './gradient.ts';
import { guidedPath } from './guided-path.ts';
import { ig2 } from './ig2.ts';
import { type AttributionStream, Inquiry, type Run, type ScoringModel } from './inquiry.ts';
import { integrateAdaptively, pilotNodes } from './integrate-adaptive.ts';
import { integrateFixed } from './integrate-fixed.ts';
import { integratedGradients } from './integrated-gradients.ts';
import { addNoise, normalNoise, rangeOf } from './noise.ts';
import {
  called,
  type Given,
  given,
  gradPathParameters,
  integer,
  type Need,
  parseParameters,
  positive,
  seed,
  share,
} from './parameters.ts';
import { checkEnds, checkPoint } from './path.ts';
import { type QuadratureRule, quadratureRules } from './quadrature.ts';
import { leastNewPixels, mapByRegions } from './regions.ts';
import type { RepresentationModel } from './representation.ts';
import { overlappingRegions } from './segments.ts';
import { adaptiveSmoothTaylor, smoothTaylor, totalVariation } from './smooth-taylor.ts';

export const METHOD_IDS = [
  'integrated-gradients',
  'integrated-gradients-fixed',
  'integrated-gradients-adaptive',
  'gradient',
  'gradient-x-input',
  'smoothgrad',
  'smoothgrad-squared',
  'vargrad',
  'expected-gradients',
  'blur-ig',
  'guided-ig',
  'ig2',
  'smooth-taylor',
  'idgi-ig',
  'idgi-blur-ig',
  'idgi-guided-ig',
  'xrai',
] as const;

export type MethodId = (typeof METHOD_IDS)[number];

/** What is explained, and what a method may need for it. */
export interface Task {
  model: ScoringModel;
  /** [channels, height, width] the image, in the model's input units. */
  x: Float32Array;
  input: BaselineInput;
  /** [elements] */
  baseline?: Float32Array;
  /** [elements] each */
  references?: readonly Float32Array[];
  representation?: RepresentationModel;
}

export interface Method {
  readonly name: string;
  /** The heading under which it is listed. */
  readonly family: string;
  /** One sentence: when it helps. */
  readonly helps: string;
  /** What the map's sum should equal. */
  readonly sum: string;
  /** What may bring the sum nearer to that, where it can miss it; a method put around another leaves that to the one beneath. */
  readonly nearer?: string;
  /** One sentence: what its map does not show. */
  readonly limits: string;
  /** What a pixel's value is: a share of the score, the score's slope, or what the method beneath gives, as it is or squared. */
  readonly unit: 'score' | 'slope' | 'beneath' | 'beneath squared';
  /** What a frame before the last holds: an estimate of the whole map, a part of its path, or the map of what it is made from. */
  readonly frames: 'estimate' | 'part of the path' | 'the map beneath';
  /** The method beneath is given noisy images instead of the image. */
  readonly noisy?: true;
  /** Besides what a method that it is put around needs. */
  readonly needs: readonly Need[];
  /** What the last map holds a value for: every element of the input, or every pixel. */
  readonly map: 'elements' | 'pixels';
  readonly parameters: v.GenericSchema;
  /**
   * @param parameters as the schema says; what is left out takes its default
   * @throws PathlightError `bad-request`: parameters that do not fit, or something missing; `unsupported`: a score or gradient that is not
   *   finite; `cancelled`
   */
  readonly explain: (task: Task, parameters: unknown, run: Run) => AttributionStream;
}

/** Checks what is needed and the parameters, then explains. */
function method<Schema extends v.GenericSchema, Needs extends Need & keyof Task = never>(
  definition: Omit<Method, 'explain' | 'parameters' | 'needs' | 'map' | 'unit'> & {
    needs?: readonly Needs[];
    map?: Method['map'];
    unit?: Method['unit'];
    parameters: Schema;
    explain: (task: Given<Task, Needs>, parameters: v.InferOutput<Schema>, run: Run) => AttributionStream;
  },
): Method {
  const { name, needs = [], parameters: schema, explain } = definition;
  return {
    map: 'elements',
    unit: 'score',
    ...definition,
    needs,
    explain: (task, parameters, run) =>
      explain(given(task, needs, name), parseParameters(schema, parameters, name), run),
  };
}

const none = v.strictObject({});
/** A share, 0 included. */
const shareOrNone = v.pipe(v.number(), v.minValue(0), v.maxValue(1));
const tolerance = v.pipe(v.number(), v.minValue(0));
const steps = (usual: number) => v.optional(called('Steps', integer(1, 4096)), usual);
const samples = (usual: number) => v.optional(called('Samples', integer(1, 4096)), usual);
/** Of the sum along a path. */
const rule = v.optional(called('Rule of the sum', v.picklist(['left', 'trapezoid'])), 'trapezoid');

const blurParameters = {
  steps: steps(100),
  largestSigma: v.optional(
    called('Largest blur', positive, 'Standard deviation, in input pixels.', 'px'),
    50,
  ),
  spacing: v.optional(called('Even steps of', v.picklist(['sigma', 'variance'])), 'sigma'),
  border: v.optional(called('Beyond the border', v.picklist(['reflect', 'zero'])), 'reflect'),
};
const guidedParameters = {
  steps: steps(200),
  fraction: v.optional(
    called('Share moved at a step', share, 'Of the pixels: those on which the model changes least.'),
    0.25,
  ),
  maxDistance: v.optional(
    called(
      'Furthest from the straight path',
      shareOrNone,
      'As a share of the path; 1 may roam freely.',
      'of the path',
    ),
    0.02,
  ),
};

const sumOfBaseline = 'f(image) - f(baseline)';

/** A map along a path: from the baseline to the image, or, where there is none, from the image away. */
function explainPath(
  { model, x, baseline }: Pick<Task, 'model' | 'x'> & { baseline?: Float32Array },
  rule: PathRule,
  run: Run,
  path: (inquiry: Inquiry) => Path,
): AttributionStream {
  if (baseline === undefined) checkPoint(model, 'image', x);
  else checkEnds(model, x, baseline);
  const inquiry = new Inquiry(model, run);
  return alongPath(path(inquiry), rule, baseline === undefined ? -1 : 1, inquiry);
}

const shapeOf = ({ channels, height, width }: BaselineInput): [number, number, number] => [
  channels,
  height,
  width,
];

/** The method that another is put around, with its parameters. */
const around = (usual: MethodId) =>
  v.optional(
    called(
      'Of the method',
      v.strictObject({ method: v.picklist(METHOD_IDS), parameters: v.optional(v.looseObject({}), {}) }),
    ),
    { method: usual, parameters: {} },
  );

const noiseParameters = v.strictObject({
  around: around('gradient'),
  samples: samples(25),
  deviation: v.optional(
    called('Noise', share, 'Standard deviation, as a share of the image\u2019s range.', 'of the range'),
    0.15,
  ),
  seed,
});

/** SmoothGrad and its kin: the baseline is not made noisy. */
async function* overNoise(
  statistic: Statistic,
  task: Task,
  {
    around: { method: id, parameters },
    samples,
    deviation,
    seed: seeded,
  }: v.InferOutput<typeof noiseParameters>,
  run: Run,
): AttributionStream {
  checkPoint(task.model, 'image', task.x);
  const noise = normalNoise(seeded, task.x.length, deviation * rangeOf(task.x));
  const inner: Run = { ...run, measureSum: statistic === 'mean' && run.measureSum !== false };
  yield* averageRuns(samples, statistic, (k) =>
    explain(id, { ...task, x: addNoise(task.x, noise(k)) }, parameters, inner),
  );
}

async function* nested(
  { model, x, baseline }: Given<Task, 'baseline'>,
  parameters: { gapTolerance: number; mapTolerance: number; differenceFloor: number; maxEvaluations: number },
  { batchSize, signal }: Run,
): AttributionStream {
  const frames = integratedGradients(model, x, baseline, { ...parameters, batchSize }, signal);
  for await (const { map, gap, fx, fb, evaluations, maxEvaluations, final, ...state } of frames) {
    const { gapRelative, gapBound, mapChange, converged, nodes, secondsLeft } = state;
    const { differenceFloor } = parameters;
    const reached = { mapChange, converged, nodes, secondsLeft };
    const integral = { fx, fb, gapRelative, gapBound, differenceFloor, ...reached };
    const expectedSum = fx === null || fb === null ? null : fx - fb;
    const sum =
      gap === null || expectedSum === null
        ? map.reduce((total, value) => total + value, 0)
        : expectedSum + gap;
    yield { map, sum, expectedSum, gap, evaluations, maxEvaluations, final, integral };
  }
}

async function* byRegions(
  task: Task,
  {
    around: { method: id, parameters },
    mode,
  }: { around: v.InferOutput<ReturnType<typeof around>>; mode: 'full' | 'fast' },
  run: Run,
): AttributionStream {
  const [channels, height, width] = shapeOf(task.input);
  for await (const frame of explain(id, task, parameters, run)) {
    if (!frame.final) {
      yield frame;
      continue;
    }
    const plane = height * width;
    // As published: of the channels of a pixel the largest.
    const map = frame.map.slice(0, plane);
    frame.map.forEach((value, i) => (map[i % plane] = Math.max(map[i % plane] ?? value, value)));
    const regions = overlappingRegions(task.x, channels, height, width);
    const { heat } = mapByRegions(map, regions, mode, leastNewPixels(height, width));
    const expectedSum = channels === 1 ? frame.expectedSum : null;
    const sum = heat.reduce((total, value) => total + value, 0);
    const { integral } = frame;
    yield {
      ...frame,
      ...(integral === undefined || expectedSum !== null
        ? {}
        : { integral: { ...integral, gapRelative: null, gapBound: null } }),
      map: heat,
      sum,
      expectedSum,
      gap: expectedSum === null ? null : sum - expectedSum,
      findings: { ...frame.findings, regions: regions.length },
    };
  }
}

export const methods = {
  'integrated-gradients': method({
    name: 'Integrated Gradients',
    family: 'Integrated Gradients',
    helps:
      'The usual choice: exact in what it promises, shown within seconds, and stops by itself when map and sum have settled.',
    sum: sumOfBaseline,
    limits:
      'Shows what moved the score away from that of the baseline; another baseline asks another question and gets another map.',
    frames: 'estimate',
    needs: ['baseline'],
    parameters: v.strictObject({
      gapTolerance: v.optional(
        called(
          'Gap tolerance',
          tolerance,
          'As a share of the difference of the two scores.',
          'of the difference',
        ),
        0.01,
      ),
      mapTolerance: v.optional(
        called('Map tolerance', tolerance, 'Change between the last two levels, relative L2.', 'of the map'),
        0.05,
      ),
      differenceFloor: v.optional(
        called(
          'Least difference',
          positive,
          'Of the two scores: where they differ by less, the gap is held against this; by default 1 of a logit, 0.1 of a probability.',
        ),
        1,
      ),
      maxEvaluations: v.optional(called('Most gradients', integer(5, 8193)), 513),
    }),
    explain: nested,
  }),
  'integrated-gradients-fixed': method({
    name: 'Integrated Gradients, fixed rule',
    family: 'Integrated Gradients',
    helps: 'To repeat what another tool computed with a stated rule and number of steps.',
    sum: sumOfBaseline,
    nearer: 'more nodes',
    limits:
      'A sum that fits does not make the map right: with few nodes the errors of pixels cancel each other.',
    frames: 'estimate',
    needs: ['baseline'],
    parameters: v.strictObject({
      rule: v.optional(
        called('Rule of the sum', v.picklist(Object.keys(quadratureRules) as QuadratureRule[])),
        'gauss-legendre',
      ),
      nodes: v.optional(called('Nodes', integer(2, 4096)), 50),
    }),
    explain: ({ model, x, baseline }, parameters, run) =>
      integrateFixed(model, x, baseline, parameters.rule, parameters.nodes, run),
  }),
  'integrated-gradients-adaptive': method({
    name: 'Integrated Gradients, adaptive',
    family: 'Integrated Gradients',
    helps: 'Where most of the change happens on a small part of the path, at a fixed number of gradients.',
    sum: sumOfBaseline,
    nearer: 'more nodes',
    limits:
      'A sum that fits does not make the map right, and nothing says how far the map still is from its limit.',
    frames: 'estimate',
    needs: ['baseline'],
    parameters: v.strictObject({ nodes: v.optional(called('Nodes', integer(pilotNodes, 4096)), 33) }),
    explain: ({ model, x, baseline }, { nodes }, run) => integrateAdaptively(model, x, baseline, nodes, run),
  }),
  gradient: method({
    name: 'Gradient',
    family: 'One gradient',
    helps: 'What the score answers to right now, by one evaluation; it does not say what made the score.',
    sum: 'nothing: a slope is not a share of the score',
    limits:
      'Shows what the score would answer to, not what made it: where a score is saturated, its evidence has no slope.',
    unit: 'slope',
    frames: 'estimate',
    parameters: none,
    explain: ({ model, x }, _, run) => gradientAtImage(model, x, false, run),
  }),
  'gradient-x-input': method({
    name: 'Gradient x input',
    family: 'One gradient',
    helps: 'A reference by one evaluation; what a value of zero means to the model decides what can show.',
    sum: 'f(image) of a model without biases; of others nothing',
    limits: 'What has the value that is zero to the model cannot show, whatever it means to it.',
    frames: 'estimate',
    parameters: none,
    explain: ({ model, x }, _, run) => gradientAtImage(model, x, true, run),
  }),
  smoothgrad: method({
    name: 'SmoothGrad',
    family: 'Around another method',
    helps: 'Averages a method over noise, where single maps are too grainy to read.',
    sum: 'the mean of what the maps beneath should sum to',
    limits: 'Less grain is not more truth: the average hides where the maps disagree.',
    unit: 'beneath',
    frames: 'estimate',
    noisy: true,
    parameters: noiseParameters,
    explain: (task, parameters, run) => overNoise('mean', task, parameters, run),
  }),
  'smoothgrad-squared': method({
    name: 'SmoothGrad-squared',
    family: 'Around another method',
    helps: 'Finds where a method answers strongly under noise, whatever the sign.',
    sum: 'nothing: squares have no sign',
    limits: 'Does not tell for from against; what is large need not speak for the finding.',
    unit: 'beneath squared',
    frames: 'estimate',
    noisy: true,
    parameters: noiseParameters,
    explain: (task, parameters, run) => overNoise('mean-square', task, parameters, run),
  }),
  vargrad: method({
    name: 'VarGrad',
    family: 'Around another method',
    helps: 'Shows where a method is unsteady under noise, and so where not to trust one map.',
    sum: 'nothing: a variance is no share of the score',
    limits: 'Shows unsteadiness, not evidence.',
    unit: 'beneath squared',
    frames: 'estimate',
    noisy: true,
    parameters: noiseParameters,
    explain: (task, parameters, run) => overNoise('variance', task, parameters, run),
  }),
  'expected-gradients': method({
    name: 'Expected gradients',
    family: 'Compared with a cohort',
    helps: 'With a cohort to compare with, so that no single baseline decides.',
    sum: 'the mean of f(image) - f(reference), nearer with more samples',
    nearer: 'more samples',
    limits:
      'Depends on the cohort: other references give another map, and few samples one that only comes near.',
    frames: 'estimate',
    needs: ['references'],
    parameters: v.strictObject({
      samples: samples(50),
      deviation: v.optional(
        called(
          'Noise on the image',
          shareOrNone,
          'Standard deviation, as a share of its range.',
          'of the range',
        ),
        0,
      ),
      seed,
    }),
    explain: ({ model, x, references }, { samples, deviation, seed: seeded }, run) => {
      const noise = deviation === 0 ? null : normalNoise(~seeded, x.length, deviation * rangeOf(x));
      return expectedGradients(
        model,
        x,
        references,
        samples,
        referenceDraws(seeded, references.length),
        noise,
        run,
      );
    },
  }),
  'blur-ig': method({
    name: 'Blur IG',
    family: 'Other ways to the image',
    helps: 'Asks at which fineness of detail the evidence appears, without a baseline of another brightness.',
    sum: 'f(image) - f(image blurred most)',
    nearer: 'more steps',
    limits: 'What blurring leaves as it is, brightness over large areas above all, cannot show.',
    frames: 'part of the path',
    parameters: v.strictObject({
      ...blurParameters,
      rule: v.optional(
        called('Rule of the sum', v.picklist(['left', 'trapezoid', 'derivative'])),
        'trapezoid',
      ),
    }),
    explain: (task, { rule, ...options }, run) => {
      const { model, x, input } = task;
      if (rule === 'derivative') return blurByDerivative(model, x, shapeOf(input), options, run);
      return explainPath({ model, x }, rule, run, (inquiry) =>
        pathAlong(inquiry, blurPath(x, shapeOf(input), options), rule),
      );
    },
  }),
  'guided-ig': method({
    name: 'Guided IG',
    family: 'Other ways to the image',
    helps:
      'Goes round where the model changes fast, so that less noise gathers; its sum falls short the more freely it may roam.',
    sum: sumOfBaseline,
    nearer: 'a path nearer to the straight one (a smaller maxDistance) or more steps',
    limits:
      'The path follows the model that it explains: a quiet map may come from the path, not from the evidence.',
    frames: 'part of the path',
    needs: ['baseline'],
    parameters: v.strictObject({ ...guidedParameters, rule }),
    explain: (task, { rule, ...options }, run) =>
      explainPath(task, rule, run, (inquiry) => guidedPath(inquiry, task.x, task.baseline, options, rule)),
  }),
  ig2: method({
    name: 'IG2',
    family: 'Compared with a cohort',
    helps:
      'With images of the other class at hand: follows the model from this image to what it would have to become.',
    sum: 'f(image) less the mean of f(counterfactual)',
    nearer: 'shorter steps, and more of them,',
    limits: 'Shows a way towards the references in the model\u2019s eyes, not that such an image can exist.',
    frames: 'estimate',
    needs: ['references', 'representation'],
    parameters: v.strictObject({ ...gradPathParameters, rule }),
    explain: ({ model, representation, x, input, references }, { steps, step, rule }, run) => {
      const options = { steps, stepLength: stepLength(input, step), ...inputRange(input) };
      return ig2(model, representation, x, references, options, rule, run);
    },
  }),
  'smooth-taylor': method({
    name: 'SmoothTaylor',
    family: 'Other ways to the image',
    helps:
      'Needs no baseline: explains the score against noisy versions of the image; the noise may be found for the smoothest map.',
    sum: 'f(image) less the mean score of the noisy images, to the first order',
    nearer: 'less noise (a smaller deviation)',
    limits:
      'Holds to the first order: what a score does further from the image than the noise reaches cannot show.',
    frames: 'estimate',
    parameters: v.strictObject({
      roots: v.optional(called('Noisy images', integer(1, 4096)), 150),
      deviation: v.optional(
        called(
          'Noise',
          v.union([positive, v.literal('adaptive')]),
          'Standard deviation, as a share of the image\u2019s range; adaptive looks for the smoothest map.',
          'of the range',
        ),
        0.1,
      ),
      seed,
    }),
    explain: ({ model, x, input }, { roots, deviation, seed: seeded }, run) => {
      const drawn = { count: roots, noise: normalNoise(seeded, x.length, 1) };
      if (deviation !== 'adaptive') return smoothTaylor(model, x, drawn, deviation * rangeOf(x), run);
      const roughness = (map: Float32Array): number => totalVariation(map, shapeOf(input));
      return adaptiveSmoothTaylor(model, x, drawn, rangeOf(x), roughness, run);
    },
  }),
  'idgi-ig': method({
    name: 'IDGI on Integrated Gradients',
    family: 'Every change shared out (IDGI)',
    helps:
      'Shares out every change of the score by the squared gradient: the sum is exact, but all pixels of a step get one sign.',
    sum: sumOfBaseline,
    limits: 'The sign is that of the step, not of the pixel; pixels that did not change get a share, too.',
    frames: 'part of the path',
    needs: ['baseline'],
    parameters: v.strictObject({ steps: steps(24) }),
    explain: (task, { steps }, run) =>
      explainPath(task, 'idgi', run, (inquiry) =>
        pathAlong(inquiry, straightPath(task.x, task.baseline, steps), 'idgi'),
      ),
  }),
  'idgi-blur-ig': method({
    name: 'IDGI on Blur IG',
    family: 'Every change shared out (IDGI)',
    helps: 'As IDGI, along ever finer detail.',
    sum: 'f(image) - f(image blurred most)',
    limits: 'The sign is that of the step, not of the pixel; pixels that did not change get a share, too.',
    frames: 'part of the path',
    parameters: v.strictObject(blurParameters),
    explain: ({ model, x, input }, options, run) =>
      explainPath({ model, x }, 'idgi', run, (inquiry) =>
        pathAlong(inquiry, blurPath(x, shapeOf(input), options), 'idgi'),
      ),
  }),
  'idgi-guided-ig': method({
    name: 'IDGI on Guided IG',
    family: 'Every change shared out (IDGI)',
    helps: 'As IDGI, along the path of Guided IG, whose own sum falls short.',
    sum: sumOfBaseline,
    limits: 'The sign is that of the step, not of the pixel; pixels that did not change get a share, too.',
    frames: 'part of the path',
    needs: ['baseline'],
    parameters: v.strictObject(guidedParameters),
    explain: (task, options, run) =>
      explainPath(task, 'idgi', run, (inquiry) =>
        guidedPath(inquiry, task.x, task.baseline, options, 'idgi'),
      ),
  }),
  xrai: method({
    name: 'XRAI',
    family: 'Around another method',
    helps:
      'Speaks of regions instead of pixels: which parts of the image hold the densest attribution of another method.',
    sum: 'what the map beneath sums to, of a grey image; of colours the largest channel counts',
    limits: 'Its regions are those of the image: their edges are not found by the model.',
    unit: 'beneath',
    frames: 'the map beneath',
    map: 'pixels',
    parameters: v.strictObject({
      around: around('integrated-gradients'),
      mode: v.optional(called('Order of the regions', v.picklist(['full', 'fast'])), 'full'),
    }),
    explain: byRegions,
  }),
} satisfies Record<MethodId, Method>;

/** Explains by a method. @throws PathlightError as `Method.explain` says */
export function explain(id: MethodId, task: Task, parameters: unknown, run: Run): AttributionStream {
  const chosen: Method = methods[id];
  return chosen.explain(task, parameters, run);
}

/** Explains from each of several baselines: the mean of the maps, and their spread. @param baselines [elements] each, at least one */
export function explainOverBaselines(
  id: MethodId,
  task: Task,
  parameters: unknown,
  baselines: readonly Float32Array[],
  run: Run,
): AsyncGenerator<AveragedFrame, void, undefined> {
  return averageRuns(baselines.length, 'mean', (k) => {
    const baseline = baselines[k];
    return explain(id, baseline === undefined ? task : { ...task, baseline }, parameters, run);
  });
}
