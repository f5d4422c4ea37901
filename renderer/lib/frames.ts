/** Frames as both hosts serve them: a JSON header, then the stored values. */
import { PathlightError, type ErrorReport } from '../../core/contract/errors.ts';
import type { FrameHeader } from '../../core/contract/library.ts';
import type { GrayscaleAttributes, StoredFrame } from '../../core/imaging/frame.ts';

export interface LoadedFrame {
  /** Image and frame number, so that a late answer is told from the one wanted. */
  key: string;
  frame: StoredFrame;
  grayscale: GrayscaleAttributes;
}

/** Decoded frames kept, by bytes: a dozen radiographs, or a CT series. */
const BUDGET_BYTES = 256 * 1024 * 1024;

export function frameKey(image: string, frame: number): string {
  return `${image}/${frame}`;
}

/** @throws PathlightError `damaged` where the lengths contradict each other */
export function parseFrame(key: string, bytes: ArrayBuffer): LoadedFrame {
  const headerLength = bytes.byteLength < 4 ? Infinity : new DataView(bytes).getUint32(0, true);
  const start = 4 + Math.ceil(headerLength / 4) * 4;
  if (start > bytes.byteLength) throw damaged();
  const text = new TextDecoder().decode(new Uint8Array(bytes, 4, headerLength));
  const { rows, columns, bitsStored, signed, grayscale } = JSON.parse(text) as FrameHeader;
  if (bytes.byteLength - start !== rows * columns * 2) throw damaged();
  // Every platform that runs Chromium is little-endian, as the bytes are.
  const values = new Uint16Array(bytes, start);
  return { key, frame: { rows, columns, values, bitsStored, signed }, grayscale };
}

function damaged(): PathlightError {
  return new PathlightError('damaged', 'The frame arrived incomplete.', 'Open the image again.');
}

/** Fetches frames and keeps the last ones used. */
export class FrameLoader {
  readonly #kept = new Map<string, LoadedFrame>();
  #bytes = 0;

  async load(image: string, frame: number, signal: AbortSignal): Promise<LoadedFrame> {
    const key = frameKey(image, frame);
    const kept = this.#kept.get(key);
    if (kept) {
      this.#kept.delete(key);
      this.#kept.set(key, kept);
      return kept;
    }
    const response = await fetch(`/images/${encodeURIComponent(image)}/frames/${frame}`, { signal });
    if (!response.ok) throw await failure(response);
    const loaded = parseFrame(key, await response.arrayBuffer());
    this.#keep(loaded);
    return loaded;
  }

  #keep(loaded: LoadedFrame): void {
    this.#kept.set(loaded.key, loaded);
    this.#bytes += loaded.frame.values.byteLength;
    for (const [key, { frame }] of this.#kept) {
      if (this.#bytes <= BUDGET_BYTES || key === loaded.key) break;
      this.#kept.delete(key);
      this.#bytes -= frame.values.byteLength;
    }
  }
}

/** A refusal's reason: hosts answer with an `ErrorReport`. */
export async function failure(response: Response): Promise<PathlightError> {
  const report: unknown = await response.json().catch(() => null);
  if (isErrorReport(report)) return new PathlightError(report.kind, report.message, report.advice);
  return new PathlightError('internal', `The host answered ${response.status}.`, 'Restart Pathlight.');
}

function isErrorReport(value: unknown): value is ErrorReport {
  return (
    typeof value === 'object' && value !== null && 'kind' in value && 'message' in value && 'advice' in value
  );
}
