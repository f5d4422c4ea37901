/** `pathlight devices`: what can compute gradients here, and why the rest cannot. */
import type { DeviceOffer } from '../../core/contract/device.ts';
import { Devices } from '../engine/devices.ts';
import type { Command } from './arguments.ts';
import { type ExitCode, sentence, type Terminal } from './session.ts';

export async function devices(
  { json }: Extract<Command, { command: 'devices' }>,
  { out }: Terminal,
): Promise<ExitCode> {
  const offers = await new Devices().list();
  if (json) for (const offer of offers) out.write(`${JSON.stringify(offer)}\n`);
  else out.write(offers.map(offerText).join(''));
  return 0;
}

function offerText({ provider, name, available, reason, selfTest }: DeviceOffer): string {
  const lines = [`${provider.padEnd(8)}${available ? 'available' : 'not available'}`];
  if (name !== '') lines.push(name);
  if (selfTest !== null) {
    const { error, tolerance, rounding, roundingTolerance, nodes, fallbackNodes } = selfTest;
    const elsewhere = fallbackNodes === 0 ? 'all on the device' : `${fallbackNodes} of them on the CPU`;
    lines.push(
      `self-test: differs from the CPU by ${error.toExponential(1)} (at most ${tolerance}), where they agree best by ${rounding.toExponential(1)} (at most ${roundingTolerance}); ${nodes} nodes, ${elsewhere}`,
    );
  }
  if (reason !== '') lines.push(sentence(reason));
  return `${lines.join('\n        ')}\n`;
}
