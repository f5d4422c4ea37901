import os from 'node:os';
import { env, InferenceSession } from 'onnxruntime-node';
import type { DeviceInfo, Provider } from '../../core/contract/device.ts';
import { PathlightError } from '../../core/contract/errors.ts';
import { deviceName } from './device-name.ts';

// What goes wrong is thrown, too, and told to the reader; standard error is not the place for it.
env.logLevel = 'fatal';

/** Stated explicitly, because the bits of a result depend on it. */
const threads = os.availableParallelism();

export async function describeDevice(provider: Provider): Promise<Omit<DeviceInfo, 'selfTest'>> {
  return {
    provider,
    name: await deviceName(provider),
    threads,
    runtime: `onnxruntime-node ${env.versions.node ?? ''}, Node ${process.versions.node}`,
  };
}

export interface SessionChoices {
  /** By default the CPU. */
  provider?: Provider;
  /** Writes what ran, where and how long, into a file whose path begins like this, when profiling is ended. */
  profile?: string;
  /** Writes the graph into this file as the runtime has rewritten it, for `rewritten`. */
  keepRewritten?: string;
  /** The source was written by `keepRewritten`, by this runtime for this processor: it is taken as it is, in a third of the time. */
  rewritten?: boolean;
}

/**
 * @param source an ONNX file: its path, or its bytes
 * @param name for the message of an error
 * @throws PathlightError `unsupported`: ONNX Runtime refuses the model, or has not got the provider
 */
export async function openSession(
  source: Uint8Array | string,
  name: string,
  { provider = 'cpu', profile, keepRewritten, rewritten = false }: SessionChoices = {},
): Promise<InferenceSession> {
  const options: InferenceSession.SessionOptions = {
    executionProviders: [provider],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    // A pattern of all allocations is laid out beside what the first run took: it doubles the memory and gains no time (measured).
    // DirectML allocates by itself, and refuses a session that would.
    enableMemPattern: false,
    logSeverityLevel: 4,
    ...(profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: profile }),
    ...(keepRewritten === undefined ? {} : { optimizedModelFilePath: keepRewritten }),
    ...(rewritten ? { graphOptimizationLevel: 'disabled' } : {}),
  };
  try {
    return await (typeof source === 'string'
      ? InferenceSession.create(source, options)
      : InferenceSession.create(source, options));
  } catch (error) {
    throw new PathlightError(
      'unsupported',
      `ONNX Runtime cannot load ${name}: ${error instanceof Error ? error.message : String(error)}`,
      'Check that the file is a complete ONNX model of a supported opset.',
      { cause: error },
    );
  }
}

/** @throws PathlightError `unsupported`: the runtime cannot run the model on this input */
export async function runSession(
  session: InferenceSession,
  feeds: InferenceSession.FeedsType,
  outputs: string[],
): Promise<InferenceSession.ReturnType> {
  try {
    return await session.run(feeds, outputs);
  } catch (error) {
    throw new PathlightError(
      'unsupported',
      `ONNX Runtime cannot run the model: ${error instanceof Error ? error.message : String(error)}`,
      "Check that the card's input and output fit the model.",
      { cause: error },
    );
  }
}

/** @throws PathlightError `unsupported` where an output is missing or not float32 */
export function floats(outputs: InferenceSession.ReturnType, name: string): Float32Array {
  const data = outputs[name]?.data;
  if (!(data instanceof Float32Array)) {
    throw new PathlightError('unsupported', `The model's output '${name}' is not a float32 tensor`);
  }
  return data;
}

interface Opened<T> {
  value: Promise<T>;
  users: number;
}

/** Keeps what was opened last, at most `limit` of it (and all that is in use), and closes the rest. */
export class Sessions<T> {
  readonly #limit: number;
  readonly #close: (value: T) => Promise<void>;
  /** The least recently used first. */
  readonly #opened = new Map<string, Opened<T>>();

  constructor(limit: number, close: (value: T) => Promise<void>) {
    this.#limit = limit;
    this.#close = close;
  }

  /** Gives `work` what `open` made for this key, now or before; it stays open until `work` ends. */
  async use<R>(key: string, open: () => Promise<T>, work: (value: T) => Promise<R>): Promise<R> {
    const opened = this.#opened.get(key) ?? { value: open(), users: 0 };
    this.#opened.delete(key);
    this.#opened.set(key, opened);
    opened.users++;
    try {
      let value;
      try {
        value = await opened.value;
      } catch (error) {
        if (this.#opened.get(key) === opened) this.#opened.delete(key);
        throw error;
      }
      return await work(value);
    } finally {
      opened.users--;
      await this.#closeIdle(this.#limit);
    }
  }

  /** Closes all that is not in use. */
  async close(): Promise<void> {
    await this.#closeIdle(0);
  }

  async #closeIdle(limit: number): Promise<void> {
    for (const [key, opened] of this.#opened) {
      if (this.#opened.size <= limit) return;
      if (opened.users > 0) continue;
      // Before anything is awaited, so that nobody takes it while it closes.
      this.#opened.delete(key);
      await this.#close(await opened.value);
    }
  }
}
