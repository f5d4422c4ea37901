// Two functions, turned into text and run before any script of the page: one in the page's own world, one in an isolated
// world, as Electron's contextIsolation has it. They talk by events under a secret name.

/** The page's world: builds what contextBridge.exposeInMainWorld declared, an object of functions. */
export function pageWorld(secret) {
  if (window !== window.top) return;
  window.addEventListener(`${secret}expose`, ({ detail: { key, names } }) => {
    const stub =
      (name) =>
      (...values) => {
        let answer;
        const receive = ({ detail }) => (answer = detail);
        window.addEventListener(`${secret}answer`, receive, { once: true });
        window.dispatchEvent(new CustomEvent(`${secret}call`, { detail: { key, name, values } }));
        if (answer.error !== undefined) throw new Error(answer.error);
        return answer.value;
      };
    const value = Object.freeze(Object.fromEntries(names.map((name) => [name, stub(name)])));
    Object.defineProperty(window, key, { value, enumerable: true });
  });
}

/** The isolated world: what a sandboxed preload may require of `electron`, and the preload itself. */
export function isolatedWorld(secret, preload) {
  if (window !== window.top) return;
  const up = (message) => globalThis[`${secret}send`](JSON.stringify(message));
  const ports = new Map();
  const listeners = new Map();

  /** The page's end of a port whose other end is in main. */
  const adopt = (id) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }) => up({ type: 'port', id, text: data });
    port1.addEventListener('close', () => up({ type: 'port-close', id }));
    ports.set(id, port1);
    return port2;
  };

  globalThis[`${secret}receive`] = (message) => {
    if (message.type === 'port') {
      const { text, base64 } = message;
      ports.get(message.id)?.postMessage(text ?? Uint8Array.fromBase64(base64).buffer);
    } else if (message.type === 'port-close') {
      ports.get(message.id)?.close();
    } else {
      const event = { ports: message.ports.map(adopt) };
      for (const listener of listeners.get(message.channel) ?? []) listener(event, message.value);
    }
  };

  const exposed = new Map();
  window.addEventListener(`${secret}call`, ({ detail: { key, name, values } }) => {
    const answer = (detail) => window.dispatchEvent(new CustomEvent(`${secret}answer`, { detail }));
    try {
      answer({ value: exposed.get(key)[name](...values) });
    } catch (error) {
      answer({ error: String(error) });
    }
  });

  const electron = {
    ipcRenderer: {
      send: (channel) => up({ type: 'send', channel }),
      on: (channel, listener) => listeners.set(channel, [...(listeners.get(channel) ?? []), listener]),
    },
    contextBridge: {
      exposeInMainWorld(key, value) {
        exposed.set(key, value);
        const detail = { key, names: Object.keys(value) };
        window.dispatchEvent(new CustomEvent(`${secret}expose`, { detail }));
      },
    },
    // A page cannot know where a file lies; the name has to do.
    webUtils: { getPathForFile: (file) => file.name },
  };
  const require = (name) => {
    if (name === 'electron') return electron;
    throw new Error(`module not found: ${name}`);
  };
  try {
    preload(require, {}, { exports: {} });
  } catch (error) {
    console.error(`Unable to load preload script: ${error.stack}`);
  }
}
