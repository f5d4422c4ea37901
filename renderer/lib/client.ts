/** The renderer's end of the contract, on whichever host it finds itself. */
import { CHANNEL_MESSAGE, type Bridge } from '../../core/contract/bridge.ts';
import type { Client } from '../../core/contract/calls.ts';
import { connectClient, type Channel } from '../../core/contract/channel.ts';
import { PathlightError } from '../../core/contract/errors.ts';
import type { Packet } from '../../core/contract/packet.ts';

declare global {
  interface Window {
    pathlight?: Bridge;
  }
}

/** @throws PathlightError where the other side does not answer */
export async function connect(): Promise<Client> {
  const bridge = window.pathlight;
  return connectClient(bridge === undefined ? await socketChannel() : await portChannel(bridge));
}

async function socketChannel(): Promise<Channel> {
  const socket = new WebSocket(`${location.origin.replace(/^http/, 'ws')}/channel`);
  socket.binaryType = 'arraybuffer';
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve, { once: true });
    socket.addEventListener('error', () =>
      reject(
        new PathlightError(
          'internal',
          'The window cannot reach Pathlight',
          'Start Pathlight again and open the address it prints.',
        ),
      ),
    );
  });
  return {
    send: (packet) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(packet);
    },
    onMessage: (listener) =>
      socket.addEventListener('message', (event: MessageEvent<Packet>) => listener(event.data)),
    onClose: (listener) => socket.addEventListener('close', () => listener(), { once: true }),
    close: () => socket.close(),
  };
}

async function portChannel(bridge: Bridge): Promise<Channel> {
  const port = await new Promise<MessagePort>((resolve) => {
    const receive = (event: MessageEvent<unknown>): void => {
      const [given] = event.ports;
      if (event.source !== window || event.data !== CHANNEL_MESSAGE || given === undefined) return;
      window.removeEventListener('message', receive);
      resolve(given);
    };
    window.addEventListener('message', receive);
    bridge.connect();
  });
  return {
    send: (packet) => port.postMessage(packet),
    onMessage: (listener) => {
      port.addEventListener('message', (event: MessageEvent<Packet>) => listener(event.data));
      port.start();
    },
    onClose: (listener) => port.addEventListener('close', () => listener(), { once: true }),
    close: () => port.close(),
  };
}
