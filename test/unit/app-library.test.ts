import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { createLibrary, type OpenOptions, type ScanEvent } from '../../main/app/library.ts';
import { applicationRoot } from '../../main/app/root.ts';
import { writeDicom } from '../support/dicom-writer.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
const examples = path.join(applicationRoot, 'examples');
const image = writeDicom({ rows: 4, columns: 4, pixels: new Uint8Array(16) });

/** A study folder as they come: nested, numbered, with things among them that are no images. */
const study = path.join(folder, 'study');
mkdirSync(path.join(study, 'series'), { recursive: true });
for (const name of ['image10.dcm', 'image2.dcm', 'series/image1.dcm', '.hidden.dcm']) {
  writeFileSync(path.join(study, name), image);
}
writeFileSync(path.join(study, 'notes.txt'), 'Not an image.');
writeFileSync(path.join(study, 'truncated.dcm'), image.subarray(0, 200));
symlinkSync(study, path.join(study, 'series', 'loop'));
symlinkSync(path.join(study, 'nowhere'), path.join(study, 'series', 'broken-link'));
execFileSync('mkfifo', [path.join(study, 'pipe')]);

async function open(paths: string[], options?: OpenOptions): Promise<ScanEvent[]> {
  return Array.fromAsync(createLibrary().open(paths, options));
}

function imagesOf(events: readonly ScanEvent[]): string[] {
  return events.flatMap((event) => (event.type === 'image' ? [event.image.file] : []));
}

describe('opening a folder', () => {
  test('finds the images in the order of their names, links followed once', async () => {
    expect(imagesOf(await open([study]))).toEqual([
      'image2.dcm',
      'image10.dcm',
      path.join('series', 'image1.dcm'),
    ]);
  });

  test('lists every other file with its reason, hidden ones apart', async () => {
    const refused = (await open([study])).flatMap((event) => (event.type === 'refused' ? [event] : []));
    expect(refused.map((event) => [event.refused.file, event.foreign])).toEqual([
      ['.hidden.dcm', true],
      ['notes.txt', true],
      ['pipe', false],
      [path.join('series', 'broken-link'), false],
      ['truncated.dcm', false],
    ]);
    for (const event of refused) expect(event.refused.reason).not.toBe('');
    expect(refused.filter(({ hidden }) => hidden === true)).toHaveLength(1);
    expect(refused.find(({ refused: { file } }) => file.endsWith('broken-link'))?.refused.reason).toBe(
      'A link to a file that is not there',
    );
  });

  test('ends with the counts, after progress that reaches the total', async () => {
    const events = await open([study]);
    expect(events.at(-1)).toEqual({ type: 'done', images: 3, refused: 4 });
    expect(events.at(-2)).toEqual({ type: 'progress', scanned: 8, found: 3, total: 8 });
  });

  test('passes over the folder that results are written to', async () => {
    expect(imagesOf(await open([study], { except: path.join(study, 'series') }))).toEqual([
      'image2.dcm',
      'image10.dcm',
    ]);
  });

  test('a file named twice, itself and by its folder, is opened once', async () => {
    expect(imagesOf(await open([path.join(study, 'image2.dcm'), study]))).toHaveLength(3);
  });

  test('a folder of no files has no images', async () => {
    const empty = path.join(folder, 'empty');
    mkdirSync(empty);
    expect((await open([empty])).at(-1)).toEqual({ type: 'done', images: 0, refused: 0 });
  });

  test('the samples open with what the study list shows', async () => {
    const events = await open([examples]);
    const first = events.find((event) => event.type === 'image');
    expect(imagesOf(events)).toHaveLength(7);
    expect(first?.image).toMatchObject({
      file: '01-normal-dx.dcm',
      modality: 'DX',
      rows: 890,
      columns: 930,
      frames: 1,
    });
  });
});

describe('opening a file', () => {
  test('a file of another kind counts as refused when it was named', async () => {
    const event = (await open([path.join(study, 'notes.txt')])).find((each) => each.type === 'refused');
    expect(event).toMatchObject({ foreign: false, refused: { file: 'notes.txt' } });
  });

  test('a path that does not exist is an error before anything is read', async () => {
    await expect(open([study, path.join(folder, 'absent')])).rejects.toMatchObject({ kind: 'not-found' });
  });

  test('can be cancelled', async () => {
    await expect(open([study], { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    });
  });
});

describe('identifiers', () => {
  test('stand for the file, stay the same when it is opened again, and do not show its path', async () => {
    const library = createLibrary();
    const idsOf = async (): Promise<string[]> =>
      (await Array.fromAsync(library.open([examples]))).flatMap((event) =>
        event.type === 'image' ? [event.image.id] : [],
      );
    const ids = await idsOf();
    expect(await idsOf()).toEqual(ids);
    expect(new Set(ids).size).toBe(7);
    expect(library.find(ids[6] ?? '').path).toBe(path.join(examples, '07-normal-marker-dx.dcm'));
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{24}$/);
  });

  test('of another session are unknown', async () => {
    const [event] = (await open([study])).filter((each) => each.type === 'image');
    expect(() => createLibrary().find(event?.image.id ?? '')).toThrow('That image is not open');
  });
});

test('a symbolic link to a file is opened', async () => {
  const linked = path.join(folder, 'linked');
  mkdirSync(linked);
  symlinkSync(path.join(examples, '01-normal-dx.dcm'), path.join(linked, 'link.dcm'));
  cpSync(path.join(examples, '04-pneumonia-dx-jpeg.dcm'), path.join(linked, 'copy.dcm'));
  expect(imagesOf(await open([linked]))).toEqual(['copy.dcm', 'link.dcm']);
});
