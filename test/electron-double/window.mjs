// BrowserWindow and its WebContents: one Chromium page each.
import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import { app } from './app.mjs';
import { isolatedWorld, pageWorld } from './in-page.mjs';
import { ipcMain } from './ipc.mjs';
import { fromHttp, toHttp } from './schemes.mjs';

const WORLD = 'Electron Isolated Context';
const windows = new Set();
/** Answers whether an event's listeners let it happen. */
const allows = (emitter, name, ...rest) => {
  let prevented = false;
  emitter.emit(name, { preventDefault: () => (prevented = true) }, ...rest);
  return !prevented;
};

class WebContents extends EventEmitter {
  static #count = 0;
  id = ++WebContents.#count;
  mainFrame = { url: '', origin: '' };
  #window;
  #session;
  #target;
  #ports = new Map();
  #secret = `double${randomBytes(8).toString('hex')}`;
  #world = Promise.withResolvers();
  #openHandler = () => ({ action: 'allow' });
  /** What loadURL asked for: not a navigation of the page's own. */
  #asked = '';
  #created;

  constructor(window, preferences) {
    super();
    this.#window = window;
    this.session = preferences.session;
    this.#created = this.#create(preferences, window.getBounds());
  }

  async #create({ preload }, { width, height }) {
    const { devTools } = app;
    const { targetId } = await devTools.send('Target.createTarget', {
      url: 'about:blank',
      newWindow: true,
      width,
      height,
    });
    const { sessionId } = await devTools.send('Target.attachToTarget', { targetId, flatten: true });
    this.#target = targetId;
    this.#session = sessionId;
    devTools.listen(sessionId, (method, params) => this.#onEvent(method, params));
    const send = (method, params) => devTools.send(method, params, sessionId);
    await send('Page.enable');
    await send('Runtime.enable');
    await send('Fetch.enable', { patterns: [{ urlPattern: '*' }] });
    await send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
    await send('Runtime.addBinding', { name: `${this.#secret}send`, executionContextName: WORLD });
    const secret = JSON.stringify(this.#secret);
    await send('Page.addScriptToEvaluateOnNewDocument', { source: `(${pageWorld})(${secret})` });
    const script = `function (require, exports, module) {${readFileSync(preload, 'utf8')}\n}`;
    await send('Page.addScriptToEvaluateOnNewDocument', {
      worldName: WORLD,
      source: `(${isolatedWorld})(${secret}, ${script})`,
    });
  }

  async #send(method, params) {
    await this.#created;
    return app.devTools.send(method, params, this.#session);
  }

  #onEvent(method, params) {
    switch (method) {
      case 'Runtime.executionContextCreated':
        if (params.context.name === WORLD) this.#world.resolve(params.context.id);
        return;
      case 'Runtime.executionContextsCleared':
        this.#world = Promise.withResolvers();
        for (const port of this.#ports.values()) port.peer?.close();
        this.#ports.clear();
        return;
      case 'Runtime.bindingCalled':
        return this.#receive(JSON.parse(params.payload));
      case 'Fetch.requestPaused':
        return this.#decide(params);
      case 'Page.domContentEventFired':
        this.#window.emit('ready-to-show');
        return;
      case 'Page.frameNavigated':
        if (params.frame.parentId === undefined) {
          const url = fromHttp(params.frame.url);
          this.mainFrame = { url, origin: /^[^:]+:\/\/[^/]*/.exec(url)?.[0] ?? 'null' };
        }
    }
  }

  /** Every request passes the session's filter; a navigation that the page began, `will-navigate` as well. */
  #decide({ requestId, request, resourceType, frameId }) {
    const url = fromHttp(request.url);
    const navigation = resourceType === 'Document' && frameId === this.#target;
    const begun = navigation && url !== this.#asked && url !== this.mainFrame.url;
    if (begun && !allows(this, 'will-navigate', url)) {
      return void this.#send('Fetch.failRequest', { requestId, errorReason: 'Aborted' });
    }
    this.session.webRequest.decide(url, (allowed) => {
      if (allowed) void this.#send('Fetch.continueRequest', { requestId });
      else void this.#send('Fetch.failRequest', { requestId, errorReason: 'BlockedByClient' });
    });
  }

  mayOpen = (url) => this.#openHandler({ url }).action !== 'deny';

  #receive({ type, channel, id, text }) {
    if (type === 'send') ipcMain.emit(channel, { sender: this, senderFrame: this.mainFrame, ports: [] });
    else if (type === 'port') this.#ports.get(id)?.peer?.deliver(text);
    else if (type === 'port-close') this.#ports.get(id)?.close();
  }

  async #deliver(message) {
    const expression = `${this.#secret}receive(${JSON.stringify(message)})`;
    const contextId = await this.#world.promise;
    // A page that has gone takes its messages with it.
    await this.#send('Runtime.evaluate', { contextId, expression }).catch(() => undefined);
  }

  postMessage(channel, value, transferred) {
    const ports = transferred.map((port) => {
      const id = `port${this.#ports.size}-${randomBytes(4).toString('hex')}`;
      this.#ports.set(id, port);
      port.holder = {
        post: (data) =>
          this.#deliver(
            typeof data === 'string'
              ? { type: 'port', id, text: data }
              : { type: 'port', id, base64: Buffer.from(data).toString('base64') },
          ),
        close: () => this.#deliver({ type: 'port-close', id }),
      };
      return id;
    });
    void this.#deliver({ type: 'message', channel, value, ports });
  }

  async loadURL(url) {
    this.#asked = url;
    const { errorText } = await this.#send('Page.navigate', { url: toHttp(url) });
    if (errorText !== undefined) throw new Error(`${errorText} loading ${url}`);
  }

  setWindowOpenHandler(handler) {
    this.#openHandler = handler;
  }

  isTarget = (targetId) => this.#target === targetId;
  isDestroyed = () => this.#window.isDestroyed();
  window = () => this.#window;
  close = () => this.#window.close();

  destroy() {
    void app.devTools.send('Target.closeTarget', { targetId: this.#target }).catch(() => undefined);
    for (const port of this.#ports.values()) port.peer?.close();
  }
}

/**
 * Every page begins paused. One that a window opened without its leave is closed before it loads anything: it runs on first, with
 * every request refused, since a page that is closed while paused can stop the page that opened it for good.
 */
app.once('connected', () => {
  const { devTools } = app;
  const resume = (sessionId) => devTools.send('Runtime.runIfWaitingForDebugger', {}, sessionId);
  const deny = async (targetId, sessionId) => {
    devTools.listen(sessionId, (method, { requestId }) => {
      if (method !== 'Fetch.requestPaused') return;
      const refusal = { requestId, errorReason: 'BlockedByClient' };
      devTools.send('Fetch.failRequest', refusal, sessionId).catch(() => undefined);
    });
    await devTools.send('Fetch.enable', { patterns: [{ urlPattern: '*' }] }, sessionId);
    await resume(sessionId);
    await devTools.send('Runtime.evaluate', { expression: '0' }, sessionId);
    await devTools.send('Target.closeTarget', { targetId });
  };
  devTools.listen(undefined, (method, { sessionId, targetInfo }) => {
    if (method !== 'Target.attachedToTarget') return;
    const { openerId, targetId, url } = targetInfo;
    const opener = openerId === undefined ? undefined : webContents.fromDevToolsTargetId(openerId);
    const denied = opener?.mayOpen(url) === false;
    (denied ? deny(targetId, sessionId) : resume(sessionId)).catch(() => undefined);
  });
  void devTools.send('Target.setAutoAttach', {
    autoAttach: true,
    waitForDebuggerOnStart: true,
    flatten: true,
  });
});

/** What Playwright asks for. */
export const webContents = {
  fromDevToolsTargetId: (id) =>
    [...windows].map((w) => w.webContents).find((contents) => contents.isTarget(id)),
};

export class BrowserWindow extends EventEmitter {
  static getAllWindows = () => [...windows];
  static fromWebContents = (contents) => contents?.window() ?? null;
  #options;
  #destroyed = false;
  #visible;

  constructor(options) {
    super();
    if (!app.isReady()) throw new Error('Cannot create BrowserWindow before app is ready');
    this.#options = options;
    this.#visible = options.show ?? true;
    windows.add(this);
    this.webContents = new WebContents(this, options.webPreferences);
  }

  loadURL = (url) => this.webContents.loadURL(url);
  getBounds = () => ({ x: 0, y: 0, width: this.#options.width, height: this.#options.height });
  getTitle = () => this.#options.title;
  show = () => (this.#visible = true);
  isVisible = () => this.#visible;
  isMinimized = () => false;
  isDestroyed = () => this.#destroyed;
  restore() {}
  focus() {}

  close() {
    if (allows(this, 'close')) this.destroy();
  }

  destroy() {
    if (this.#destroyed) return;
    this.#destroyed = true;
    windows.delete(this);
    this.webContents.destroy();
    this.emit('closed');
    if (windows.size === 0) app.emit('window-all-closed');
  }
}
