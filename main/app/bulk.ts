/** The bulk data that the window fetches beside the contract's messages: frames, thumbnails, finished reports. */
import { toErrorReport } from '../../core/contract/errors.ts';
import type { FrameHeader } from '../../core/contract/library.ts';
import type { DecodedFrame } from '../dicom/types.ts';
import { thumbnailPng } from './pictures.ts';

export interface FinishedReport {
  fileName: string;
  bytes: Uint8Array;
}

/** Both throw or reject with a PathlightError where there is no such thing. */
export interface BulkSources {
  frame(image: string, frame: number): Promise<DecodedFrame>;
  report(id: string): FinishedReport;
}

const THUMBNAIL_HEIGHT = 160;

/** Answers `GET /images/ID/frames/N`, `/images/ID/thumbnail` and `/reports/ID`; null for any other path. */
export async function fetchBulk(sources: BulkSources, request: Request): Promise<Response | null> {
  const { pathname } = new URL(request.url);
  const report = /^\/reports\/([\w-]+)$/.exec(pathname)?.[1];
  if (report !== undefined) return answered(() => reportResponse(sources.report(report)));
  const [, image, part, frame] = /^\/images\/([\w-]+)\/(thumbnail|frames\/(\d{1,9}))$/.exec(pathname) ?? [];
  if (image === undefined) return null;
  return answered(async () => {
    const decoded = await sources.frame(image, Number(frame ?? 0));
    return part === 'thumbnail' ? thumbnailResponse(decoded) : frameResponse(decoded);
  });
}

async function answered(make: () => Response | Promise<Response>): Promise<Response> {
  try {
    return await make();
  } catch (error) {
    const report = toErrorReport(error);
    const missing = report.kind === 'not-found' || report.kind === 'bad-request';
    return Response.json(report, { status: missing ? 404 : 422 });
  }
}

function thumbnailResponse(decoded: DecodedFrame): Response {
  const png = thumbnailPng(decoded, THUMBNAIL_HEIGHT);
  return new Response(new Uint8Array(png), { headers: { 'content-type': 'image/png' } });
}

/** As `FrameHeader` says. */
function frameResponse({ frame, grayscale }: DecodedFrame): Response {
  const { rows, columns, bitsStored, signed, values } = frame;
  const header: FrameHeader = { rows, columns, bitsStored, signed, grayscale };
  // JSON has no typed arrays: a look-up table would arrive as an object.
  const plain = (_: string, value: unknown): unknown =>
    value instanceof Uint16Array ? Array.from(value) : value;
  const json = new TextEncoder().encode(JSON.stringify(header, plain));
  const padded = Math.ceil(json.length / 4) * 4;
  const bytes = new Uint8Array(4 + padded + values.byteLength);
  // JSON ignores the spaces that bring the values to an aligned offset.
  bytes.fill(0x20, 4, 4 + padded);
  new DataView(bytes.buffer).setUint32(0, padded, true);
  bytes.set(json, 4);
  // Every platform that Node and Electron run on is little-endian, as the answer is to be.
  bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), 4 + padded);
  return new Response(bytes, { headers: { 'content-type': 'application/octet-stream' } });
}

function reportResponse({ fileName, bytes }: FinishedReport): Response {
  return new Response(new Uint8Array(bytes), {
    headers: {
      'content-type': 'application/pdf',
      // RFC 6266 and 8187: names beyond ASCII travel percent-encoded.
      'content-disposition': `attachment; filename*=UTF-8''${encodeURIComponent(fileName).replaceAll("'", '%27')}`,
    },
  });
}
