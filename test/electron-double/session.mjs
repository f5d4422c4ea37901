// Sessions: the request filter is applied (window.mjs); permission handlers are kept for tests to look at.
import { EventEmitter } from 'node:events';
import { protocol } from './schemes.mjs';

class WebRequest {
  #listener;

  onBeforeRequest(listener) {
    this.#listener = listener;
  }

  decide(url, decided) {
    if (this.#listener === undefined) decided(true);
    else this.#listener({ url }, ({ cancel }) => decided(!cancel));
  }
}

class Session extends EventEmitter {
  protocol = protocol;
  webRequest = new WebRequest();

  setPermissionRequestHandler(handler) {
    this.permissionRequestHandler = handler;
  }

  setPermissionCheckHandler(handler) {
    this.permissionCheckHandler = handler;
  }

  setDevicePermissionHandler(handler) {
    this.devicePermissionHandler = handler;
  }

  setSpellCheckerEnabled() {}
}

const partitions = new Map();

export const session = {
  fromPartition(name) {
    if (!partitions.has(name)) partitions.set(name, new Session());
    return partitions.get(name);
  },
};
