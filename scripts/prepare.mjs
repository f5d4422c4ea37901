// What every command does first: install what the lockfile says, and build what has changed. A second when nothing has.
// Runs on the system's Node (20 or later); what comes after it runs on `nodeBinary()`.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url)).replace(/[\\/]$/, '');
export const binFolder = path.join(root, 'node_modules', '.bin');

const NODE_MAJOR = 24;

/** Folders and files that the build reads. */
const SOURCES = [
  'core',
  'main',
  'preload',
  'renderer',
  'scripts/chromium.mjs',
  'scripts/display.mjs',
  'electron.vite.config.ts',
  'svelte.config.js',
  'tsconfig.json',
  'package.json',
  'package-lock.json',
];
const BUILT = ['out/main/index.js', 'out/main/serve.js', 'out/preload/index.cjs', 'out/renderer/index.html'];
const buildStamp = path.join(root, 'out', '.sources');

/** @throws never: where something cannot be done, it says what to do and ends the process with 2 */
export async function prepare({ build }) {
  requireNode();
  if (!isInstalled()) install();
  if (build) buildWhereChanged();
}

/** The Node that Pathlight runs on: the one its own dependencies bring, else the one that runs this, if new enough. */
export function nodeBinary() {
  const name = process.platform === 'win32' ? 'node.exe' : 'node';
  const own = path.join(root, 'node_modules', ownNodePackage(), 'bin', name);
  return existsSync(own) ? own : process.execPath;
}

const ownNodePackage = () =>
  `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;

const systemMajor = () => Number(process.versions.node.split('.')[0]);

function requireNode() {
  const { optionalDependencies = {} } = readJson('package.json');
  if (ownNodePackage() in optionalDependencies || systemMajor() >= NODE_MAJOR) return;
  fail(
    `Pathlight needs Node ${NODE_MAJOR} or later on ${process.platform} ${process.arch}; this is Node ${process.versions.node}.`,
    'Install it from https://nodejs.org and run the command again.',
  );
}

/** Whether node_modules holds what the lockfile says; npm keeps its own record of what it installed. */
function isInstalled() {
  const record = path.join('node_modules', '.package-lock.json');
  if (!existsSync(path.join(root, record))) return false;
  if (nodeBinary() === process.execPath && systemMajor() < NODE_MAJOR) return false;
  const installed = readJson(record).packages;
  return Object.entries(readJson('package-lock.json').packages).every(
    ([folder, { version, optional }]) =>
      folder === '' ||
      (installed[folder] === undefined ? optional === true : installed[folder].version === version),
  );
}

function install() {
  console.error('Installing what Pathlight needs (once; about a minute) …');
  // The npm that runs this script where one does: it is the one the reader chose.
  const given = process.env.npm_execpath;
  const [command, ...first] = given?.endsWith('.js') ? [process.execPath, given] : ['npm'];
  const { status, error } = spawnSync(
    command,
    [...first, 'ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error'],
    { cwd: root, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' && command === 'npm' },
  );
  if (status !== 0) {
    fail(
      `Installing failed${error ? `: ${error.message}` : ''}.`,
      'The lines above say why; most often it is the network. Run the command again when that is mended.',
    );
  }
  if (!isInstalled())
    fail('The installation is not complete.', 'Delete the folder node_modules and run the command again.');
}

function buildWhereChanged() {
  const sources = hashOfSources();
  const current = existsSync(buildStamp) ? readFileSync(buildStamp, 'utf8') : undefined;
  if (current === sources && BUILT.every((file) => existsSync(path.join(root, file)))) return;
  console.error('Building …');
  rmSync(buildStamp, { force: true });
  const { status, stdout, stderr } = spawnSync(nodeBinary(), [electronVite, 'build'], {
    cwd: root,
    encoding: 'utf8',
  });
  if (status !== 0) {
    console.error(stdout, stderr);
    fail('The build failed.', 'The lines above say why.');
  }
  mkdirSync(path.dirname(buildStamp), { recursive: true });
  writeFileSync(buildStamp, sources);
}

export const electronVite = path.join(root, 'node_modules', 'electron-vite', 'bin', 'electron-vite.js');

/** By content: a checkout or a copy changes times and nothing else. */
function hashOfSources() {
  const hash = createHash('sha256');
  const add = (name) => hash.update(`${name}\0`).update(readFileSync(path.join(root, name)));
  for (const source of SOURCES) {
    if (path.extname(source) !== '') add(source);
    else for (const file of filesBelow(source)) add(file);
  }
  return hash.digest('hex');
}

function filesBelow(folder) {
  return readdirSync(path.join(root, folder), { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const name = path.posix.join(folder, entry.name);
      return entry.isDirectory() ? filesBelow(name) : [name];
    });
}

const readJson = (name) => JSON.parse(readFileSync(path.join(root, name), 'utf8'));

function fail(what, advice) {
  console.error(`${what}\n${advice}`);
  process.exit(2);
}
