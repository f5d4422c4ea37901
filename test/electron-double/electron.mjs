// The `electron` module of the main process, as far as Pathlight uses it. What is not here is absent on purpose: importing
// it fails when the main script is linked.
import { app } from './app.mjs';
import { ipcMain } from './ipc.mjs';
import { MessageChannelMain } from './ports.mjs';
import { protocol } from './schemes.mjs';
import { session } from './session.mjs';
import { utilityProcess } from './utility-process.mjs';
import { BrowserWindow, webContents } from './window.mjs';

/** Nothing is shown: every dialog is dismissed, unless a test puts a function in place. */
const dialog = {
  showOpenDialog: async () => ({ canceled: true, filePaths: [] }),
  showSaveDialog: async () => ({ canceled: true, filePath: '' }),
  showErrorBox: (title, content) => console.error(`${title}: ${content}`),
};

/** Kept for tests to look at; nothing is shown. */
class Menu {
  static #applicationMenu = null;
  static buildFromTemplate = (items) => Object.assign(new Menu(), { items });
  static setApplicationMenu = (menu) => (Menu.#applicationMenu = menu);
  static getApplicationMenu = () => Menu.#applicationMenu;
}

export function start(boot, evaluated) {
  app.start(boot, evaluated).catch((error) => {
    console.error(error);
    process.exit(1);
  });
}

export {
  app,
  BrowserWindow,
  dialog,
  ipcMain,
  Menu,
  MessageChannelMain,
  protocol,
  session,
  utilityProcess,
  webContents,
};
export default { app, BrowserWindow, dialog, ipcMain, Menu, protocol, session, utilityProcess, webContents };
