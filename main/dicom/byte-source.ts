/** Bytes that are read where they are needed: a file of many gigabytes costs what is asked of it. */
import { open, type FileHandle } from 'node:fs/promises';
import { PathlightError } from '../../core/contract/errors.ts';

export interface ByteSource {
  readonly size: number;
  /** The bytes from `offset` on: `length` of them, or fewer where the source ends. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

export function memorySource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    read: (offset, length) => Promise.resolve(bytes.subarray(offset, offset + length)),
  };
}

async function readFully(handle: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(bytes, filled, length - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

/** @throws PathlightError `not-found` where there is no such file, or it cannot be read */
export async function withFile<T>(path: string, use: (source: ByteSource) => Promise<T>): Promise<T> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, 'r');
    const { size } = await handle.stat();
    const opened = handle;
    return await use({
      size,
      // A damaged header may ask for more than there is: never allocate beyond the file's end.
      read: (offset, length) => readFully(opened, offset, Math.max(0, Math.min(length, size - offset))),
    });
  } catch (error) {
    // A system error's message holds the path, and a path may hold a name.
    if (error instanceof Error && 'code' in error && typeof error.code === 'string' && 'syscall' in error) {
      throw new PathlightError(
        'not-found',
        error.code === 'ENOENT' ? 'There is no such file.' : `The file cannot be read (${error.code}).`,
        'Check that the file is there and that you may read it.',
      );
    }
    throw error;
  } finally {
    await handle?.close();
  }
}
