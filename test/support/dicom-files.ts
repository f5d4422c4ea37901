/** Files on disk for what the writer made: readers take paths. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll } from 'vitest';

/** A folder of its own for one test file, removed after its tests. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'pathlight-test-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes bytes under a name of their own; returns the path. */
export function fileWriter(): (bytes: Uint8Array) => string {
  const folder = temporaryFolder();
  let count = 0;
  return (bytes) => {
    const file = path.join(folder, `${++count}.dcm`);
    writeFileSync(file, bytes);
    return file;
  };
}
