/** Every baseline of the literature: what an image is compared with, in the model's input units. One table; nothing else lists them. */
import * as v from 'valibot';
import { channelScale } from '../imaging/model-input.ts';
import { type BaselineInput, blurSigma, makeBaseline } from './baselines.ts';
import { blurImage } from './blur-path.ts';
import { gradCounterfactual } from './ig2.ts';
import type { Run } from './inquiry.ts';
import { ascendEntropy, type EntropyModel } from './maximum-entropy.ts';
import { normalNumbers } from '../metrics/random.ts';
import { drawSource, mean } from './noise.ts';
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
import { checkPoint } from './path.ts';
import type { RepresentationModel } from './representation.ts';

export const BASELINE_IDS = [
  'black',
  'white',
  'grey',
  'dataset-mean',
  'blurred',
  'uniform',
  'gaussian',
  'maximum-distance',
  'maximum-entropy',
  'counterfactual',
  'cohort-mean',
  'cohort-sample',
  'image',
] as const;

export type BaselineId = (typeof BASELINE_IDS)[number];

export interface BaselineRequest {
  /** [channels, height, width] the image, in the model's input units. */
  x: Float32Array;
  input: BaselineInput;
  /** [elements] each: images of a cohort; for a counterfactual, images of another kind. */
  references?: readonly Float32Array[];
  /** [elements] an image of the user's own. */
  image?: Float32Array;
  entropy?: EntropyModel;
  representation?: RepresentationModel;
}

export interface Baseline {
  /** [elements] */
  image: Float32Array;
  /** What was found while it was made: the entropy reached, say. */
  findings: Readonly<Record<string, number>>;
}

/** A baseline, or how far the making of one has come. */
export type BaselineEvent =
  | { type: 'progress'; evaluations: number; maxEvaluations: number }
  | { type: 'baseline'; baseline: Baseline };

type BaselineStream = AsyncGenerator<BaselineEvent, void, undefined>;

/** What a kind makes, at once or by asking the model. */
type Making = Iterable<BaselineEvent> | BaselineStream;

export interface BaselineKind {
  readonly name: string;
  /** What an image is compared with, within a sentence. */
  readonly phrase: string;
  /** The heading under which it is listed. */
  readonly family: string;
  /** One sentence: what it stands for, and what to mind. */
  readonly meaning: string;
  /** Gives several, whose maps are averaged and the spread of them stated. */
  readonly several: boolean;
  readonly needs: readonly Need[];
  readonly parameters: v.GenericSchema;
  /**
   * @param parameters as the schema says; what is left out takes its default
   * @throws PathlightError `bad-request`: parameters that do not fit, or something missing; `cancelled`
   */
  readonly make: (request: BaselineRequest, parameters: unknown, run: Run) => BaselineStream;
}

/** Checks what is needed and the parameters, then makes. */
function kind<Schema extends v.GenericSchema, Needs extends Need & keyof BaselineRequest = never>(
  definition: Omit<BaselineKind, 'make' | 'parameters' | 'needs' | 'several'> & {
    several?: boolean;
    needs?: readonly Needs[];
    parameters: Schema;
    make: (request: Given<BaselineRequest, Needs>, parameters: v.InferOutput<Schema>, run: Run) => Making;
  },
): BaselineKind {
  const { name, needs = [], parameters: schema, make } = definition;
  return {
    several: false,
    ...definition,
    needs,
    make: (request, parameters, run) => {
      const complete = given(request, needs, name);
      checkImages(request);
      return stream(make(complete, parseParameters(schema, parameters, name), run));
    },
  };
}

function checkImages({ x, input, references = [], image = x }: BaselineRequest): void {
  const model = { shape: [input.channels, input.height, input.width] };
  checkPoint(model, 'image', x);
  checkPoint(model, 'baseline', image);
  references.forEach((reference, k) => checkPoint(model, `reference ${k + 1}`, reference));
}

async function* stream(making: Making): BaselineStream {
  yield* making;
}

const none = v.strictObject({});
const count = v.optional(called('Count', integer(1, 64), 'Drawn, and their maps averaged.'), 10);

const single = (image: Float32Array, findings: Record<string, number> = {}): BaselineEvent => ({
  type: 'baseline',
  baseline: { image, findings },
});

/** `count` baselines of a seed. */
function* drawn(
  parameters: { seed: number; count: number },
  draw: (random: () => number, k: number) => Float32Array,
): Generator<BaselineEvent, void, undefined> {
  for (let k = 0; k < parameters.count; k++) yield single(draw(drawSource(parameters.seed, k), k));
}

/** What the display's black and white become, element by element, in the model's input units. */
export function inputRange({ channels, height, width, mean, std }: BaselineInput): {
  lowest: Float32Array;
  highest: Float32Array;
} {
  const plane = height * width;
  const ends = [0, 1].map((display) => {
    const values = new Float32Array(channels * plane);
    for (let channel = 0; channel < channels; channel++) {
      const scale = channelScale({ mean, std }, channel);
      values.fill((display - scale.mean) / scale.std, channel * plane, (channel + 1) * plane);
    }
    return values;
  });
  const [lowest = new Float32Array(), highest = new Float32Array()] = ends;
  return { lowest, highest };
}

const level = (name: 'black' | 'white' | 'grey') => ({
  parameters: none,
  make: ({ x, input }: BaselineRequest) => [single(makeBaseline(name, x, input))],
});

/** A picture, each of whose elements follows from what black and white are there. */
const inRange = (
  input: BaselineInput,
  value: (lowest: number, highest: number, i: number) => number,
): Float32Array => {
  const { lowest, highest } = inputRange(input);
  return lowest.map((low, i) => value(low, highest[i] ?? 0, i));
};

const clamp = (value: number, lowest: number, highest: number): number =>
  Math.min(Math.max(value, lowest), highest);

async function* maximumEntropy(
  { x, input, entropy: model }: Given<BaselineRequest, 'entropy'>,
  { steps, rate }: { steps: number; rate: number },
  run: Run,
): BaselineStream {
  const options = {
    steps,
    rate: inRange(input, (lowest, highest) => rate * (highest - lowest)),
    ...inputRange(input),
  };
  let end: { image: Float32Array; entropy: number } | null = null;
  for await (const state of ascendEntropy(model, x, options, run)) {
    end = state;
    yield { type: 'progress', evaluations: state.evaluations, maxEvaluations: steps };
  }
  if (end === null) return;
  yield single(end.image, { entropy: end.entropy, greatestEntropy: model.greatestEntropy });
}

async function* counterfactual(
  { x, input, references, representation }: Given<BaselineRequest, 'references' | 'representation'>,
  { steps, step }: { steps: number; step: number },
  run: Run,
): BaselineStream {
  const options = { steps, stepLength: stepLength(input, step), ...inputRange(input) };
  const maxEvaluations = steps * references.length;
  let evaluations = 0;
  for (const reference of references) {
    let end: ArrayLike<number> = x;
    for await (const z of gradCounterfactual(representation, x, reference, options, run)) {
      evaluations++;
      end = z;
      yield { type: 'progress', evaluations, maxEvaluations };
    }
    yield single(Float32Array.from(end));
  }
}

/** L2 length in the model's input units of `share` of the display's range in one element. */
export function stepLength(input: BaselineInput, share: number): number {
  const { lowest, highest } = inputRange(input);
  return share * mean(lowest.map((low, i) => (highest[i] ?? 0) - low));
}

export const baselineKinds = {
  black: kind({
    name: 'Black',
    phrase: 'the black baseline',
    family: 'One level',
    meaning: "The display's black: nothing there; what is dark in the image cannot count.",
    ...level('black'),
  }),
  white: kind({
    name: 'White',
    phrase: 'the white baseline',
    family: 'One level',
    meaning: "The display's white: what is bright in the image cannot count.",
    ...level('white'),
  }),
  grey: kind({
    name: 'Grey',
    phrase: 'the grey baseline',
    family: 'One level',
    meaning: "The display's middle grey: dark and bright both count.",
    ...level('grey'),
  }),
  'dataset-mean': kind({
    name: 'Mean of the training data',
    phrase: 'the mean of the training data',
    family: 'One level',
    meaning:
      'The mean that the card normalises by, zero to the model: what other tools call the zero baseline; as good as the card.',
    parameters: none,
    make: ({ x }) => [single(new Float32Array(x.length))],
  }),
  blurred: kind({
    name: 'Blurred',
    phrase: 'the blurred baseline',
    family: 'From the image',
    meaning: 'The image without its detail: asks for fine structure, not for brightness.',
    parameters: v.strictObject({
      sigma: v.optional(
        called('Blur', positive, 'Standard deviation, in input pixels; by default 10 at 224 pixels.', 'px'),
      ),
    }),
    make: ({ x, input }, { sigma = blurSigma(input) }) => {
      const shape = [input.channels, input.height, input.width];
      return [single(Float32Array.from(blurImage(x, shape, sigma, 'reflect')))];
    },
  }),
  uniform: kind({
    name: 'Uniform noise',
    phrase: 'uniform noise',
    family: 'Noise',
    meaning:
      "Noise over the display's whole range: no structure, but also no image that the model has learnt from.",
    several: true,
    parameters: v.strictObject({ seed, count }),
    make: ({ input }, parameters) =>
      drawn(parameters, (random) =>
        inRange(input, (lowest, highest) => lowest + random() * (highest - lowest)),
      ),
  }),
  gaussian: kind({
    name: 'Gaussian noise',
    phrase: 'the image under Gaussian noise',
    family: 'Noise',
    meaning: 'The image under noise, clipped to the range: asks for what noise drowns first.',
    several: true,
    parameters: v.strictObject({
      seed,
      count,
      deviation: v.optional(
        called(
          'Noise',
          positive,
          'Standard deviation, as a share of the display\u2019s range.',
          'of the range',
        ),
        0.25,
      ),
    }),
    make: ({ x, input }, { deviation, ...parameters }) =>
      drawn(parameters, (random) => {
        const noise = normalNumbers(x.length, random);
        return inRange(input, (lowest, highest, i) =>
          clamp((x[i] ?? 0) + deviation * (highest - lowest) * (noise[i] ?? 0), lowest, highest),
        );
      }),
  }),
  'maximum-distance': kind({
    name: 'Maximum distance',
    phrase: 'the baseline of maximum distance',
    family: 'From the image',
    meaning:
      'Of every pixel the farther end of the range: no pixel can be overlooked for being like the baseline.',
    parameters: none,
    make: ({ x, input }) => [
      single(
        inRange(input, (lowest, highest, i) =>
          highest - (x[i] ?? 0) > (x[i] ?? 0) - lowest ? highest : lowest,
        ),
      ),
    ],
  }),
  'maximum-entropy': kind({
    name: 'Maximum entropy',
    phrase: 'the baseline of maximum entropy',
    family: 'From the model',
    meaning:
      'A picture near the image of which the model says as little as it can; look at the entropy that was reached.',
    needs: ['entropy'],
    parameters: v.strictObject({
      steps: v.optional(called('Steps', integer(1, 10_000)), 100),
      rate: v.optional(
        called('Step', share, 'Of Adam, as a share of the display\u2019s range.', 'of the range'),
        0.01,
      ),
    }),
    make: maximumEntropy,
  }),
  counterfactual: kind({
    name: 'Counterfactual',
    phrase: 'the counterfactual baseline',
    family: 'From the model',
    meaning:
      "The image moved towards the model's representation of a reference of another kind (GradCF of IG2): what would have to change.",
    several: true,
    needs: ['references', 'representation'],
    parameters: v.strictObject(gradPathParameters),
    make: counterfactual,
  }),
  'cohort-mean': kind({
    name: 'Mean of a cohort',
    phrase: 'the mean of a cohort',
    family: 'Other images',
    meaning: 'The mean image of a folder: what sets this image apart from the usual one.',
    needs: ['references'],
    parameters: none,
    make: ({ x, references }) => {
      const sum = new Float64Array(x.length);
      for (const reference of references) {
        for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] ?? 0) + (reference[i] ?? 0);
      }
      return [single(Float32Array.from(sum, (value) => value / references.length))];
    },
  }),
  'cohort-sample': kind({
    name: 'Sample of a cohort',
    phrase: 'a sample of a cohort',
    family: 'Other images',
    meaning: 'Images of a folder, averaged over: what sets this image apart from each of them.',
    several: true,
    needs: ['references'],
    parameters: v.strictObject({ seed, count }),
    make: ({ x, references }, { count: wanted, seed: seeded }) => {
      // The first numbers of a seeded shuffle: without replacement, and the same whatever the count.
      const random = drawSource(seeded, 0);
      const order = references.map((_, k) => k);
      for (let k = 0; k < order.length - 1; k++) {
        const other = k + Math.floor(random() * (order.length - k));
        [order[k], order[other]] = [order[other] ?? 0, order[k] ?? 0];
      }
      return order.slice(0, wanted).map((k) => single(references[k] ?? x));
    },
  }),
  image: kind({
    name: 'An image of your own',
    phrase: 'an image of your own',
    family: 'Other images',
    meaning: 'Another image, an earlier one of the same patient for example: what has changed.',
    needs: ['image'],
    parameters: none,
    make: ({ image }) => [single(image)],
  }),
} satisfies Record<BaselineId, BaselineKind>;
