/**
 * The Electron host: one window on `app://pathlight`, sandboxed and without any network.
 *
 * The page reaches main by one MessagePort, given to our own page only; everything else it could ask for (navigation,
 * new windows, permissions, requests beyond its own scheme) is denied.
 */
import { rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import {
  app as electron,
  BrowserWindow,
  dialog,
  ipcMain,
  Menu,
  MessageChannelMain,
  protocol,
  session,
  utilityProcess,
  type IpcMainEvent,
  type MessagePortMain,
  type Session,
} from 'electron';
import { CHANNEL_MESSAGE } from '../../core/contract/bridge.ts';
import { serveChannel, type Channel } from '../../core/contract/channel.ts';
import { PathlightError, toErrorReport } from '../../core/contract/errors.ts';
import type { Packet } from '../../core/contract/packet.ts';
import { createApp } from '../app/app.ts';
import type { App, EngineProcess } from '../app/app-interface.ts';
import { engineEntry, engineEnvironment } from '../engine/spawn.ts';
import { dataFolder } from '../store/data-folder.ts';
import { serveContent } from './content.ts';

const SCHEME = 'app';
const ORIGIN = `${SCHEME}://pathlight`;
const BUILT = path.join(electron.getAppPath(), 'out');

/** Chromium's own traffic, off; were something left, every name would lead to this machine's discard port. */
const SWITCHES: readonly [string, string?][] = [
  ['disable-background-networking'],
  ['disable-component-update'],
  ['disable-domain-reliability'],
  ['disable-sync'],
  ['disable-quic'],
  ['no-pings'],
  ['host-resolver-rules', 'MAP * 127.0.0.1:9, EXCLUDE *.localhost'],
  // Without a GPU, Chromium offers WebGL2 only on request.
  ['enable-unsafe-swiftshader'],
];

/**
 * Sets up what must be set up before Electron is ready, and the rest when it is. Returns at once: Electron is not ready
 * before its entry module has been evaluated to the end.
 */
export function runElectronHost(): void {
  for (const [name, value] of SWITCHES) electron.commandLine.appendSwitch(name, value);
  electron.enableSandbox();
  protocol.registerSchemesAsPrivileged([
    { scheme: SCHEME, privileges: { standard: true, secure: true, supportFetchAPI: true, stream: true } },
  ]);
  if (!electron.requestSingleInstanceLock()) {
    process.stderr.write('Pathlight is open already.\n');
    electron.quit();
    return;
  }
  electron
    .whenReady()
    .then(start)
    .catch((error: unknown) => {
      const { message, advice } = toErrorReport(error);
      dialog.showErrorBox('Pathlight cannot start', `${message}\n${advice}`);
      electron.exit(1);
    });
}

function start(): void {
  const resources = electron.isPackaged ? process.resourcesPath : electron.getAppPath();
  const paths = pathArguments();
  const app = createApp({
    host: { kind: 'electron', chooseFiles, saveReport },
    initialPaths: paths.length > 0 ? paths : [path.join(resources, 'examples')],
    modelsFolder: path.join(resources, 'models'),
    dataFolder: dataFolder(),
    spawnEngine,
  });
  // In memory: no patient's pixels in a disk cache.
  const offline = session.fromPartition('pathlight', { cache: false });
  confine(offline);
  offline.protocol.handle(SCHEME, (request) => serveContent(app, path.join(BUILT, 'renderer'), request));
  ipcMain.on(CHANNEL_MESSAGE, (event) => givePort(event, app));

  Menu.setApplicationMenu(menu());
  let window = openWindow(offline);
  electron.on('second-instance', () => {
    if (window.isMinimized()) window.restore();
    window.focus();
  });
  electron.on('activate', () => {
    if (window.isDestroyed()) window = openWindow(offline);
  });
  electron.on('window-all-closed', () => {
    if (process.platform !== 'darwin') electron.quit();
  });
  endOrderly(app);
}

/** The files and folders on the command line, absolute. */
function pathArguments(): string[] {
  // Unpackaged, the first argument is the application's own folder.
  return process.argv
    .slice(electron.isPackaged ? 1 : 2)
    .filter((argument) => !argument.startsWith('-'))
    .map((argument) => path.resolve(argument));
}

function openWindow(offline: Session): BrowserWindow {
  const window = new BrowserWindow({
    title: 'Pathlight',
    width: 1500,
    height: 950,
    minWidth: 900,
    minHeight: 600,
    show: false,
    backgroundColor: '#0e1013',
    webPreferences: {
      session: offline,
      preload: path.join(BUILT, 'preload', 'index.cjs'),
      contextIsolation: true,
      nodeIntegration: false,
      sandbox: true,
      webviewTag: false,
      spellcheck: false,
      devTools: !electron.isPackaged,
    },
  });
  window.once('ready-to-show', () => window.show());
  // The system shows a window's title in lists and recordings: it never holds a patient's name.
  window.on('page-title-updated', (event) => event.preventDefault());
  window.webContents.setWindowOpenHandler(() => ({ action: 'deny' }));
  window.webContents.on('will-navigate', (event) => event.preventDefault());
  window.webContents.on('will-redirect', (event) => event.preventDefault());
  window.webContents.on('will-attach-webview', (event) => event.preventDefault());
  void window.loadURL(`${ORIGIN}/index.html`);
  return window;
}

/** No permissions, no devices, no downloads, no spelling dictionaries, and no request that leaves the application. */
function confine(offline: Session): void {
  offline.setPermissionRequestHandler((_contents, _permission, answer) => answer(false));
  offline.setPermissionCheckHandler(() => false);
  offline.setDevicePermissionHandler(() => false);
  offline.setSpellCheckerEnabled(false);
  offline.on('will-download', (event) => event.preventDefault());
  offline.webRequest.onBeforeRequest(({ url }, answer) => answer({ cancel: !isLocal(url) }));
}

const isLocal = (url: string): boolean =>
  [`${SCHEME}:`, 'blob:', 'data:', 'devtools:'].some((scheme) => url.startsWith(scheme));

/** Answers our page's request for its channel; a reload asks again, and its old port closes by itself. */
function givePort(event: IpcMainEvent, app: App): void {
  const { sender, senderFrame } = event;
  if (senderFrame !== sender.mainFrame || senderFrame.origin !== ORIGIN) return;
  const { port1, port2 } = new MessageChannelMain();
  serveChannel(portChannel(port1), app.calls, app.streams);
  sender.postMessage(CHANNEL_MESSAGE, null, [port2]);
}

function portChannel(port: MessagePortMain): Channel {
  return {
    send: (packet) => port.postMessage(packet),
    onMessage: (listener) => {
      port.on('message', (event) => listener(event.data as Packet));
      port.start();
    },
    onClose: (listener) => {
      port.once('close', listener);
    },
    close: () => port.close(),
  };
}

function spawnEngine(): EngineProcess {
  const child = utilityProcess.fork(engineEntry(), [], {
    serviceName: 'Pathlight engine',
    env: engineEnvironment(),
  });
  return {
    get pid() {
      return child.pid;
    },
    send: (message) => child.postMessage(message),
    onMessage: (listener) => {
      child.on('message', listener);
    },
    onExit: (listener) => {
      child.once('exit', listener);
    },
    kill: () => {
      child.kill();
    },
  };
}

async function chooseFiles(): Promise<string[] | null> {
  const { canceled, filePaths } = await dialog.showOpenDialog({
    properties: ['openDirectory', 'multiSelections'],
  });
  return canceled ? null : filePaths;
}

async function saveReport(fileName: string, bytes: Uint8Array): Promise<boolean> {
  const { canceled, filePath } = await dialog.showSaveDialog({
    defaultPath: path.join(electron.getPath('documents'), fileName),
    filters: [{ name: 'PDF', extensions: ['pdf'] }],
  });
  if (canceled) return false;
  const partial = `${filePath}.partial`;
  try {
    await writeFile(partial, bytes);
    await rename(partial, filePath);
  } catch (cause) {
    await rm(partial, { force: true }).catch(() => undefined);
    throw new PathlightError(
      'write-failed',
      'The report could not be written there',
      'Choose another folder, or make room on the disk',
      { cause },
    );
  }
  return true;
}

function menu() {
  return Menu.buildFromTemplate([
    ...(process.platform === 'darwin' ? [{ role: 'appMenu' as const }] : []),
    { label: 'File', submenu: [{ role: 'quit' }] },
    { role: 'editMenu' },
    {
      label: 'View',
      submenu: [
        { role: 'togglefullscreen' },
        ...(electron.isPackaged ? [] : [{ role: 'reload' as const }, { role: 'toggleDevTools' as const }]),
      ],
    },
  ]);
}

/** Quitting waits for the engine's end. */
function endOrderly(app: App): void {
  let closed = false;
  electron.on('will-quit', (event) => {
    if (closed) return;
    event.preventDefault();
    void app.close().finally(() => {
      closed = true;
      electron.quit();
    });
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => electron.quit());
}
