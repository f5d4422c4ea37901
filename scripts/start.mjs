// npm start: installs and builds what is missing, then opens Pathlight: in Electron where its binary is or can be fetched and
// there is a display, else in a browser, saying why.
//   npm start -- [FILE or FOLDER ...]      what to open; default: the samples
//   npm start -- --browser                 the browser host, Electron or not (implied by its own options, see --help)
//   npm run dev                            the browser host; the renderer is rebuilt whenever a file changes
import { spawn } from 'node:child_process';
import path from 'node:path';
import { hasDisplay } from './display.mjs';
import { provideElectron } from './electron.mjs';
import { electronVite, nodeBinary, prepare, root } from './prepare.mjs';

/** Electron that ends this soon, and not well, could not start at all. */
const STARTED_MS = 10_000;

const given = process.argv.slice(2);
const development = given.includes('--dev');
const rest = given.filter((argument) => argument !== '--dev' && argument !== '--browser');
const forBrowserHost = development || given.includes('--browser') || rest.some((one) => one.startsWith('-'));

await prepare({ build: true });
// Without a display there is an address to print, and nothing to open; the browser host says so.
const reason = forBrowserHost || !hasDisplay() ? undefined : await runElectron();
if (reason !== undefined) console.error(`${reason}: opening Pathlight in the browser.`);
if (development) void run(nodeBinary(), [electronVite, 'build', '--watch']);
process.exit(await run(nodeBinary(), [path.join(root, 'out/main/serve.js'), ...rest]));

/** Runs the application in Electron to its end, and ends with it. @returns why it could not */
async function runElectron() {
  const { binary, reason } = await provideElectron();
  if (binary === undefined) return reason;
  const started = performance.now();
  // Chromium refuses to run its sandbox as root.
  const asRoot = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const code = await run(binary, [...asRoot, root, ...rest]);
  if (code === 0 || performance.now() - started > STARTED_MS) process.exit(code);
  return `Electron could not start (exit code ${code})`;
}

/** Starts a program that ends when this one is told to. @returns its exit code */
function run(command, args) {
  const child = spawn(command, args, { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  return new Promise((resolve) => {
    child.once('error', () => resolve(127));
    child.once('close', (code) => resolve(code ?? 130));
  });
}
