/**
 * Entry of the engine's process: everything that runs a model. A native call blocks this process's only thread for one batch;
 * between two batches it answers what has come in, so that a score waits for a batch at most. A model that crashes the runtime
 * or eats the memory takes this process down, and nothing else.
 */
import { listSupportedBackends } from 'onnxruntime-node';
import { throwIfCancelled } from '../../core/attribution/path.ts';
import type { DeviceInfo, DeviceOffer, Provider, DeviceTest } from '../../core/contract/device.ts';
import { PathlightError, toErrorReport } from '../../core/contract/errors.ts';
import { attribute, type Seams, seamsFor } from './attribute.ts';
import { checkModel } from './check-model.ts';
import type { AttributionJob, EngineModel, ModelSupport } from './engine.ts';
import { measureGradient } from './measure-gradient.ts';
import { readCheckedModel } from './model-file.ts';
import { checkSize, keyOf, runOnnx, withOnnxModel } from './onnx-models.ts';
import type { EngineAnswers, EngineCall, EngineRequest, FromEngine, ToEngine } from './protocol.ts';
import { refusal, selfTest } from './self-test.ts';
import { fixtureModel, fixtureOptions } from './self-test-fixture.ts';
import { describeDevice } from './sessions.ts';
import { modelJsonAt } from './tfjs/model-folder.ts';
import type * as tfjsModels from './tfjs/models.ts';

type AttributeRequest = EngineRequest & { call: 'attribute' };

/** One cancellation for each explanation that runs or waits. */
const cancellations = new Map<number, AbortController>();
/** Explanations run one after the other: each alone needs the memory of a batch. */
let lastExplanation: Promise<unknown> = Promise.resolve();

function answerTo(request: EngineRequest, id: number): Promise<EngineAnswers[EngineCall]> {
  switch (request.call) {
    case 'device':
      return device(request.provider, request.model);
    case 'probe':
      return probe(request.provider);
    case 'run':
      return run(request.model, request.points, request.count);
    case 'measure':
      return measureGradient(request.file, request.provider);
    case 'check':
      return check(request.subject);
    case 'attribute':
      return attributeInTurn(request, id);
  }
}

async function attributeInTurn({ job, prepared }: AttributeRequest, id: number): Promise<undefined> {
  const cancellation = new AbortController();
  cancellations.set(id, cancellation);
  const turn = lastExplanation.then(() => explain(job, prepared, id, cancellation.signal));
  lastExplanation = turn.catch(() => undefined);
  try {
    await turn;
  } finally {
    cancellations.delete(id);
  }
}

/** Everything of TensorFlow.js, loaded with the first of its models. */
const tfjs = (): Promise<typeof tfjsModels> => import('./tfjs/models.ts');

function isTfjs({ format = 'onnx' }: EngineModel): boolean {
  return format !== 'onnx';
}

async function check(subject: string | EngineModel): Promise<ModelSupport> {
  const modelJson = await modelJsonAt(typeof subject === 'string' ? subject : subject.file);
  return modelJson === undefined ? checkModel(subject) : (await tfjs()).checkTfjsModel(modelJson);
}

async function run(model: EngineModel, points: Float32Array, count: number): Promise<Float32Array> {
  checkSize(model, points, count);
  if (!isTfjs(model)) return runOnnx(model, points, count);
  return (await tfjs()).runTfjs(model, points, count);
}

/** Once a device and model for the life of this process. */
const selfTests = new Map<string, Promise<DeviceTest>>();

async function device(provider: Provider, model: EngineModel | null): Promise<DeviceInfo> {
  if (model !== null && isTfjs(model)) return (await tfjs()).deviceOf(model);
  const described = await describeDevice(provider);
  if (provider === 'cpu' || model === null) return { ...described, selfTest: null };
  const key = `${provider} ${keyOf(model)}`;
  const test = selfTests.get(key) ?? selfTestOf(provider, model);
  selfTests.set(key, test);
  try {
    const outcome = await test;
    const refused = refusal(nameOf(described), outcome, `model ${model.id}`);
    if (refused !== null) throw refused;
    return { ...described, selfTest: outcome };
  } catch (error) {
    // What was wrong with the file may be mended.
    if (!(error instanceof PathlightError) || error.kind !== 'device-refused') selfTests.delete(key);
    throw error;
  }
}

async function selfTestOf(provider: Provider, model: EngineModel): Promise<DeviceTest> {
  const { bytes, ends } = await readCheckedModel(model);
  // By the logit: a probability that has come to 0 or 1 has no gradient to compare.
  return selfTest(provider, bytes, { ...ends, objective: 'logit', activation: model.output.activation });
}

async function probe(provider: Provider): Promise<DeviceOffer> {
  const described = await describeDevice(provider);
  const offer: DeviceOffer = {
    provider,
    name: described.name,
    available: false,
    reason: '',
    selfTest: null,
  };
  const backend = listSupportedBackends().find(({ name }) => name === provider);
  if (backend === undefined) {
    return { ...offer, name: '', reason: `it needs ${NEEDS[provider]}` };
  }
  try {
    const test = await selfTest(provider, fixtureModel(), fixtureOptions);
    const refused = refusal(nameOf(described), test, 'a test network');
    return { ...offer, available: refused === null, reason: refused?.message ?? '', selfTest: test };
  } catch (error) {
    return { ...offer, name: '', reason: whyAbsent(toErrorReport(error).message) };
  }
}

/** The systems for which onnxruntime-node is built with a provider. */
const NEEDS: Readonly<Record<Provider, string>> = {
  cpu: 'Linux, Windows or macOS',
  webgpu: 'Windows, macOS or Linux on a PC (x64)',
  cuda: 'Linux on a PC (x64) with an NVIDIA card',
  dml: 'Windows',
  coreml: 'macOS',
};

/** ONNX Runtime's usual words for a device that is not there, in the reader's; other words stay as they are. */
function whyAbsent(message: string): string {
  if (message.includes('WebGPU adapter')) {
    return 'no graphics card with a driver for Vulkan, Direct3D 12 or Metal was found';
  }
  if (/Failed to load (shared )?library/.test(message)) {
    return 'its libraries are not installed; docs/gpu.md says what to run';
  }
  return message;
}

function nameOf({ provider, name }: Omit<DeviceInfo, 'selfTest'>): string {
  return name === '' ? provider : `${provider} (${name})`;
}

async function explain(
  job: AttributionJob,
  folder: string | null,
  id: number,
  signal: AbortSignal,
): Promise<void> {
  throwIfCancelled(signal);
  const { model, provider = 'cpu' } = job;
  checkSize(model, job.x, 1);
  const needs = seamsFor(job);
  await device(provider, model);
  throwIfCancelled(signal);
  const stream = async (seams: Seams): Promise<void> => {
    for await (const item of attribute(job, seams, signal)) post({ id, item });
  };
  if (isTfjs(model)) return (await tfjs()).withSeams(job, needs, stream);
  return withOnnxModel(job, needs, folder, signal, stream);
}

/** Electron's utility process has a port; a forked Node process has the channel to its parent. */
interface Port {
  post(message: FromEngine): void;
  listen(listener: (message: ToEngine) => void): void;
}

function openPort(): Port {
  if ('parentPort' in process && isParentPort(process.parentPort)) {
    const { parentPort } = process;
    return {
      post: (message) => parentPort.postMessage(message),
      listen: (listener) => parentPort.on('message', ({ data }) => listener(data as ToEngine)),
    };
  }
  // Without a parent nobody waits for an answer.
  process.on('disconnect', () => process.exit());
  return {
    // An error here means that the parent is gone; what follows is 'disconnect'.
    post: (message) => process.send?.(message, undefined, undefined, () => undefined),
    listen: (listener) => process.on('message', (message) => listener(message as ToEngine)),
  };
}

interface ParentPort {
  postMessage(message: unknown): void;
  on(event: 'message', listener: (event: { data: unknown }) => void): void;
}

function isParentPort(port: unknown): port is ParentPort {
  return typeof port === 'object' && port !== null && 'postMessage' in port && 'on' in port;
}

async function answer(id: number, request: EngineRequest): Promise<void> {
  try {
    post({ id, answer: await answerTo(request, id) });
  } catch (error) {
    post({ id, error: toErrorReport(isOutOfMemory(error) ? tooLarge(error) : error) });
  }
}

/** An allocation that V8 or ONNX Runtime refused: a model may ask for any size, and most are refused before they do harm. */
function isOutOfMemory(error: unknown): error is Error {
  return (
    error instanceof Error &&
    /allocation failed|allocate memory|Invalid (typed )?array length/.test(error.message)
  );
}

function tooLarge(cause: Error): PathlightError {
  return new PathlightError(
    'too-large',
    'The model asks for more memory than there is.',
    'Choose a smaller model, or one with a smaller input.',
    { cause },
  );
}

const port = openPort();

function post(message: FromEngine): void {
  port.post(message);
}

// Ctrl-C reaches every process of a terminal's group: the one that started this one decides what it means.
process.on('SIGINT', () => undefined);
port.listen((message) => {
  if ('cancel' in message) cancellations.get(message.cancel)?.abort();
  else void answer(message.id, message.request);
});
