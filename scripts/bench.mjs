// npm run -s bench -- NAME [options]: prints one JSON object with ratios measured in this run. See test/bench/.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { nodeBinary, prepare, root } from './prepare.mjs';

const folder = path.join(root, 'test/bench');
const [name, ...options] = process.argv.slice(2);
const names = readdirSync(folder)
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -3));
if (name === undefined || !existsSync(path.join(folder, `${name}.ts`))) {
  console.error(`npm run -s bench -- NAME, where NAME is one of: ${names.join(', ')}`);
  process.exit(2);
}
await prepare({ build: false });
const child = spawn(nodeBinary(), [path.join(folder, `${name}.ts`), ...options], {
  // As scripts/pathlight.mjs: paths are meant from where the user is.
  cwd: process.env.INIT_CWD ?? process.cwd(),
  stdio: 'inherit',
  // ONNX Runtime reports its use otherwise.
  env: { ...process.env, ORT_DISABLE_TELEMETRY: '1' },
});
child.on('close', (code) => process.exit(code ?? 1));
