/** Devices in the reader's words. */
import type { Provider, SelfTest, TfjsProvider } from '../../core/contract/device.ts';
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
export function describeSelfTest({ error, tolerance, nodes, fallbackNodes }: SelfTest, what: string): string {
  const figure = `Its gradient of ${what} differs from the CPU’s by ${formatSmall(100 * error)} %; at most ${formatPercent(tolerance, 0)} is allowed.`;
  if (fallbackNodes === 0) return figure;
  return `${figure} ${formatCount(fallbackNodes)} of ${formatCount(nodes)} steps ran on the CPU all the same.`;
}
