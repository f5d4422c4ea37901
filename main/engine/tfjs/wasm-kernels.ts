/**
 * What tfjs-backend-wasm 4.22 lacks or does wrongly for gradients, taken from the cpu backend: the wasm backend has no kernel for the
 * gradients of a depthwise convolution, of a convolution's filter or of a gather; and its MaxPoolGrad gives nothing to a window that
 * holds no positive value.
 */
import type { KernelBackend, KernelConfig, TensorInfo, TypedArray } from '@tensorflow/tfjs-core';
import { PathlightError } from '../../../core/contract/errors.ts';

type Core = typeof import('@tensorflow/tfjs-core');

/** Kernels that the wasm backend has, but whose answers are wrong. */
export const wrongWasmKernels: readonly string[] = ['MaxPoolGrad'];

/** The part of a backend that moves numbers in and out of it. */
interface NumberStore extends KernelBackend {
  write(values: unknown, shape: number[], dtype: string): object;
  readSync(dataId: object): TypedArray;
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
      const [wasm, cpu] = [backend as NumberStore, core.findBackend('cpu') as NumberStore];
      const copy = (
        from: NumberStore,
        to: NumberStore,
        { dataId, shape, dtype }: TensorInfo,
      ): TensorInfo => ({
        dataId: to.write(from.readSync(dataId), shape, dtype),
        shape,
        dtype,
      });
      const onCpu = Object.entries(inputs).map(([name, value]) => [
        name,
        // An optional input may be missing.
        value === undefined || value === null ? value : copy(wasm, cpu, value as TensorInfo),
      ]);
      const result = kernelFunc({
        inputs: Object.fromEntries(onCpu) as typeof inputs,
        ...(attrs === undefined ? {} : { attrs }),
        backend: cpu,
      });
      const outputs = (Array.isArray(result) ? result : [result]).map((output) => copy(cpu, wasm, output));
      const used = new Set([
        ...onCpu.flatMap(([, value]) => (value ? [(value as TensorInfo).dataId] : [])),
        ...(Array.isArray(result) ? result : [result]).map(({ dataId }) => dataId),
      ]);
      for (const dataId of used) cpu.disposeData(dataId, true);
      return Array.isArray(result) ? outputs : (outputs[0] as TensorInfo);
    },
  };
}

/**
 * Makes the backend say that its memory is full. Its own allocation answers 0 then, where the backend would go on writing, over
 * other tensors; and it takes sizes modulo 4 GiB.
 */
export function guardWasmMemory(core: Core): void {
  // Its type does not tell of the functions that Emscripten brings.
  const { wasm } = core.findBackend('wasm') as unknown as { wasm: { _malloc(bytes: number): number } };
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
