// npm run -s pathlight -- …: the command line, installed and built first where that is needed.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import path from 'node:path';
import { nodeBinary, prepare, root } from './prepare.mjs';

/** What asks to stop; the command ends with 130 then. */
const INTERRUPTS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

await prepare({ build: true });
const child = spawn(nodeBinary(), [path.join(root, 'out/main/cli.js'), ...process.argv.slice(2)], {
  // npm runs scripts in the project's folder; paths are meant from where the user is.
  cwd: process.env.INIT_CWD ?? process.cwd(),
  stdio: 'inherit',
});
for (const signal of INTERRUPTS) process.on(signal, () => child.kill(signal));
child.on('close', (code, signal) => process.exit(signal === null ? (code ?? 1) : endedBy(signal)));

/** @returns the exit code */
function endedBy(signal) {
  if (INTERRUPTS.includes(signal)) return 130;
  const guess = signal === 'SIGKILL' ? ': perhaps the memory ran out' : '';
  process.stderr.write(`Pathlight was ended by ${signal}${guess}.\n`);
  return 128 + (constants.signals[signal] ?? 0);
}
