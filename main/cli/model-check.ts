/** `pathlight model check`: whether a model can be explained, and if not, why. */
import type { ModelSupport } from '../engine/engine.ts';
import type { Command } from './arguments.ts';
import { type ExitCode, sentence, type Terminal, withSession } from './session.ts';

export async function modelCheck(
  { file, json }: Extract<Command, { command: 'model check' }>,
  { out }: Terminal,
): Promise<ExitCode> {
  const support = await withSession({ models: null, device: 'cpu' }, ({ engine }) => engine.check(file));
  out.write(json ? `${JSON.stringify(support)}\n` : supportText(support));
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
