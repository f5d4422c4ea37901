// Runs an unmodified Electron main script in plain Node, with `electron` resolved to ./electron.mjs.
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const double = new URL('./electron.mjs', import.meta.url).href;
registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'electron'
      ? { url: double, format: 'module', shortCircuit: true }
      : next(specifier, context),
});

const given = process.argv.slice(2);
const at = given.findIndex((argument) => !argument.startsWith('-'));
const root = path.resolve(at === -1 ? '.' : given[at]);
const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));

// As under Electron: the application's folder, then its arguments.
process.argv = [process.argv[0], root, ...given.slice(at + 1)];
process.type = 'browser';
process.resourcesPath = path.join(root, 'resources');
Object.defineProperty(process.versions, 'electron', { value: 'double' });

const { start } = await import(double);
const evaluated = import(pathToFileURL(path.resolve(root, manifest.main)).href);
// As in Electron, the application is not ready before its entry module has been evaluated to the end.
start({ root, manifest, switches: given.filter((argument) => argument.startsWith('--')) }, evaluated);
await evaluated;
