// Custom schemes by a loopback server: Chromium knows no app://, so app://pathlight/x is served as
// http://pathlight.app.localhost:PORT/x (a name that Chromium itself resolves to loopback).
import { createServer } from 'node:http';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

const handlers = new Map();
let port = 0;

export const protocol = {
  registerSchemesAsPrivileged(schemes) {
    for (const { scheme } of schemes) handlers.set(scheme, undefined);
  },
  handle(scheme, handler) {
    if (handlers.get(scheme)) throw new Error(`The scheme ${scheme} is handled already`);
    handlers.set(scheme, handler);
  },
};

export async function serveSchemes() {
  const server = createServer((request, response) => {
    answer(request, response).catch((error) => {
      console.error('electron double:', error);
      response.destroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.unref();
  port = server.address().port;
}

export function toHttp(url) {
  const { protocol: scheme, host, pathname, search, hash } = new URL(url);
  const name = scheme.slice(0, -1);
  return handlers.has(name) ? `http://${host}.${name}.localhost:${port}${pathname}${search}${hash}` : url;
}

export function fromHttp(url) {
  const [, host, name, at, rest] = /^http:\/\/([^:/]*)\.([a-z0-9+-]+)\.localhost:(\d+)(.*)$/.exec(url) ?? [];
  return handlers.has(name) && Number(at) === port ? `${name}://${host}${rest}` : url;
}

async function answer(request, response) {
  const url = fromHttp(`http://${request.headers.host}${request.url}`);
  const handler = handlers.get(new URL(url).protocol.slice(0, -1));
  if (handler === undefined) return response.writeHead(404).end();
  const cancelled = new AbortController();
  response.once('close', () => cancelled.abort());
  const answered = await handler(new Request(url, { method: request.method, signal: cancelled.signal }));
  response.writeHead(answered.status, Object.fromEntries(answered.headers));
  if (answered.body === null) return response.end();
  // A page that goes away takes its requests with it.
  return pipeline(Readable.fromWeb(answered.body), response).catch(() => undefined);
}
