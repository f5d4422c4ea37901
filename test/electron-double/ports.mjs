// MessageChannelMain: two joined ports. One of them may be moved to a page.
import { EventEmitter } from 'node:events';

export class MessagePortMain extends EventEmitter {
  peer;
  /** Set once the port has been moved: { post(data), close() } of the page that holds it. */
  holder;
  #waiting = [];
  #started = false;

  /** Copies: a MessagePortMain can transfer ports alone, and this double none. */
  postMessage(message) {
    const copy = structuredClone(message);
    const { peer } = this;
    if (peer === undefined) return;
    if (peer.holder) peer.holder.post(copy);
    else peer.deliver(copy);
  }

  deliver(data) {
    if (this.#started) setImmediate(() => this.emit('message', { data, ports: [] }));
    else this.#waiting.push(data);
  }

  start() {
    this.#started = true;
    for (const data of this.#waiting.splice(0)) this.deliver(data);
  }

  close() {
    const { peer } = this;
    if (peer === undefined) return;
    this.peer = peer.peer = undefined;
    peer.holder?.close();
    for (const port of [peer, this]) setImmediate(() => port.emit('close'));
  }
}

export class MessageChannelMain {
  port1 = new MessagePortMain();
  port2 = new MessagePortMain();

  constructor() {
    this.port1.peer = this.port2;
    this.port2.peer = this.port1;
  }
}
