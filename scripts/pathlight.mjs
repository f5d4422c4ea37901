// npm run -s pathlight -- …: the command line, installed and built first where that is needed.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { nodeBinary, prepare, root } from './prepare.mjs';

await prepare({ build: true });
const child = spawn(nodeBinary(), [path.join(root, 'out/main/cli.js'), ...process.argv.slice(2)], {
  // npm runs scripts in the project's folder; paths are meant from where the user is.
  cwd: process.env.INIT_CWD ?? process.cwd(),
  stdio: 'inherit',
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('close', (code, signal) => process.exit(signal === null ? (code ?? 1) : 130));
