/** Which device computes: what was chosen, unless it is not there or has failed; then the CPU, and why. */
import type { Provider } from '../../core/contract/device.ts';
import { PathlightError, toErrorReport } from '../../core/contract/errors.ts';
import type { Devices } from '../engine/devices.ts';

export class DeviceChoice {
  readonly #devices: Devices;
  /** The chosen one once it has been tried, or the CPU. */
  #current: Promise<Provider>;
  /** Why the chosen one is not used; null where it is. */
  refused: string | null = null;

  /** Tries the chosen device at once. */
  constructor(devices: Devices, chosen: Provider) {
    this.#devices = devices;
    this.#current = devices.require(chosen).then(
      () => chosen,
      (error: unknown) => {
        this.refused = toErrorReport(error).message;
        return 'cpu';
      },
    );
  }

  current(): Promise<Provider> {
    return this.#current;
  }

  /** Rejects with `device-refused` where the device cannot be used; the choice stays what it was then. */
  async use(provider: Provider): Promise<void> {
    await this.#devices.require(provider);
    this.#current = Promise.resolve(provider);
    this.refused = null;
  }

  /**
   * After a computation that failed: where the device is to blame, the CPU computes from now on.
   * @returns the error for the reader
   */
  async afterFailure(error: unknown): Promise<unknown> {
    const { kind, message } = toErrorReport(error);
    const blamed = kind === 'device-refused' || kind === 'engine';
    if (!blamed || (await this.#current) === 'cpu') return error;
    this.#current = Promise.resolve('cpu');
    this.refused = message;
    const advice = 'The CPU computes from here on. Press Explain again.';
    return new PathlightError(kind, message, advice, { cause: error });
  }
}
