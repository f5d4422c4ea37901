/**
 * The devices that there are. Each is tried in a process of its own, because a provider whose driver is missing or broken may
 * crash the process that asks for it.
 */
import { type DeviceOffer, type Provider, PROVIDERS } from '../../core/contract/device.ts';
import { PathlightError, toErrorReport } from '../../core/contract/errors.ts';
import type { EngineProcess } from '../app/app-interface.ts';
import { EngineClient } from './client.ts';
import { deviceName } from './device-name.ts';
import type { GradientMeasurement } from './engine.ts';
import { forkEngine } from './spawn.ts';

/** Always there, and what the others are held against. */
async function processor(): Promise<DeviceOffer> {
  return { provider: 'cpu', name: await deviceName('cpu'), available: true, reason: '', selfTest: null };
}

/** A driver compiles the fixture's kernels meanwhile; one in software, on a busy machine, takes half a minute. */
const patienceMilliseconds = 120_000;

/** What a gradient takes on a device, or why there is no telling. */
export interface DeviceMeasurement {
  provider: Provider;
  name: string;
  /** '' where it was measured. */
  reason: string;
  measured: GradientMeasurement | null;
}

export class Devices {
  readonly #spawn: () => EngineProcess;
  /** Those found, and those being tried; what is not there may be installed, and is looked for again. */
  readonly #offers = new Map<Provider, Promise<DeviceOffer>>();
  readonly #trying = new Set<EngineClient>();

  /** @param spawn starts an engine process; Node's `fork` by default */
  constructor(spawn?: () => EngineProcess) {
    // A driver that is missing says so at length, on standard error.
    this.#spawn = spawn ?? (() => forkEngine(undefined, undefined, 'silent'));
  }

  /** Every provider in the order of `PROVIDERS`, with why it cannot be used where it cannot. */
  async list(): Promise<DeviceOffer[]> {
    return Promise.all(PROVIDERS.map((provider) => this.offer(provider)));
  }

  async offer(provider: Provider): Promise<DeviceOffer> {
    const asked = this.#offers.get(provider) ?? (provider === 'cpu' ? processor() : this.#probe(provider));
    this.#offers.set(provider, asked);
    const offer = await asked;
    if (!offer.available) this.#offers.delete(provider);
    return offer;
  }

  /** Rejects with `device-refused`, saying why, where the device cannot be used. */
  async require(provider: Provider): Promise<void> {
    const { available, reason } = await this.offer(provider);
    if (!available) {
      throw new PathlightError(
        'device-refused',
        `The device '${provider}' cannot be used: ${reason}`,
        'See `pathlight devices` and docs/gpu.md. The CPU can always be used.',
      );
    }
  }

  /** Ends what is being tried. */
  async close(): Promise<void> {
    await Promise.all([...this.#trying].map((engine) => engine.close()));
  }

  /**
   * Measures a gradient of a model on every device that there is, one after the other.
   * @param file path of an ONNX file that can be explained
   */
  async *measure(file: string): AsyncGenerator<DeviceMeasurement, void, undefined> {
    for (const { provider, name, available, reason } of await this.list()) {
      const device = { provider, name };
      if (!available) {
        yield { ...device, reason, measured: null };
        continue;
      }
      try {
        yield {
          ...device,
          reason: '',
          measured: await this.#alone((engine) => engine.measure(file, provider)),
        };
      } catch (error) {
        yield { ...device, reason: toErrorReport(error).message, measured: null };
      }
    }
  }

  async #probe(provider: Provider): Promise<DeviceOffer> {
    try {
      return await this.#alone((engine) => engine.probe(provider));
    } catch (error) {
      return { provider, name: '', available: false, reason: toErrorReport(error).message, selfTest: null };
    }
  }

  /** In a process of its own. Rejects with what went wrong, in words that follow a device's name. */
  async #alone<T>(work: (engine: EngineClient) => Promise<T>): Promise<T> {
    const engine = new EngineClient(this.#spawn);
    this.#trying.add(engine);
    let impatience: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const seconds = patienceMilliseconds / 1000;
      impatience = setTimeout(
        () => reject(new PathlightError('engine', `it did not answer within ${seconds} s`)),
        patienceMilliseconds,
      );
    });
    try {
      return await Promise.race([work(engine), late]);
    } catch (error) {
      const { kind, message } = toErrorReport(error);
      if (kind !== 'engine' || !message.startsWith('The engine process')) throw error;
      throw new PathlightError('engine', 'it crashed the process that tried it', '', { cause: error });
    } finally {
      clearTimeout(impatience);
      this.#trying.delete(engine);
      await engine.close();
    }
  }
}
