/**
 * Every method against the results of its published code (captum 0.8, PAIR saliency 0.2.1, the authors' IG2, IDGI and SmoothTaylor) on
 * one small net, from the very draws that they made. Where ours is computed otherwise, the test says how and why.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import * as v from 'valibot';
import { beforeAll, describe, expect, test } from 'vitest';
import { alongPath, pathAlong, straightPath } from '../../core/attribution/along-path.ts';
import { averageRuns } from '../../core/attribution/average.ts';
import { type BaselineKind, baselineKinds } from '../../core/attribution/baseline-kinds.ts';
import { blurByDerivative, blurPath } from '../../core/attribution/blur-path.ts';
import { expectedGradients } from '../../core/attribution/expected-gradients.ts';
import { gradientAtImage } from '../../core/attribution/gradient.ts';
import { guidedPath } from '../../core/attribution/guided-path.ts';
import { gradCounterfactual, ig2 } from '../../core/attribution/ig2.ts';
import { type AttributionStream, Inquiry, lastFrame } from '../../core/attribution/inquiry.ts';
import { integrateFixed } from '../../core/attribution/integrate-fixed.ts';
import type { DifferentiableModel } from '../../core/attribution/model.ts';
import { addNoise } from '../../core/attribution/noise.ts';
import { pointAt } from '../../core/attribution/path.ts';
import { mapByRegions } from '../../core/attribution/regions.ts';
import type { RepresentationModel } from '../../core/attribution/representation.ts';
import { overlappingRegions } from '../../core/attribution/segments.ts';
import { smoothTaylor } from '../../core/attribution/smooth-taylor.ts';
import { buildGradientModel, representationLayer } from '../../core/autodiff/index.ts';
import { resizeTriangle } from '../../core/imaging/resample.ts';
import { readModel } from '../../core/onnx/file.ts';
import { entropyModel } from '../../main/engine/entropy.ts';
import { differentiableModel } from '../../main/engine/gradient-model.ts';
import { representationModel } from '../../main/engine/representation.ts';
import { openSession } from '../../main/engine/sessions.ts';
import { readArray } from '../support/npy.ts';
import { sharedFolder } from '../support/shared.ts';

const golden = sharedFolder('golden/tiny_cnn');

const RecordSchema = v.object({
  'guided_ig_n50_f0.25_d0.02': v.number(),
  'guided_ig_n50_f0.5_d1.0': v.number(),
  'guided_ig_n30_f0.25_d0.1': v.number(),
  blur_ig_s8_n20: v.number(),
  ig2_sum: v.number(),
  idgi_ig25_logit: v.array(v.number()),
  idgi_ig25_softmax: v.array(v.number()),
  gradient_shap6: v.object({ baseline_index: v.array(v.number()), alpha: v.array(v.number()) }),
});

/** What float32 leaves of the sums over a net and a path. */
const float32 = 1e-6;

/** L2 distance from a stored array, as a share of its norm. */
function distance(map: ArrayLike<number>, stored: Float64Array): number {
  expect(map).toHaveLength(stored.length);
  const norm = (values: Float64Array): number =>
    Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  return norm(stored.map((value, i) => value - (map[i] ?? NaN))) / norm(stored);
}

describe.skipIf(golden === null)("the peers' own results", () => {
  const file = (name: string): string => path.join(golden ?? '', name);
  const stored = (name: string): Float64Array => readArray(file(`methods/${name}.npy`)).values;
  /** Sample k of a stored stack. */
  const draws =
    (name: string, elements: number) =>
    (k: number): Float64Array =>
      stored(name).subarray(k * elements, (k + 1) * elements);
  const run = { batchSize: 4 };

  let logit: DifferentiableModel;
  let softmax: DifferentiableModel;
  let representation: RepresentationModel;
  let x: Float32Array;
  let black: Float32Array;
  let blurred: Float32Array;
  let record: v.InferOutput<typeof RecordSchema>;

  beforeAll(async () => {
    const bytes = readFileSync(file('model.onnx'));
    const { inputs, outputs } = readModel(bytes).graph;
    const [input, output] = [inputs[0]?.name ?? '', outputs[0]?.name ?? ''];
    const target = 4;
    const open = async (objective: 'logit' | 'probability'): Promise<DifferentiableModel> => {
      const graph = buildGradientModel(bytes, { input, output, objective, activation: 'softmax' });
      return differentiableModel(await openSession(graph.bytes, objective), graph, target);
    };
    [logit, softmax] = [await open('logit'), await open('probability')];
    const graph = buildGradientModel(bytes, {
      input,
      output: representationLayer(bytes, output),
      objective: 'distance',
      activation: 'none',
    });
    representation = representationModel(await openSession(graph.bytes, 'representation'), graph);
    const image = (name: string): Float32Array => Float32Array.from(readArray(file(`${name}.npy`)).values);
    [x, black, blurred] = [image('input'), image('baseline_black'), image('baseline_blur')];
    record = v.parse(RecordSchema, JSON.parse(readFileSync(file('methods/methods.json'), 'utf8')));
  });

  const map = async (stream: AttributionStream): Promise<Float32Array> => (await lastFrame(stream)).map;

  test.each([
    // One unit flips its sign between the two computations.
    ['gauss-legendre', 'gausslegendre', 5e-5],
    ['left', 'riemann_left', float32],
    ['midpoint', 'riemann_middle', float32],
    ['right', 'riemann_right', float32],
  ] as const)('captum: Integrated Gradients by the %s rule', async (rule, name, bound) => {
    const ours = await map(integrateFixed(logit, x, black, rule, 20, run));
    expect(distance(ours, stored(`captum_ig20_${name}`))).toBeLessThan(bound);
  });

  test('captum: its trapezoid is ours times 19/20, because its weights sum to that and not to 1', async () => {
    const ours = await lastFrame(integrateFixed(logit, x, black, 'trapezoid', 20, run));
    const theirs = stored('captum_ig20_riemann_trapezoid');
    expect(
      distance(
        ours.map.map((value) => (19 / 20) * value),
        theirs,
      ),
    ).toBeLessThan(float32);
    const theirGap = theirs.reduce((sum, value) => sum + value, 0) - (ours.expectedSum ?? NaN);
    expect(Math.abs(ours.gap ?? NaN)).toBeLessThan(Math.abs(theirGap) / 5);
  });

  test('PAIR: Integrated Gradients weigh 25 nodes of 24 intervals alike: 24/25 of the left rule, 1/25 of the image', async () => {
    const left = await map(integrateFixed(logit, x, black, 'left', 24, run));
    const atImage = await map(gradientAtImage(logit, x, false, run));
    const theirs = left.map(
      (value, i) => (24 * value + ((x[i] ?? 0) - (black[i] ?? 0)) * (atImage[i] ?? 0)) / 25,
    );
    expect(distance(theirs, stored('saliency_ig25_black'))).toBeLessThan(float32);
  });

  test.each([
    ['mean', 'smoothgrad'],
    ['mean-square', 'smoothgrad_sq'],
    ['variance', 'vargrad'],
  ] as const)('captum: the %s of Integrated Gradients over noise', async (statistic, name) => {
    const noise = draws('captum_nt_noise', x.length);
    const ours = await map(
      averageRuns(4, statistic, (k) =>
        integrateFixed(logit, addNoise(x, noise(k)), black, 'gauss-legendre', 10, run),
      ),
    );
    expect(distance(ours, stored(`captum_nt_${name}_ig10`))).toBeLessThan(float32);
  });

  test.each([
    ['SmoothGrad', 'smoothgrad5_mag0', 'mean'],
    ['SmoothGrad-squared, its default', 'smoothgrad5_mag1', 'mean-square'],
  ] as const)('PAIR: %s of the gradient', async (_, name, statistic) => {
    const noise = draws(`${name}_noise`, x.length);
    const ours = await map(
      averageRuns(5, statistic, (k) => gradientAtImage(logit, addNoise(x, noise(k)), false, run)),
    );
    expect(distance(ours, stored(name))).toBeLessThan(float32);
  });

  test('captum: GradientShap', async () => {
    const { alpha, baseline_index: reference } = record.gradient_shap6;
    const draw = (k: number) => ({ reference: reference[k] ?? NaN, node: alpha[k] ?? NaN });
    const noise = draws('gradient_shap6_noise', x.length);
    const ours = await map(expectedGradients(logit, x, [black, blurred], 6, draw, noise, run));
    expect(distance(ours, stored('gradient_shap6'))).toBeLessThan(float32);
  });

  test('PAIR: Blur IG, with its zero padding and its difference quotient', async () => {
    const options = { steps: 20, largestSigma: 8, spacing: 'sigma', border: 'zero' } as const;
    const ours = await lastFrame(blurByDerivative(logit, x, [3, 32, 32], options, run));
    expect(distance(ours.map, stored('blur_ig_s8_n20'))).toBeLessThan(float32);
    expect(ours.sum).toBeCloseTo(record.blur_ig_s8_n20, 5);
    // Along the points themselves the same path leaves a smaller gap.
    const inquiry = new Inquiry(logit, run);
    const path = pathAlong(inquiry, blurPath(x, [3, 32, 32], options), 'trapezoid');
    const along = await lastFrame(alongPath(path, 'trapezoid', -1, inquiry));
    expect(along.expectedSum).toBeCloseTo(ours.expectedSum ?? NaN, 5);
    expect(Math.abs(along.gap ?? NaN)).toBeLessThan(Math.abs(ours.gap ?? NaN) / 2);
  });

  test.each([
    ['n50_f0.25_d0.02', 50, 0.25, 0.02],
    ['n50_f0.5_d1.0', 50, 0.5, 1],
    ['n30_f0.25_d0.1', 30, 0.25, 0.1],
  ] as const)('PAIR: Guided IG, %s', async (name, steps, fraction, maxDistance) => {
    const inquiry = new Inquiry(logit, run);
    const path = guidedPath(inquiry, x, black, { steps, fraction, maxDistance }, 'left');
    const ours = await lastFrame(alongPath(path, 'left', 1, inquiry));
    expect(distance(ours.map, stored(`guided_ig_${name}`))).toBeLessThan(float32);
    expect(ours.sum).toBeCloseTo(record[`guided_ig_${name}`], 5);
  });

  test('IG2: the counterfactuals and the map', async () => {
    const options = {
      steps: 15,
      stepLength: 1,
      lowest: new Float32Array(x.length).fill(-3),
      highest: new Float32Array(x.length).fill(3),
    };
    const references = [0, 1].map((k) => Float32Array.from(draws('ig2_references', x.length)(k)));
    for (const [k, reference] of references.entries()) {
      let end = new Float64Array();
      for await (const z of gradCounterfactual(representation, x, reference, options, run)) end = z.slice();
      expect(distance(end, draws('ig2_gradcf', x.length)(k))).toBeLessThan(float32);
    }
    const ours = await lastFrame(ig2(logit, representation, x, references, options, 'left', run));
    // The path turns back and forth about its goal, which multiplies rounding.
    expect(distance(ours.map, stored('ig2_steps15_step1_clip3'))).toBeLessThan(5e-5);
    expect(ours.sum).toBeCloseTo(record.ig2_sum, 5);
  });

  test.each([
    ['logit', 0],
    ['softmax', 1],
  ] as const)(
    'IDGI on the %s: 23 of 24 steps agree; in the first the black picture leaves a choice',
    async (name, k) => {
      const model = k === 0 ? logit : softmax;
      const inquiry = new Inquiry(model, run);
      const path = pathAlong(inquiry, straightPath(x, black, 24), 'idgi');
      const ours = await lastFrame(alongPath(path, 'idgi', 1, inquiry));
      expect(ours.sum).toBeCloseTo(record[`idgi_ig25_${name}`][1] ?? NaN, 5);
      expect(Math.abs(ours.gap ?? NaN)).toBeLessThan(1e-12);

      // On a picture of one value the max-pools' winners are ties, which rounding decides, and so their gradient. Whatever it is, its
      // squares share out one step: what is left of the stored map without the other steps must be such shares, 0 or more, sum 1.
      const ends = new Float32Array(2 * x.length);
      ends.set(black);
      pointAt(x, black, 1 / 24, ends.subarray(x.length));
      const { f, gradient } = await model.evaluate(ends, 2);
      const step = (f[1] ?? NaN) - (f[0] ?? NaN);
      const own = gradient.subarray(0, x.length);
      const size = own.reduce((sum, value) => sum + value * value, 0);
      const shares = stored(`idgi_ig25_${name}`).map(
        (value, i) => (value - (ours.map[i] ?? NaN)) / step + (own[i] ?? NaN) ** 2 / size,
      );
      expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 3);
      const negative = shares.reduce((sum, share) => sum + Math.min(share, 0), 0);
      expect(negative).toBeGreaterThan(-1e-3);
    },
  );

  test('SmoothTaylor', async () => {
    const roots = { count: 6, noise: draws('smooth_taylor_noise', x.length) };
    const ours = await map(smoothTaylor(logit, x, roots, 0.5, run));
    expect(distance(ours, stored('smooth_taylor_s0.5_r6'))).toBeLessThan(float32);
  });

  test('the maximum-entropy baseline is reached: the model says the same of every label', async () => {
    const bytes = readFileSync(file('model.onnx'));
    const { inputs, outputs } = readModel(bytes).graph;
    const ends = { input: inputs[0]?.name ?? '', output: outputs[0]?.name ?? '' };
    const options = { ...ends, objective: 'negative-entropy', activation: 'softmax' } as const;
    const graph = buildGradientModel(bytes, options);
    const entropy = entropyModel(await openSession(graph.bytes, 'entropy'), graph, 'softmax');
    const input = {
      channels: 3,
      height: 32,
      width: 32,
      mean: [0.485, 0.456, 0.406],
      std: [0.229, 0.224, 0.225],
    };
    const kind: BaselineKind = baselineKinds['maximum-entropy'];
    const events = await Array.fromAsync(kind.make({ x, input, entropy }, { steps: 500 }, run));
    const last = events.at(-1);
    expect(last?.type === 'baseline' && last.baseline.findings['entropy']).toBeGreaterThan(
      0.999 * Math.log(5),
    );
  });

  test.each(['full', 'fast'] as const)('PAIR: XRAI, %s, of given segments', (mode) => {
    const base = readArray(file('ig_gl50_black.npy')).values;
    const channel = (c: number): Float64Array => base.subarray(1024 * c, 1024 * (c + 1));
    const largest = Float32Array.from(channel(0), (value, i) =>
      Math.max(value, channel(1)[i] ?? NaN, channel(2)[i] ?? NaN),
    );
    // Stored as bits, the first pixel of a byte highest. Some segments have lost all their pixels on the way to 32 x 32.
    const bits = stored('xrai_segments');
    const pixels = [...Array(1024).keys()];
    const regions = Array.from({ length: bits.length / 128 }, (_, k) =>
      Uint32Array.from(pixels.filter((i) => (((bits[128 * k + (i >> 3)] ?? 0) >> (7 - (i & 7))) & 1) === 1)),
    );
    expect(regions.filter((region) => region.length === 0)).toHaveLength(30);
    const { heat, ranks } = mapByRegions(largest, regions, mode, 50);
    expect(distance(heat, stored(`xrai_${mode}`))).toBeLessThan(float32);
    expect([...ranks]).toEqual([...stored(`xrai_${mode}_ranks`)]);
  });

  test('scikit-image: as many segments at the six scales, within a tenth, for theirs enlarge the picture by cubics', () => {
    const large = new Float32Array(3 * 224 * 224);
    for (let channel = 0; channel < 3; channel++) {
      const plane = x.subarray(1024 * channel, 1024 * (channel + 1));
      large.set(resizeTriangle(plane, 32, 32, 224, 224), 224 * 224 * channel);
    }
    const theirs = stored('xrai_segments').length / 128;
    expect(Math.abs(overlappingRegions(large, 3, 224, 224).length / theirs - 1)).toBeLessThan(0.1);
  });
});
