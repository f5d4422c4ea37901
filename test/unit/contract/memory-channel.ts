import type { Channel } from '../../../core/contract/channel.ts';
import type { Packet } from '../../../core/contract/packet.ts';

interface Recorded {
  client: Channel;
  server: Channel;
  /** Everything the client sent, as it crossed. */
  sentByClient: Packet[];
  sentByServer: Packet[];
}

/** Two joined ends in memory: packets arrive later, in order; closing either end closes both. */
export function channelPair(): Recorded {
  const sentByClient: Packet[] = [];
  const sentByServer: Packet[] = [];
  const client = new End(sentByClient);
  const server = new End(sentByServer);
  client.peer = server;
  server.peer = client;
  return { client, server, sentByClient, sentByServer };
}

class End implements Channel {
  peer: End | undefined;
  readonly #sent: Packet[];
  readonly #onMessage: ((packet: Packet) => void)[] = [];
  readonly #onClose: (() => void)[] = [];
  #closed = false;

  constructor(sent: Packet[]) {
    this.#sent = sent;
  }

  send(packet: Packet): void {
    if (this.#closed) return;
    this.#sent.push(packet);
    const peer = this.peer;
    setImmediate(() => {
      if (peer === undefined || peer.#closed) return;
      for (const listener of peer.#onMessage) listener(packet);
    });
  }

  onMessage(listener: (packet: Packet) => void): void {
    this.#onMessage.push(listener);
  }

  onClose(listener: () => void): void {
    this.#onClose.push(listener);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.peer?.close();
    for (const listener of this.#onClose) listener();
  }
}
