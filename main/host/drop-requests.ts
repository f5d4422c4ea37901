/** Drops over HTTP, as `core/contract/drop.ts` says. Who may ask is settled before. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ErrorKind, PathlightError, toErrorReport } from '../../core/contract/errors.ts';
import { SECURITY_HEADERS } from './content.ts';
import type { Drops } from './drops.ts';

const STATUS: Partial<Record<ErrorKind, number>> = {
  'bad-request': 400,
  'not-found': 404,
  'too-large': 413,
  'write-failed': 507,
};

export const isDropRequest = ({ pathname }: URL): boolean => /^\/drops(\/|$)/.test(pathname);

export async function respondToDrop(
  drops: Drops,
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const body = await carryOut(drops, url, request);
    if (body === undefined) response.writeHead(204, SECURITY_HEADERS).end();
    else answer(response, 201, body);
  } catch (error) {
    const report = toErrorReport(error);
    answer(response, STATUS[report.kind] ?? 500, report);
  }
  // A browser reads the answer only when all that it sends is taken.
  request.resume();
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response
    .writeHead(status, { ...SECURITY_HEADERS, 'content-type': 'application/json' })
    .end(JSON.stringify(body));
}

/** @returns what to answer with; undefined: nothing but that it was done */
async function carryOut(
  drops: Drops,
  { pathname, searchParams }: URL,
  request: IncomingMessage,
): Promise<unknown> {
  const [, id, files] = /^\/drops(?:\/([\w-]+)(\/files)?)?$/.exec(pathname) ?? [];
  switch (`${request.method ?? ''}${id === undefined ? '' : ' ID'}${files ?? ''}`) {
    case 'POST': {
      const bytes = Number(searchParams.get('bytes') ?? NaN);
      if (pathname !== '/drops' || !Number.isSafeInteger(bytes) || bytes < 0) break;
      return drops.begin(bytes);
    }
    case 'PUT ID/files':
      return drops.add(
        id ?? '',
        searchParams.get('path') ?? '',
        request,
        Number(request.headers['content-length'] ?? 0),
      );
    case 'DELETE ID':
      return drops.discard(id ?? '');
  }
  throw new PathlightError('bad-request', 'Drops are not asked for like that');
}
