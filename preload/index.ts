/** The bridge of contract/bridge.ts. Sandboxed: only `electron` and the web's own interfaces are here. */
import { contextBridge, ipcRenderer, webUtils } from 'electron';
import { CHANNEL_MESSAGE, type Bridge } from '../core/contract/bridge.ts';

const bridge: Bridge = {
  connect: () => ipcRenderer.send(CHANNEL_MESSAGE),
  pathForFile: (file) => webUtils.getPathForFile(file),
};
contextBridge.exposeInMainWorld('pathlight', bridge);

// A MessagePort cannot cross contextBridge; a message of the window can carry it.
ipcRenderer.on(CHANNEL_MESSAGE, (event) => window.postMessage(CHANNEL_MESSAGE, location.origin, event.ports));
