// The application object: life cycle, paths, switches.
import { EventEmitter, once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DevTools, launchChromium } from './cdp.mjs';
import { serveSchemes } from './schemes.mjs';

class App extends EventEmitter {
  isPackaged = false;
  devTools;
  #root;
  #manifest;
  #switches = [];
  #profile = mkdtempSync(path.join(os.tmpdir(), 'electron-double-'));
  #ready = Promise.withResolvers();
  #isReady = false;
  #chromium;
  #ending = false;

  commandLine = {
    appendSwitch: (name, value) => this.#switches.push(value ? `--${name}=${value}` : `--${name}`),
  };

  async start({ root, manifest, switches }, evaluated) {
    this.#root = root;
    this.#manifest = manifest;
    this.#switches.push(...switches);
    await evaluated;
    await serveSchemes();
    const { chromium, address } = await launchChromium(this.#profile, this.#switches);
    this.#chromium = chromium;
    chromium.on('exit', () => this.#ending || this.exit(1));
    this.devTools = await DevTools.connect(address);
    this.emit('connected');
    this.#isReady = true;
    this.#ready.resolve();
    this.emit('ready');
  }

  whenReady = () => this.#ready.promise;
  isReady = () => this.#isReady;
  getAppPath = () => this.#root;
  getName = () => this.#manifest.name;
  getVersion = () => this.#manifest.version;
  getPath = (name) => (name === 'temp' ? os.tmpdir() : path.join(this.#profile, name));
  requestSingleInstanceLock = () => true;
  enableSandbox() {}

  quit() {
    let prevented = false;
    const event = { preventDefault: () => (prevented = true) };
    this.emit('before-quit', event);
    if (prevented) return;
    this.emit('will-quit', event);
    if (!prevented) this.exit(0);
  }

  async exit(code = 0) {
    if (this.#ending) return;
    this.#ending = true;
    this.emit('quit', {}, code);
    const chromium = this.#chromium;
    if (chromium !== undefined && chromium.exitCode === null) {
      const ended = once(chromium, 'exit');
      void this.devTools?.send('Browser.close').catch(() => undefined);
      const slow = setTimeout(() => chromium.kill('SIGKILL'), 3000);
      await ended;
      clearTimeout(slow);
    }
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 3 });
    process.exit(code);
  }
}

export const app = new App();
