// Where Electron's binary is, and how to get it. The npm package brings none: it is fetched once, where that is possible.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { nodeBinary, root } from './prepare.mjs';

const PATIENCE_MS = 3000;
const DOWNLOAD_MS = 10 * 60_000;
const folder = path.join(root, 'node_modules', 'electron');
const NAMES = { darwin: 'Electron.app/Contents/MacOS/Electron', win32: 'electron.exe' };

/** Path of the binary, or undefined. Never downloads, which importing the package would. */
export function findElectron() {
  const name = NAMES[process.platform] ?? 'electron';
  const distribution = process.env.ELECTRON_OVERRIDE_DIST_PATH ?? path.join(folder, 'dist');
  const binary = path.join(distribution, name);
  return existsSync(binary) ? binary : undefined;
}

/** Finds the binary, or fetches it where its server answers. @returns {binary} or, without it, {reason} */
export async function provideElectron() {
  const found = findElectron();
  if (found !== undefined) return { binary: found };
  const { version } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
  const mirror =
    process.env.ELECTRON_MIRROR ?? process.env.npm_config_electron_mirror ?? 'https://github.com/';
  const { hostname, protocol, port } = new URL(mirror);
  if (!(await answers(hostname, Number(port) || (protocol === 'http:' ? 80 : 443)))) {
    return { reason: `Electron ${version} is not installed, and ${hostname} cannot be reached to fetch it` };
  }
  console.error(`Fetching Electron ${version} from ${hostname} (once, about 120 MB) …`);
  const { status } = spawnSync(nodeBinary(), [path.join(folder, 'install.js')], {
    stdio: ['ignore', 2, 'ignore'],
    timeout: DOWNLOAD_MS,
  });
  const binary = findElectron();
  return status === 0 && binary !== undefined
    ? { binary }
    : { reason: `Electron ${version} is not installed, and fetching it from ${hostname} failed` };
}

/** Whether a server takes a connection within the patience, name look-up included. */
function answers(host, port) {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port });
    const done = (answer) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(done, PATIENCE_MS, false);
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
  });
}
