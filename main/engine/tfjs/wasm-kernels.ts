/**
 * What tfjs-backend-wasm 4.22 lacks or does wrongly for gradients, taken from the cpu backend: the wasm backend has no kernel for the
 * gradients of a depthwise convolution, of a convolution's filter or of a gather. Its MaxPoolGrad gives nothing to a window that holds
 * no positive value, its MaxPool3D takes a number above 0 for such a window's maximum, and the input gradient of its Conv3D is wrong
 * where strides or window are not the same along every axis. test/property/tfjs-gradients.test.ts holds every kernel against cpu.
 */
import type { KernelConfig, TensorInfo, TypedArray } from '@tensorflow/tfjs-core';
import { PathlightError } from '../../../core/contract/errors.ts';
import type { Core } from './libraries.ts';

/** Kernels that the wasm backend has, but whose answers are wrong. */
const wrongWasmKernels: readonly string[] = [
  'Conv3DBackpropInputV2',
  'MaxPool3D',
  'MaxPool3DGrad',
  'MaxPoolGrad',
];

interface EmscriptenMemory {
  _malloc(bytes: number): number;
  _free(address: number): void;
}

/** The part of a backend that moves numbers in and out of it. */
export interface NumberStore {
  write(values: unknown, shape: number[], dtype: string): object;
  readSync(dataId: object): TypedArray;
  disposeData(dataId: object, force: boolean): boolean;
}

/**
 * Lets the wasm backend run every kernel that the cpu backend has: its own where that is right, else the cpu backend's, on a copy of
 * the numbers.
 */
export function completeWasmKernels(core: Core): void {
  for (const name of wrongWasmKernels) core.unregisterKernel(name, 'wasm');
  const own = new Set(core.getKernelsForBackend('wasm').map(({ kernelName }) => kernelName));
  for (const kernel of core.getKernelsForBackend('cpu')) {
    if (!own.has(kernel.kernelName)) core.registerKernel(borrowed(core, kernel));
  }
}

function borrowed(core: Core, { kernelName, kernelFunc }: KernelConfig): KernelConfig {
  return {
    kernelName,
    backendName: 'wasm',
    kernelFunc({ inputs, attrs, backend }) {
      const wasm = backend as unknown as NumberStore;
      const cpu = core.findBackend('cpu') as unknown as NumberStore;
      // An optional input may be missing.
      const toCpu = (input: TensorInfo | undefined): TensorInfo | undefined =>
        input && copy(wasm, cpu, input);
      // Some kernels take their inputs as a list.
      const moved = Array.isArray(inputs)
        ? (inputs as TensorInfo[]).map(toCpu)
        : Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, toCpu(input)]));
      const result = kernelFunc({
        inputs: moved as typeof inputs,
        ...(attrs === undefined ? {} : { attrs }),
        backend: cpu,
      });
      const written = new Set([...Object.values(moved), result].flat().map((each) => each?.dataId));
      const answer = Array.isArray(result)
        ? result.map((output) => copy(cpu, wasm, output))
        : copy(cpu, wasm, result);
      for (const dataId of written) if (dataId !== undefined) cpu.disposeData(dataId, true);
      return answer;
    },
  };
}

function copy(from: NumberStore, to: NumberStore, { dataId, shape, dtype }: TensorInfo): TensorInfo {
  return { dataId: to.write(from.readSync(dataId), shape, dtype), shape, dtype };
}

/**
 * Makes the backend say that its memory is full. Its own allocation answers 0 then, where the backend would go on writing, over
 * other tensors; and it takes sizes modulo 4 GiB.
 */
export function guardWasmMemory(core: Core): void {
  // Its type does not tell of the functions that Emscripten brings.
  const { wasm } = core.findBackend('wasm') as unknown as { wasm: EmscriptenMemory };
  // The first call replaces the function by the one that it stands for.
  wasm._free(wasm._malloc(1));
  const allocate = wasm._malloc.bind(wasm);
  wasm._malloc = (bytes: number): number => {
    const address = bytes < 2 ** 32 ? allocate(bytes) : 0;
    if (address !== 0 || bytes === 0) return address;
    throw new PathlightError(
      'too-large',
      'The model asks for more memory than the wasm backend has (4 GiB).',
      'Choose a smaller model, or one with a smaller input.',
    );
  };
}
