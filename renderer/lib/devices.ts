/** Devices in the reader's words. */
import type { BackendTest, DeviceTest, Provider, TfjsProvider } from '../../core/contract/device.ts';
import { formatCount, formatPercent, formatSmall } from './format.ts';

export const providerNames: Readonly<Record<Provider | TfjsProvider, string>> = {
  cpu: 'CPU',
  webgpu: 'WebGPU',
  cuda: 'CUDA',
  dml: 'DirectML',
  coreml: 'Core ML',
  'tfjs-node-gpu': 'TensorFlow.js on CUDA',
  'tfjs-wasm': 'TensorFlow.js on WebAssembly',
  'tfjs-cpu': 'TensorFlow.js in JavaScript',
};

/** @param what of which the gradient is: "a test network", "this model" */
export function describeSelfTest(test: DeviceTest | BackendTest, what: string): string {
  const reference = 'p99' in test ? 'that in plain JavaScript' : 'the CPU’s';
  const figure = `Its gradient of ${what} differs from ${reference} by ${formatSmall(100 * test.error)} %; at most ${formatPercent(test.tolerance, 0)} is allowed.`;
  if ('p99' in test || test.fallbackNodes === 0) return figure;
  return `${figure} ${formatCount(test.fallbackNodes)} of ${formatCount(test.nodes)} steps ran on the CPU all the same.`;
}
