// Chromium and the DevTools protocol that steers it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { chromiumArguments, findChromium } from '../../scripts/chromium.mjs';

/** Starts Chromium without a window. @returns its process and its DevTools address */
export async function launchChromium(profile, switches) {
  const binary = findChromium();
  if (binary === undefined) throw new Error('The Electron double needs Chromium, and none is installed');
  const own = [
    '--headless',
    '--no-startup-window',
    '--disable-extensions',
    '--disable-features=PaintHolding,Translate,MediaRouter,OptimizationHints',
    '--remote-debugging-port=0',
    `--user-data-dir=${path.join(profile, 'chromium')}`,
    ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
    ...chromiumArguments,
  ];
  const kept = switches.filter((one) => !/^--(inspect|remote-debugging|user-data-dir|headless)/.test(one));
  const chromium = spawn(binary, [...new Set([...own, ...kept])], { stdio: ['ignore', 'ignore', 'pipe'] });
  process.on('exit', () => chromium.kill('SIGKILL'));
  const address = await Promise.race([
    new Promise((resolve) => {
      createInterface({ input: chromium.stderr }).on('line', (line) => {
        const found = /^DevTools listening on (ws:.*)$/.exec(line);
        if (!found) return;
        // Playwright waits for this line, as Electron prints it.
        console.error(line);
        resolve(found[1]);
      });
    }),
    once(chromium, 'exit').then(([code]) => Promise.reject(new Error(`Chromium ended with ${code}`))),
  ]);
  return { chromium, address };
}

/** One connection; events go to the listener of their session. */
export class DevTools {
  #next = 0;
  #pending = new Map();
  #listeners = new Map();

  static async connect(address) {
    const devTools = new DevTools();
    devTools.socket = new WebSocket(address);
    await once(devTools.socket, 'open');
    devTools.socket.onmessage = ({ data }) => devTools.#receive(JSON.parse(data));
    return devTools;
  }

  listen(session, listener) {
    this.#listeners.set(session, listener);
  }

  send(method, params = {}, sessionId = undefined) {
    const id = ++this.#next;
    this.socket.send(JSON.stringify({ id, method, params, sessionId }));
    return new Promise((resolve, reject) => this.#pending.set(id, { method, resolve, reject }));
  }

  #receive({ id, method, params, result, error, sessionId }) {
    if (id === undefined) return this.#listeners.get(sessionId)?.(method, params);
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (error) pending.reject(new Error(`${pending.method}: ${error.message}`));
    else pending.resolve(result);
  }
}
