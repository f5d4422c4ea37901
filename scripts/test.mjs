// npm test: installs what is missing, then lint, types, unit, golden, property, acceptance, browser and end-to-end tests.
// `npm test -- unit` (or lint, types, e2e) runs one part.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { findChromium } from './chromium.mjs';
import { binFolder, prepare, root } from './prepare.mjs';

const results = path.join(root, '.cache', 'test-results');

/** Debian packages that the tests need, by the command or the data that shows them to be there. */
const TOOLS = [
  { command: 'chromium', needed: () => findChromium() === undefined, packages: ['chromium'], required: true },
  { command: 'pdftotext', needed: () => !onPath('pdftotext'), packages: ['poppler-utils'], required: false },
  {
    command: 'strace',
    needed: () => process.platform === 'linux' && !onPath('strace'),
    packages: ['strace'],
    required: false,
  },
  {
    command: 'libonnx-testdata',
    needed: () => process.platform === 'linux' && !existsSync('/usr/share/libonnx-testdata'),
    packages: ['libonnx-testdata'],
    required: false,
  },
];

function onPath(command) {
  return (process.env.PATH ?? '')
    .split(path.delimiter)
    .some((folder) => existsSync(path.join(folder, command)));
}

/** Installs the missing tools where the system's package manager may be used, else says what to do. */
function installTools() {
  const missing = TOOLS.filter((tool) => tool.needed());
  if (missing.length === 0) return;
  const packages = missing.flatMap((tool) => tool.packages);
  const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  if (onPath('apt-get')) {
    console.log(`Installing ${packages.join(', ')} with apt-get …`);
    const apt = (...args) => {
      const [command, ...rest] = [...asRoot, 'apt-get', ...args];
      return spawnSync(command, rest, {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      }).status;
    };
    if (apt('-qq', 'update') === 0) apt('-qq', '-y', 'install', '--no-install-recommends', ...packages);
  }
  for (const tool of TOOLS.filter((t) => t.needed())) {
    const how =
      process.platform === 'linux'
        ? `sudo apt-get install ${tool.packages.join(' ')}   (or your system's equivalent)`
        : 'install Chrome, Chromium or Edge, or name one in PATHLIGHT_CHROMIUM';
    if (tool.required) {
      console.error(`The tests need ${tool.command}, which is not installed: ${how}`);
      process.exit(2);
    }
    console.warn(`${tool.command} is not installed, so the tests that need it are skipped: ${how}`);
  }
}

/** Runs one command of node_modules/.bin; resolves with its exit code. Output is held back when `quiet`, until it fails. */
function run(name, command, args, { quiet = false, env = {} } = {}) {
  const started = performance.now();
  return new Promise((resolve) => {
    const child = spawn(path.join(binFolder, command), args, {
      cwd: root,
      shell: process.platform === 'win32',
      stdio: quiet ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, PATH: binFolder + path.delimiter + process.env.PATH, ...env },
    });
    let held = '';
    child.stdout?.on('data', (chunk) => (held += chunk));
    child.stderr?.on('data', (chunk) => (held += chunk));
    child.on('close', (code) => {
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      if (code !== 0 && held) console.log(held);
      console.log(`${code === 0 ? '✓' : '✗'} ${name} (${seconds} s)`);
      resolve(code ?? 1);
    });
  });
}

/** Counts of a JSON report of vitest or Playwright. */
function counts(file) {
  if (!existsSync(file)) return { passed: 0, failed: 0, skipped: 0 };
  const report = JSON.parse(readFileSync(file, 'utf8'));
  return report.stats
    ? {
        passed: report.stats.expected,
        failed: report.stats.unexpected,
        skipped: report.stats.skipped,
      }
    : {
        passed: report.numPassedTests,
        failed: report.numFailedTests,
        skipped: report.numPendingTests + report.numTodoTests,
      };
}

const parts = process.argv.slice(2);
const wanted = (part) => parts.length === 0 || parts.includes(part);
await prepare({ build: true });
if (wanted('unit') || wanted('e2e')) installTools();
rmSync(results, { recursive: true, force: true });
mkdirSync(results, { recursive: true });
const unitReport = path.join(results, 'unit.json');
const e2eReport = path.join(results, 'e2e.json');

const checks = [];
if (wanted('lint')) {
  checks.push(['lint', 'eslint', ['.', '--cache', '--cache-location', '.cache/eslint']]);
  checks.push(['format', 'prettier', ['--check', '.', '--cache', '--cache-location', '.cache/prettier']]);
  checks.push(['unused code', 'knip', []]);
}
if (wanted('types')) {
  checks.push(['types', 'tsc', ['--noEmit']]);
  checks.push(['types of components', 'svelte-check', ['--tsconfig', 'tsconfig.json', '--fail-on-warnings']]);
}
let failed = false;
const lane = async () => {
  for (let next = checks.shift(); next; next = checks.shift()) {
    if ((await run(next[0], next[1], next[2], { quiet: true })) !== 0) failed = true;
  }
};
await Promise.all(Array.from({ length: Math.min(2, os.availableParallelism()) }, lane));

if (wanted('unit')) {
  const code = await run('unit, golden, property, acceptance and browser tests', 'vitest', [
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${unitReport}`,
  ]);
  if (code !== 0) failed = true;
}
if (wanted('e2e')) {
  const code = await run('end-to-end tests', 'playwright', ['test', '--reporter=list,json'], {
    env: { PLAYWRIGHT_JSON_OUTPUT_NAME: e2eReport },
  });
  if (code !== 0) failed = true;
}

const all = [unitReport, e2eReport].map(counts);
const sum = (key) => all.reduce((total, count) => total + count[key], 0);
console.log(failed ? '\nFAILED' : '\nAll checks passed');
console.log(`${sum('passed')} passed, ${sum('failed')} failed, ${sum('skipped')} skipped`);
process.exit(failed ? 1 : 0);
