/**
 * The browser host: the app on 127.0.0.1, for machines without Electron and for servers without a desktop.
 *
 * Other users and every web page that the machine's browsers show can reach a loopback port, so: a one-time token in the
 * address becomes a cookie that scripts cannot read; the Host must be ours (a page cannot rebind its name to us); and a
 * request that carries an Origin must carry ours.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Duplex } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { WebSocketServer, type WebSocket } from 'ws';
import { serveChannel, type Channel } from '../../core/contract/channel.ts';
import type { App } from '../app/app-interface.ts';
import { SECURITY_HEADERS, serveContent } from './content.ts';
import { isDropRequest, respondToDrop } from './drop-requests.ts';
import { Drops, removeAbandonedDrops } from './drops.ts';

export interface BrowserHost {
  /** With the one-time token: what a browser is to open. */
  url: string;
  origin: string;
  close(): Promise<void>;
}

const LOOPBACK = '127.0.0.1';
/** Requests are small: a list of paths at most. */
const MAX_REQUEST_BYTES = 1 << 20;

/** @param options.port 0: any free port */
export async function startBrowserHost(options: {
  app: App;
  rendererFolder: string;
  port: number;
}): Promise<BrowserHost> {
  const { app, rendererFolder } = options;
  await removeAbandonedDrops();
  const drops = new Drops();
  // A drop may travel for long, through a tunnel; its headers may not. Of strangers' requests nothing but these is read.
  const server = createServer({ requestTimeout: 0, headersTimeout: 60_000 });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, LOOPBACK, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port');
  const host = `${LOOPBACK}:${address.port}`;
  const origin = `http://${host}`;
  const gate = new Gate(host, origin, address.port);

  server.on('request', (request, response) => {
    respond(request, response).catch(() => response.destroy());
  });

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', origin);
    const token = url.searchParams.get('token');
    if (url.pathname === '/' && token !== null && gate.addressed(request)) {
      const cookie = gate.exchange(token);
      if (cookie === null) return refuse(response, 403);
      response.writeHead(303, { ...SECURITY_HEADERS, location: '/', 'set-cookie': cookie }).end();
      return;
    }
    const dropped = isDropRequest(url);
    const refusal = gate.refusal(request, { originRequired: dropped });
    if (refusal !== null) return refuse(response, refusal);
    if (dropped) return respondToDrop(drops, url, request, response);
    const aborted = new AbortController();
    response.once('close', () => aborted.abort());
    const answer = await serveContent(
      app,
      rendererFolder,
      new Request(url, { method: request.method ?? 'GET', signal: aborted.signal }),
    );
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    if (answer.body === null) response.end();
    else await pipeline(Readable.fromWeb(answer.body as ReadableStream), response);
  }

  // Compressing float maps costs more than loopback saves.
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: MAX_REQUEST_BYTES,
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const refusal = gate.refusal(request, { originRequired: true });
    if (refusal !== null || request.url !== '/channel') {
      socket.end(`HTTP/1.1 ${refusal ?? 404} \r\nconnection: close\r\n\r\n`);
      return;
    }
    if (socket instanceof Socket) socket.setNoDelay(true);
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      void drops.show(webSocket, []);
      webSocket.once('close', () => void drops.leave(webSocket));
      serveChannel(socketChannel(webSocket), app.calls, {
        ...app.streams,
        'library.open': async function* (opened, signal) {
          await drops.show(webSocket, opened.paths ?? []);
          yield* app.streams['library.open'](opened, signal);
        },
      });
    });
  });

  return {
    url: `${origin}/?token=${gate.token}`,
    origin,
    close: async () => {
      await new Promise<void>((resolve) => {
        for (const socket of sockets.clients) socket.terminate();
        server.close(() => resolve());
        server.closeAllConnections();
      });
      await drops.close();
    },
  };
}

/** Who may come in. */
class Gate {
  readonly token = secret();
  readonly #session = secret();
  readonly #host: string;
  readonly #origin: string;
  /** Browsers share cookies between the ports of a host, so the port is in the name. */
  readonly #cookieName: string;
  #tokenUsed = false;

  constructor(host: string, origin: string, port: number) {
    this.#host = host;
    this.#origin = origin;
    this.#cookieName = `pathlight-${port}`;
  }

  /** The request names us and, where it says so, comes from our own page. */
  addressed(request: IncomingMessage): boolean {
    const { host, origin } = request.headers;
    return host === this.#host && (origin === undefined || origin === this.#origin);
  }

  /** The session's cookie for the one-time token, or null. */
  exchange(token: string): string | null {
    if (this.#tokenUsed || !same(token, this.token)) return null;
    this.#tokenUsed = true;
    return `${this.#cookieName}=${this.#session}; HttpOnly; SameSite=Strict; Path=/`;
  }

  /** The status a request is refused with, or null: it may come in. */
  refusal(request: IncomingMessage, { originRequired = false } = {}): number | null {
    if (request.headers.host !== this.#host) return 421;
    if (!this.addressed(request) || (originRequired && request.headers.origin === undefined)) return 403;
    const site = request.headers['sec-fetch-site'];
    if (site !== undefined && site !== 'same-origin' && site !== 'none') return 403;
    return this.#hasSession(request) ? null : 403;
  }

  #hasSession(request: IncomingMessage): boolean {
    const cookies = (request.headers.cookie ?? '').split(';').map((cookie) => cookie.trim());
    return cookies.some((cookie) => same(cookie, `${this.#cookieName}=${this.#session}`));
  }
}

const secret = (): string => randomBytes(32).toString('base64url');

function same(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}

const REFUSALS: Readonly<Record<number, string>> = {
  403: 'Refused. The address that Pathlight printed works once; start Pathlight again for a new one.',
  421: 'This server answers under its own address only.',
};

function refuse(response: ServerResponse, status: number): void {
  response
    .writeHead(status, { ...SECURITY_HEADERS, 'content-type': 'text/plain; charset=utf-8' })
    .end(REFUSALS[status]);
}

function socketChannel(socket: WebSocket): Channel {
  socket.binaryType = 'arraybuffer';
  // A broken connection is followed by 'close', which is where the streams end.
  socket.on('error', () => undefined);
  return {
    send: (packet) => {
      if (socket.readyState === socket.OPEN) socket.send(packet);
    },
    onMessage: (listener) => {
      socket.on('message', (data, isBinary) => {
        // ws hands text over as a Buffer, whatever the binary type.
        if (!isBinary && Buffer.isBuffer(data)) listener(data.toString('utf8'));
        else if (data instanceof ArrayBuffer) listener(data);
      });
    },
    onClose: (listener) => {
      socket.once('close', listener);
    },
    close: () => socket.close(1002),
  };
}
