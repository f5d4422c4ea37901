/** The seam of core/attribution, answered by TensorFlow.js: a model on the fastest backend that passes its self-test. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { DifferentiableModel, Scalar } from '../../../core/attribution/model.ts';
import type { Activation } from '../../../core/autodiff/objective.ts';
import type { BackendTest, TfjsProvider } from '../../../core/contract/device.ts';
import { PathlightError } from '../../../core/contract/errors.ts';
import { normalNumbers, randomSource } from '../../../core/metrics/random.ts';
import { betweenBatches } from '../between-batches.ts';
import type { EngineModel } from '../engine.ts';
import { openGraphModel } from './graph-model.ts';
import { openLayersModel } from './layers-model.ts';
import { readTfjsModel, type TfjsFiles } from './model-folder.ts';
import type { OpenedModel, TfjsEnds } from './open-model.ts';
import { type TfjsRuntime, tfjsRuntime } from './runtime.ts';
import { allowingJumps, compare, measureFixture, passes, passesWithJumps } from './self-test.ts';

/** The least number above 0 that float32 holds in full precision. */
const smallestNormal = 2 ** -126;

export interface TfjsModel {
  /** The backend that computes. */
  provider: TfjsProvider;
  /** Of this model on that backend; null on cpu, the reference. */
  selfTest: BackendTest | null;
  /** Backends that failed, and how: 'tfjs-wasm (differs from tfjs-cpu by 3.0e-1)'. */
  refused: string[];
  /** Version of TensorFlow.js. */
  version: string;
  /** [count, elements] -> [count, labels]: logits, or what the model gives where it has no activation at its end. */
  run: (points: Float32Array, count: number) => Promise<Float32Array>;
  /** @throws PathlightError `bad-request`: no such label */
  differentiable(target: number, scalar: Scalar): DifferentiableModel;
  dispose(): void;
}

/**
 * Reads a model, checks it against its card, builds it and proves a backend on it.
 * @throws PathlightError as reading and building do; `unsupported` where even the cpu backend cannot differentiate it
 */
export async function openTfjsModel(model: EngineModel): Promise<TfjsModel> {
  const { file, format, sha256, externalData, input, output } = model;
  const files = await readTfjsModel(file, { sha256, externalData: externalData ?? {} });
  if (files.format !== format) {
    throw new PathlightError(
      'model-refused',
      `The card of model ${model.id} says format '${format ?? 'onnx'}', but its file is of format '${files.format}'`,
      `Write "${files.format}" into 'format' of card.json.`,
    );
  }
  const runtime = await tfjsRuntime();
  const ends = { input: input.name, output: output.name, activation: output.activation };
  const opened = await openFiles(files, ends, runtime);
  try {
    checkShape(opened, input, model.id);
    const net = new Net(runtime, opened, input, output.activation);
    return { ...(await net.proven()), dispose: () => opened.dispose() };
  } catch (error) {
    opened.dispose();
    throw error;
  }
}

/** The card's image must be the one that model.json states, as far as it states one. */
function checkShape({ inputs }: OpenedModel, { shape, layout }: EngineModel['input'], id: string): void {
  const [, ...declared] = inputs[0]?.shape ?? [];
  const [channels = NaN, ...rest] = shape;
  const stated = layout === 'NHWC' ? [...rest, channels] : shape;
  const fits =
    declared.length === stated.length &&
    declared.every((size, axis) => size === null || size === stated[axis]);
  if (fits || declared.length === 0) return;
  throw new PathlightError(
    'unsupported',
    `The model ${id} takes images of ${declared.map((size) => size ?? 'any').join(' x ')}, but its card says ${stated.join(' x ')}`,
    'Correct layout, channels, height and width of input in card.json.',
  );
}

/** Builds a model on the fastest backend. */
export async function openFiles(
  files: TfjsFiles,
  ends: TfjsEnds | null,
  runtime: TfjsRuntime,
): Promise<OpenedModel> {
  const [fastest = 'tfjs-cpu'] = runtime.providers;
  const open = files.format === 'tfjs-graph' ? openGraphModel : openLayersModel;
  return runtime.on(fastest, () => open(files, ends, runtime));
}

/** What one call of TensorFlow.js gives. */
interface Measured {
  /** [count, labels] before the activation. */
  outputs: Float32Array;
  /** [count] the weighted sum of the labels' scalars. */
  f: Float32Array;
  /** [count, elements] */
  gradient: Float32Array;
}

/** A built model of one input shape, on any backend. */
export class Net {
  readonly #runtime: TfjsRuntime;
  readonly #model: OpenedModel;
  readonly #input: EngineModel['input'];
  readonly #activation: Activation;
  readonly #references = new Map<number, Promise<Measured>>();

  constructor(runtime: TfjsRuntime, model: OpenedModel, input: EngineModel['input'], activation: Activation) {
    this.#runtime = runtime;
    this.#model = model;
    this.#input = input;
    this.#activation = activation;
  }

  /** The model on the fastest backend whose gradient of this model agrees with the reference's. */
  async proven(): Promise<Omit<TfjsModel, 'dispose'>> {
    const { outputs } = await this.#reference(1);
    this.#checkOutputs(outputs);
    const refused: string[] = [];
    for (const provider of this.#runtime.providers) {
      if (provider === 'tfjs-cpu') continue;
      try {
        const fixture = await fixtureTest(this.#runtime, provider);
        const test = passes(fixture) ? await this.#test(provider) : fixture;
        if (passes(test)) return this.#on(provider, outputs.length, test, refused);
        const off = Math.max(test.error, test.p99);
        refused.push(`${provider} (differs from tfjs-cpu by ${off.toExponential(1)})`);
      } catch (error) {
        refused.push(`${provider} (${error instanceof Error ? error.message : String(error)})`);
      }
    }
    return this.#on('tfjs-cpu', outputs.length, null, refused);
  }

  /**
   * At one point where only rounding is left. Where a Relu jumps between two roundings, that point's gradient says less: then at up to
   * three, of which one must agree but for rounding, and the middle one but for jumps. A wrong kernel is wrong at every point.
   */
  async #test(provider: TfjsProvider): Promise<BackendTest> {
    const tests: BackendTest[] = [];
    for (const seed of [1, 2, 3]) {
      tests.push(compare(await this.#probe(provider, seed), await this.#reference(seed)));
      if (tests.some(passes) && tests.every(passesWithJumps)) break;
    }
    const [best, middle] = tests.toSorted((a, b) => a.error - b.error) as [BackendTest, BackendTest?];
    return middle === undefined || !passes(best) ? best : allowingJumps(middle);
  }

  #probe(provider: TfjsProvider, seed: number): Promise<Measured> {
    const elements = this.#input.shape.reduce((product, size) => product * size, 1);
    return this.#measure(provider, normalNumbers(elements, randomSource(seed)), 1, 'logit', alternating);
  }

  #reference(seed: number): Promise<Measured> {
    const known = this.#references.get(seed) ?? this.#probe('tfjs-cpu', seed);
    this.#references.set(seed, known);
    return known;
  }

  #on(
    provider: TfjsProvider,
    labels: number,
    selfTest: BackendTest | null,
    refused: string[],
  ): Omit<TfjsModel, 'dispose'> {
    return {
      provider,
      selfTest,
      refused,
      version: this.#runtime.version,
      run: (points, count) => this.#run(provider, points, count),
      differentiable: (target, scalar) => {
        if (!Number.isInteger(target) || target < 0 || target >= labels) {
          throw new PathlightError(
            'bad-request',
            `The model gives ${labels} values; there is no number ${target}.`,
          );
        }
        return {
          shape: this.#input.shape,
          evaluate: async (points, count) => {
            await betweenBatches();
            const { f, gradient } = await this.#measure(provider, points, count, scalar, (label) =>
              label === target ? 1 : 0,
            );
            return { f: Float64Array.from(f), gradient };
          },
        };
      },
    };
  }

  async #run(provider: TfjsProvider, points: Float32Array, count: number): Promise<Float32Array> {
    const { core } = this.#runtime;
    return this.#runtime.on(provider, () =>
      told(() =>
        core.tidy(() =>
          this.#outputs(core.tensor(points, [count, ...this.#input.shape]))
            .dataSync<'float32'>()
            .slice(),
        ),
      ),
    );
  }

  /** @param weight of each label's scalar in the sum that is differentiated */
  async #measure(
    provider: TfjsProvider,
    points: Float32Array,
    count: number,
    scalar: Scalar,
    weight: (label: number) => number,
  ): Promise<Measured> {
    const { core } = this.#runtime;
    return this.#runtime.on(provider, () =>
      told(() =>
        core.tidy(() => {
          let outputs = new Float32Array();
          const { value, grad } = core.valueAndGrad((x: Tensor) => {
            const values = this.#outputs(x);
            outputs = values.dataSync<'float32'>().slice();
            const weights = Array.from({ length: values.shape[1] ?? 0 }, (_, label) => weight(label));
            return core.sum(core.mul(this.#objective(values, scalar), core.tensor1d(weights)), 1);
          })(core.tensor(points, [count, ...this.#input.shape]), core.ones([count]));
          return {
            outputs,
            f: value.dataSync<'float32'>().slice(),
            gradient: grad.dataSync<'float32'>().slice(),
          };
        }),
      ),
    );
  }

  /** [N, channels, ...] -> [N, labels] */
  #outputs(x: Tensor): Tensor {
    const { core } = this.#runtime;
    const rest = x.shape.map((_, axis) => axis).slice(2);
    const image = this.#input.layout === 'NHWC' ? core.transpose(x, [0, ...rest, 1]) : x;
    const values = this.#model.logits(image);
    const [count = 1] = x.shape;
    const labels = values.size / count;
    if (this.#model.activation === 'softmax' && this.#model.softmaxSize(values) !== labels) {
      throw new PathlightError(
        'unsupported',
        `The model's softmax takes ${this.#model.softmaxSize(values)} values together, but it gives ${labels}`,
        'Models that give one probability for each label are explained.',
      );
    }
    return core.reshape(values, [count, labels]);
  }

  /** As core/autodiff/objective.ts has it for graphs. */
  #objective(outputs: Tensor, scalar: Scalar): Tensor {
    const { core } = this.#runtime;
    if (scalar === 'logit') return outputs;
    switch (this.#activation) {
      case 'softmax':
        return scalar === 'probability' ? core.softmax(outputs) : core.logSoftmax(outputs);
      case 'sigmoid':
        return scalar === 'probability' ? core.sigmoid(outputs) : core.neg(core.softplus(core.neg(outputs)));
      case 'none':
        return scalar === 'probability' ? outputs : core.log(core.maximum(outputs, smallestNormal));
    }
  }

  /** A softmax that was not recognised at the model's end would be applied twice. */
  #checkOutputs(outputs: Float32Array): void {
    if (this.#activation !== 'softmax' || this.#model.activation === 'softmax' || outputs.length < 2) return;
    const sum = outputs.reduce((total, value) => total + value, 0);
    if (Math.abs(sum - 1) > 1e-4 || outputs.some((value) => value < 0)) return;
    throw new PathlightError(
      'model-refused',
      "The model's outputs are probabilities already, and the softmax before them was not found",
      `Write "none" into output.activation of card.json: the probability itself is then explained.`,
    );
  }
}

/** Both signs, so that no label's gradient hides another's. */
function alternating(label: number): number {
  return label % 2 === 0 ? 1 : -0.5;
}

const fixtureTests = new Map<TfjsProvider, Promise<BackendTest>>();

/** Once a process. */
function fixtureTest(runtime: TfjsRuntime, provider: TfjsProvider): Promise<BackendTest> {
  const known =
    fixtureTests.get(provider) ??
    Promise.all([measureFixture(runtime, provider), measureFixture(runtime, 'tfjs-cpu')]).then(
      ([measured, reference]) => compare(measured, reference),
    );
  fixtureTests.set(provider, known);
  return known;
}

/** What TensorFlow.js throws while it runs a model. */
function told<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    // Memory that there is not: the engine's process has its own words for it.
    if (error instanceof PathlightError || error instanceof RangeError) throw error;
    throw new PathlightError(
      'unsupported',
      `TensorFlow.js cannot run or differentiate the model: ${error instanceof Error ? error.message : String(error)}`,
      "Check that the card's input and output fit the model; else export it as ONNX.",
      { cause: error },
    );
  }
}
