/**
 * The devices that there are. Each is tried in a process of its own, because a provider whose driver is missing or broken may
 * crash the process that asks for it.
 */
import { type DeviceOffer, type Provider, PROVIDERS } from '../../core/contract/device.ts';
import { PathlightError, toErrorReport } from '../../core/contract/errors.ts';
import type { EngineProcess } from '../app/app-interface.ts';
import { EngineClient } from './client.ts';
import { deviceName } from './device-name.ts';

/** Always there, and what the others are held against. */
async function processor(): Promise<DeviceOffer> {
  return { provider: 'cpu', name: await deviceName('cpu'), available: true, reason: '', selfTest: null };
}

/** A driver compiles the fixture's kernels meanwhile; one in software, on a busy machine, takes half a minute. */
const patienceMilliseconds = 120_000;

export class Devices {
  readonly #spawn: (() => EngineProcess) | undefined;
  /** The good ones; what is not there may be installed, and is looked for again. */
  readonly #found = new Map<Provider, DeviceOffer>();

  /** @param spawn starts an engine process; Node's `fork` by default */
  constructor(spawn?: () => EngineProcess) {
    this.#spawn = spawn;
  }

  /** Every provider in the order of `PROVIDERS`, with why it cannot be used where it cannot. */
  async list(): Promise<DeviceOffer[]> {
    return Promise.all(PROVIDERS.map((provider) => this.offer(provider)));
  }

  async offer(provider: Provider): Promise<DeviceOffer> {
    const before = this.#found.get(provider);
    if (before !== undefined) return before;
    const offer = provider === 'cpu' ? await processor() : await this.#probe(provider);
    if (offer.available) this.#found.set(provider, offer);
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

  async #probe(provider: Provider): Promise<DeviceOffer> {
    const engine = this.#spawn === undefined ? new EngineClient() : new EngineClient(this.#spawn);
    let impatience: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const seconds = patienceMilliseconds / 1000;
      impatience = setTimeout(
        () => reject(new PathlightError('engine', `it did not answer within ${seconds} s`)),
        patienceMilliseconds,
      );
    });
    try {
      return await Promise.race([engine.probe(provider), late]);
    } catch (error) {
      const { kind, message } = toErrorReport(error);
      const crashed = kind === 'engine' && message.startsWith('The engine process');
      const reason = crashed ? 'it crashed the process that tried it' : message;
      return { provider, name: '', available: false, reason, selfTest: null };
    } finally {
      clearTimeout(impatience);
      await engine.close();
    }
  }
}
