/** `pathlight model check`: whether a model can be explained, and if not, why; what a gradient asks of the machine, device by device. */
import type { Cost } from '../../core/onnx/cost.ts';
import { type DeviceMeasurement, Devices } from '../engine/devices.ts';
import type { ModelSupport } from '../engine/engine.ts';
import type { Command } from './arguments.ts';
import { type ExitCode, sentence, type Terminal, withSession } from './session.ts';

export async function modelCheck(
  { file, json }: Extract<Command, { command: 'model check' }>,
  { out }: Terminal,
): Promise<ExitCode> {
  const support = await withSession({ models: null, device: 'cpu' }, ({ engine }) => engine.check(file));
  // A model in TensorFlow.js form chooses its backend itself, and its notes say which.
  const measurable = support.explainable && support.opset !== null;
  if (!json) out.write(supportText(support));
  const devices = measurable ? await Array.fromAsync(new Devices().measure(file)) : [];
  if (json) out.write(`${JSON.stringify({ ...support, devices })}\n`);
  else if (measurable) out.write(devicesText(devices));
  return support.explainable ? 0 : 1;
}

function supportText(support: ModelSupport): string {
  const { explainable, inputs, outputs, preprocessing, opset, operators, reasons, notes } = support;
  const tensor = ({ name, type, shape }: ModelSupport['inputs'][number]): string =>
    `${name}: ${type} [${shape.join(', ')}]`;
  const kinds = {
    differentiable: 'differentiable',
    'zero-gradient': 'without a gradient',
    refused: 'REFUSED',
  };
  return [
    explainable ? 'This model can be explained.' : 'This model cannot be explained:',
    ...reasons.map((reason) => `  ${sentence(reason)}`),
    ...(opset === null ? [] : [`Opset ${opset}`]),
    ...notes,
    ...inputs.map((input) => `Input  ${tensor(input)}`),
    ...outputs.map((output) => `Output ${tensor(output)}`),
    `Preprocessing, as far as the file tells: ${preprocessing.layout ?? 'layout unknown'}, ${
      preprocessing.channels === null
        ? 'channels unknown'
        : `${preprocessing.channels} channel${preprocessing.channels === 1 ? '' : 's'}`
    }; values: ${preprocessing.values}`,
    'Operators',
    ...operators.map(({ operator, count, support }) => `  ${operator} (${count}): ${kinds[support]}`),
    '',
  ].join('\n');
}

function devicesText(devices: readonly DeviceMeasurement[]): string {
  const cost = devices.find(({ measured }) => measured !== null)?.measured?.cost;
  return [
    'A gradient (the score and its gradient, of one image)',
    ...(cost === undefined ? [] : [`  ${costText(cost)}`]),
    ...devices.map(({ provider, name, reason, measured }) => {
      const what = `  ${provider.padEnd(8)}`;
      if (measured === null) return `${what}${sentence(reason)}`;
      const { gradientMs, openMs, peakMB, selfTest } = measured;
      const test = selfTest === null ? '' : `; differs from the CPU by ${selfTest.error.toExponential(1)}`;
      return `${what}${gradientMs.toFixed(gradientMs < 10 ? 1 : 0)} ms, opened in ${(openMs / 1000).toFixed(1)} s, ${peakMB.toFixed(0)} MB at most${test}${name === '' ? '' : `  (${name})`}`;
    }),
    '',
  ].join('\n');
}

function costText({ weights, perImage, multiplyAdds }: Cost): string {
  const mega = (value: number): string => (value / 1e6).toFixed(value < 1e7 ? 1 : 0);
  return `${mega(multiplyAdds)} million multiplications, ${mega(weights)} MB of weights, ${mega(perImage)} MB of values at once (estimated from the shapes)`;
}
