import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RefusedFile } from '../../core/contract/library.ts';
import type { ExplanationResult } from '../../core/contract/result.ts';
import { type Ended, jsonLines, pathlight } from '../support/command-line.ts';
import { writeDicom } from '../support/dicom-writer.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Milliseconds that a computation may take on a busy machine. */
const LONG = 300_000;

const folder = temporaryFolder();
const root = path.resolve(import.meta.dirname, '../..');
const sample = path.join(root, 'examples/01-normal-dx.dcm');
const mixed = path.join(folder, 'mixed');
const out = path.join(folder, 'out');

const pixels = new Uint8Array(16);
const huge = writeDicom({ rows: 60_000, columns: 60_000, pixels: new Uint8Array(9000) });

/** File name to what its reason must speak of. */
const BAD: Readonly<Record<string, { bytes: Uint8Array; reason: RegExp }>> = {
  'empty.dcm': { bytes: new Uint8Array(), reason: /./ },
  'garbage.dcm': {
    bytes: Buffer.concat([
      writeDicom({ rows: 4, columns: 4, pixels }).subarray(0, 300),
      Buffer.alloc(500, 0xa5),
    ]),
    reason: /damaged|cut off/i,
  },
  'huge.dcm': { bytes: huge, reason: /60,?000|large|cut off|memory/i },
  'no-pixels.dcm': { bytes: writeDicom({ rows: 4, columns: 4, pixels: null }), reason: /pixel data/i },
  'truncated.dcm': { bytes: readFileSync(sample).subarray(0, 400_000), reason: /cut off|truncated|damaged/i },
  'unsupported.dcm': {
    bytes: writeDicom({ rows: 4, columns: 4, pixels: [[pixels]], transferSyntax: '1.2.840.10008.1.2.4.80' }),
    reason: /JPEG-LS/,
  },
  'zero-rows.dcm': { bytes: writeDicom({ rows: 0, columns: 4, pixels }), reason: /row/i },
};

beforeAll(() => {
  mkdirSync(mixed);
  for (const [name, { bytes }] of Object.entries(BAD)) writeFileSync(path.join(mixed, name), bytes);
  writeFileSync(path.join(mixed, 'notes.txt'), 'Not an image.');
  copyFileSync(sample, path.join(mixed, 'good.dcm'));
});

describe('a folder with broken, truncated, unsupported and foreign files', () => {
  let ended: Ended;
  beforeAll(async () => {
    ended = await pathlight(['audit', mixed, '--model', 'pneumonia', '--out', out, '--json']);
  }, LONG);

  test('the image in it is explained all the same', () => {
    expect(jsonLines<ExplanationResult>(ended.out).map(({ image }) => image.file)).toEqual(['good.dcm']);
  });

  test.each(Object.entries(BAD))('%s is named with its reason', (name, { reason }) => {
    const failures = jsonLines<RefusedFile>(readFileSync(path.join(out, 'failures.jsonl'), 'utf8'));
    expect(failures.find(({ file }) => file === name)?.reason).toMatch(reason);
    expect(ended.err).toContain(`${name}: `);
  });

  test('the run ends with code 1; the text file is passed over', () => {
    expect(ended.code).toBe(1);
    expect(ended.err).toMatch(/not DICOM, or hidden, and passed over: .*notes\.txt/);
    expect(ended.err).toContain(`${Object.keys(BAD).length} failed`);
  });
});

describe('files that nothing can be made of', () => {
  test('named alone: code 1 and the reason', async () => {
    const { code, err } = await pathlight(['explain', path.join(mixed, 'notes.txt'), '--out', out]);
    expect(code).toBe(1);
    expect(err).toContain('notes.txt: ');
    expect(err).toContain('No DICOM image was found.');
  });

  test('a folder that is also written to: code 2, before anything runs', async () => {
    for (const command of ['explain', 'audit', 'study']) {
      const model = command === 'audit' ? ['--model', 'pneumonia'] : [];
      const { code, err } = await pathlight([command, mixed, ...model, '--out', `${mixed}/.`]);
      expect([command, code]).toEqual([command, 2]);
      expect(err).toContain('Let --out be another folder than the one that is read.');
    }
  });

  test('broken files of a cohort are named once, and left out', async () => {
    const { code, err } = await pathlight([
      ...['explain', sample, 'examples/02-normal-cr-monochrome1.dcm', '--method', 'expected-gradients'],
      ...['--set', 'samples=1', '--cohort', mixed, '--out', path.join(folder, 'compared')],
    ]);
    expect(
      err.match(
        /7 files of the cohort cannot be read as a single image, and left out: \S+\.dcm, \S+, \S+, …\n/g,
      ),
    ).toHaveLength(1);
    expect(code).toBe(1);
  });

  test('a frame that the image does not have', async () => {
    const { code, err } = await pathlight(['explain', sample, '--frame', '2', '--out', out]);
    expect(code).toBe(1);
    expect(err).toContain('The image has no frame 2. It has one frame.');
  });
});

describe('a model whose file does not match its card', () => {
  test('is refused with the reason', async () => {
    const models = path.join(folder, 'models');
    cpSync(path.join(root, 'models/pneumonia'), path.join(models, 'altered'), { recursive: true });
    const card = readFileSync(path.join(models, 'altered/card.json'), 'utf8');
    writeFileSync(
      path.join(models, 'altered/card.json'),
      card.replace('"id": "pneumonia"', '"id": "altered"'),
    );
    writeFileSync(path.join(models, 'altered/model.onnx'), 'other bytes');
    const { code, err } = await pathlight([
      'explain',
      sample,
      '--models',
      models,
      '--model',
      'altered',
      '--out',
      out,
    ]);
    expect(code).toBe(2);
    expect(err).toContain("The model 'altered' is refused: 'model.onnx' does not match its hash");
  });
});

/** A file system of 100 KiB, where this process may make one: a report does not fit into it. */
const small = path.join(folder, 'small');
mkdirSync(small);
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=100k', 'tmpfs', small]).status === 0;
if (!mounted)
  console.warn('SKIPPED: a full disk cannot be tried here, because a small file system cannot be mounted');
afterAll(() => {
  if (mounted) execFileSync('umount', [small]);
});

describe.runIf(mounted)('a full disk', () => {
  test('is said, with a code of its own, and leaves nothing half-written', async () => {
    const { code, err } = await pathlight(['explain', sample, '--out', small]);
    expect(code).toBe(1);
    expect(err).toContain('the disk is full. Free some space, or name another folder with --out.');
    expect(readdirSync(small, { recursive: true })).toEqual([]);
  });
});
