import type { DeviceInfo, DeviceOffer, Provider } from '../../core/contract/device.ts';
import { fromErrorReport, PathlightError } from '../../core/contract/errors.ts';
import type { EngineProcess } from '../app/app-interface.ts';
import type {
  AttributionEvent,
  AttributionJob,
  Engine,
  EngineModel,
  GradientMeasurement,
  ModelSupport,
} from './engine.ts';
import { FrameQueue } from './frame-queue.ts';
import type { EngineAnswers, EngineCall, EngineRequest, FromEngine, ToEngine } from './protocol.ts';
import { forkEngine } from './spawn.ts';

/**
 * For one check. ONNX Runtime's time to open a graph grows with the square of its nodes, and while it opens one it hears nothing: what takes
 * so long is a model of thousands of nodes in a row, or of sums of hundreds of values.
 */
const checkPatienceMilliseconds = 120_000;

/** Maps held for a reader that is slower than the engine. */
const framesHeld = 4;

interface Pending {
  item(event: AttributionEvent): void;
  answer(value: EngineAnswers[EngineCall]): void;
  fail(error: Error): void;
}

/**
 * The engine's process as an object: started at the first call, and again at the first call after it died.
 * @param spawn starts the process; Node's `fork` by default
 * @param prepared where prepared gradient graphs are kept; null: nowhere
 */
export class EngineClient implements Engine {
  readonly #spawn: () => EngineProcess;
  readonly #prepared: string | null;
  readonly #pending = new Map<number, Pending>();
  #process: EngineProcess | null = null;
  #lastId = 0;
  #closed = false;
  readonly #checkPatience: number;
  /** Checks run one after the other, in a process of their own that lasts as long as there are any. */
  #checker: EngineClient | null = null;
  #lastCheck: Promise<unknown> = Promise.resolve();
  #checks = 0;

  constructor(
    spawn: () => EngineProcess = forkEngine,
    prepared: string | null = null,
    checkPatience = checkPatienceMilliseconds,
  ) {
    this.#spawn = spawn;
    this.#prepared = prepared;
    this.#checkPatience = checkPatience;
  }

  /** Of the process that runs now; null before the first call and after its death. */
  get pid(): number | null {
    return this.#process?.pid ?? null;
  }

  async device(provider: Provider = 'cpu', model: EngineModel | null = null): Promise<DeviceInfo> {
    return this.#call({ call: 'device', provider, model });
  }

  async probe(provider: Provider): Promise<DeviceOffer> {
    return this.#call({ call: 'probe', provider });
  }

  async run(model: EngineModel, points: Float32Array, count = 1): Promise<Float32Array> {
    return this.#call({ call: 'run', model, points, count });
  }

  async check(subject: string | EngineModel): Promise<ModelSupport> {
    this.#checks++;
    const check = this.#lastCheck.then(() => this.#checkInTime(subject));
    this.#lastCheck = check.catch(() => undefined);
    try {
      return await check;
    } finally {
      if (--this.#checks === 0) await this.#endChecker();
    }
  }

  async #checkInTime(subject: string | EngineModel): Promise<ModelSupport> {
    if (this.#closed) throw new PathlightError('engine', 'The engine has been closed');
    const checker = (this.#checker ??= new EngineClient(this.#spawn));
    const late = new AbortController();
    const impatience = setTimeout(() => {
      late.abort();
      void this.#endChecker();
    }, this.#checkPatience);
    try {
      return await checker.#call({ call: 'check', subject });
    } catch (error) {
      if (!late.signal.aborted) throw error;
      throw new PathlightError(
        'too-large',
        `The model could not be checked within ${this.#checkPatience / 1000} s: ONNX Runtime needs too long to open its gradient graph`,
        'Its graph has too many operators in a row. Simplify the model with its exporter, or use a smaller one.',
        { cause: error },
      );
    } finally {
      clearTimeout(impatience);
    }
  }

  async #endChecker(): Promise<void> {
    const checker = this.#checker;
    this.#checker = null;
    await checker?.close();
  }

  async measure(file: string, provider: Provider): Promise<GradientMeasurement> {
    return this.#call({ call: 'measure', file, provider });
  }

  async *attribute(
    job: AttributionJob,
    signal?: AbortSignal,
  ): AsyncGenerator<AttributionEvent, void, undefined> {
    const cancelled = new PathlightError('cancelled', 'Cancelled');
    if (signal?.aborted === true) throw cancelled;
    const frames = new FrameQueue<AttributionEvent>(framesHeld);
    const id = this.#request(
      { call: 'attribute', job, prepared: this.#prepared },
      {
        item: (event) => frames.push(event),
        answer: () => frames.end(),
        fail: (error) => frames.end(error),
      },
    );
    const cancel = (): void => frames.end(cancelled);
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      yield* frames;
    } finally {
      signal?.removeEventListener('abort', cancel);
      if (this.#pending.delete(id)) this.#process?.send({ cancel: id } satisfies ToEngine);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#endChecker();
    const process = this.#process;
    if (process === null) return;
    const ended = new Promise<void>((resolve) => process.onExit(() => resolve()));
    process.kill();
    await ended;
  }

  #call<C extends Exclude<EngineCall, 'attribute'>>(
    request: EngineRequest & { call: C },
  ): Promise<EngineAnswers[C]> {
    return new Promise((resolve, reject) => {
      this.#request(request, {
        item: () => undefined,
        answer: (value) => resolve(value as EngineAnswers[C]),
        fail: reject,
      });
    });
  }

  /** @returns the request's number */
  #request(request: EngineRequest, pending: Pending): number {
    const id = ++this.#lastId;
    const process = this.#started();
    this.#pending.set(id, pending);
    process.send({ id, request } satisfies ToEngine);
    return id;
  }

  #started(): EngineProcess {
    if (this.#closed) throw new PathlightError('engine', 'The engine has been closed');
    if (this.#process !== null) return this.#process;
    const process = this.#spawn();
    this.#process = process;
    process.onMessage((message) => this.#receive(message as FromEngine));
    process.onExit((code) => this.#exited(process, code));
    return process;
  }

  #receive(message: FromEngine): void {
    const pending = this.#pending.get(message.id);
    // A call that was cancelled may still have replies on their way.
    if (pending === undefined) return;
    if ('item' in message) return pending.item(message.item);
    this.#pending.delete(message.id);
    if ('error' in message) pending.fail(fromErrorReport(message.error));
    else pending.answer(message.answer);
  }

  #exited(process: EngineProcess, code: number | null): void {
    if (this.#process === process) this.#process = null;
    const error = this.#closed
      ? new PathlightError('cancelled', 'Cancelled: the engine was closed')
      : new PathlightError(
          'engine',
          `The engine process stopped unexpectedly (${code === null ? 'it was ended from outside, or could not start' : `exit code ${code}`})`,
          'The steps done so far are kept. Start again: the engine restarts by itself. If it stops again on the same model, the model is too large for this machine or damaged.',
        );
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const call of pending) call.fail(error);
  }
}
