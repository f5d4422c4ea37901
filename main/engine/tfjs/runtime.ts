/**
 * TensorFlow.js in this process: loaded when the first of its models is, on the best backend that there is.
 * Only here is anything of it imported at run time.
 */
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import type { TfjsProvider } from '../../../core/contract/device.ts';
import { PathlightError } from '../../../core/contract/errors.ts';
import { registerGradients, skipFilterGradients } from './gradients.ts';
import { turnConvolutions } from './wasm-convolution.ts';
import { completeWasmKernels, guardWasmMemory } from './wasm-kernels.ts';
import type { Converter, Core, Layers } from './libraries.ts';

/** TensorFlow.js's own names. */
const backends = { 'tfjs-node-gpu': 'tensorflow', 'tfjs-wasm': 'wasm', 'tfjs-cpu': 'cpu' } as const;

export interface TfjsRuntime {
  core: Core;
  layers: Layers;
  converter: Converter;
  /** What can be tried, the fastest first; `tfjs-cpu`, the reference, is always the last. */
  providers: TfjsProvider[];
  /** The version of TensorFlow.js. */
  version: string;
  /**
   * Runs `work` on a backend, after what others run: the backend is a setting of the whole process. Tensors made on another backend are
   * moved when they are used. `work` must not call this again.
   */
  on<T>(provider: TfjsProvider, work: () => T | Promise<T>): Promise<T>;
}

let loaded: Promise<TfjsRuntime> | undefined;

/** @throws PathlightError `engine`: TensorFlow.js cannot be loaded */
export function tfjsRuntime(): Promise<TfjsRuntime> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<TfjsRuntime> {
  try {
    const core = await import('@tensorflow/tfjs-core');
    // Without it the cpu backend advertises tfjs-node on standard error.
    core.enableProdMode();
    const [layers, converter] = await Promise.all([
      // Brings the gradients, too.
      import('@tensorflow/tfjs-layers'),
      import('@tensorflow/tfjs-converter'),
      import('@tensorflow/tfjs-backend-cpu'),
      import('@tensorflow/tfjs-backend-wasm'),
    ]);
    registerGradients(core);
    const providers: TfjsProvider[] = [];
    if (await loadNodeGpu()) providers.push('tfjs-node-gpu');
    completeWasmKernels(core);
    turnConvolutions(core);
    if (await core.setBackend('wasm')) {
      guardWasmMemory(core);
      providers.push('tfjs-wasm');
    }
    await core.setBackend('cpu');
    providers.push('tfjs-cpu');
    for (const provider of providers) skipFilterGradients(core, backends[provider]);
    let last: Promise<unknown> = Promise.resolve();
    return {
      core,
      layers,
      converter,
      providers,
      version: core.version_core,
      on(provider, work) {
        const turn = last.then(async () => {
          const backend = backends[provider];
          if (core.getBackend() !== backend) await core.setBackend(backend);
          return work();
        });
        last = turn.catch(() => undefined);
        return turn;
      },
    };
  } catch (cause) {
    throw new PathlightError(
      'engine',
      `TensorFlow.js cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`,
      'Install the application anew.',
      { cause },
    );
  }
}

/** Never a dependency: its installation fetches a library of its own. */
const nodeGpu = '@tensorflow/tfjs-node-gpu';

/**
 * Loads that package where the user has installed it. It registers the backend `tensorflow` with the one
 * tfjs-core of this process.
 */
async function loadNodeGpu(): Promise<boolean> {
  const require = createRequire(import.meta.url);
  let installed;
  try {
    installed = require.resolve(nodeGpu);
  } catch {
    return false;
  }
  // It calls a function that Node dropped with version 23.
  const util = require('node:util') as { isNullOrUndefined?: (value: unknown) => boolean };
  util.isNullOrUndefined ??= (value) => value === null || value === undefined;
  try {
    await import(pathToFileURL(installed).href);
    return true;
  } catch {
    // Installed, but its native part is missing or does not load: the other backends do its work.
    return false;
  }
}
