/** What both hosts serve to the window over fetch: the app's bulk data and the renderer's files, under one policy. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { App } from '../app/app-interface.ts';

/** Nothing but this origin's own files; no inline script, no eval, no frames, no forms. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob: data:",
  "font-src 'self'",
  "connect-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'cross-origin-embedder-policy': 'require-corp',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy':
    'camera=(), geolocation=(), microphone=(), display-capture=(), usb=(), serial=(), hid=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  // Patients' pixels must not end in a disk cache, and the files are local anyway.
  'cache-control': 'no-store',
};

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.woff': 'font/woff',
  '.ttf': 'font/ttf',
};

/**
 * Answers one GET: the app's data first, then the renderer's files.
 * @param rendererFolder absolute; nothing outside it is ever read
 */
export async function serveContent(app: App, rendererFolder: string, request: Request): Promise<Response> {
  if (request.method !== 'GET') return plain(405);
  let response: Response;
  try {
    response =
      (await app.fetch(request)) ?? (await rendererFile(rendererFolder, new URL(request.url).pathname));
  } catch {
    // What went wrong may name a patient's file: it stays on this side.
    response = plain(500);
  }
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) headers.set(name, value);
  return new Response(response.body, { status: response.status, headers });
}

async function rendererFile(folder: string, pathname: string): Promise<Response> {
  const file = containedPath(folder, pathname === '/' ? '/index.html' : pathname);
  if (file === null) return plain(404);
  try {
    const type = MEDIA_TYPES[path.extname(file)] ?? 'application/octet-stream';
    return new Response(new Uint8Array(await readFile(file)), { headers: { 'content-type': type } });
  } catch {
    return plain(404);
  }
}

/** The file that a URL's path names inside a folder, or null where it would leave the folder. */
export function containedPath(folder: string, pathname: string): string | null {
  let relative: string;
  try {
    relative = decodeURIComponent(pathname);
  } catch {
    return null;
  }
  if (relative.includes('\0') || relative.includes('\\')) return null;
  const file = path.resolve(folder, `.${path.posix.sep}${relative}`);
  return file.startsWith(path.resolve(folder) + path.sep) ? file : null;
}

const STATUS: Readonly<Record<number, string>> = {
  404: 'Not found',
  405: 'Only GET is answered here',
  500: 'This could not be answered',
};

function plain(status: number): Response {
  return new Response(STATUS[status] ?? '', {
    status,
    headers: { 'content-type': 'text/plain; charset=utf-8' },
  });
}
