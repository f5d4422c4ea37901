/** `pathlight compare` on the sample studies. */
import { decode } from 'fast-png';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { readNpy } from '../../core/imaging/npy.ts';
import type { Contrast } from '../../main/app/contrast.ts';
import { type Ended, pathlight } from '../support/command-line.ts';
import { hasPoppler, infoOf, textOf } from '../support/poppler.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Milliseconds that a computation may take on a busy machine. */
const LONG = 300_000;

const out = temporaryFolder();
const poppler = hasPoppler();

async function compared(folder: string, ...words: string[]): Promise<{ ended: Ended; contrast: Contrast }> {
  const ended = await pathlight(['compare', ...words, '--out', path.join(out, folder), '--json']);
  return { ended, contrast: JSON.parse(ended.out) as Contrast };
}

const values = (folder: string, name: string): Float32Array =>
  Float32Array.from(readNpy(readFileSync(path.join(out, folder, name))).data as Float32Array);

describe('an image moved and shown with another window', () => {
  let contrast: Contrast;
  beforeAll(async () => {
    const words = [
      'examples/04-pneumonia-dx-jpeg.dcm',
      '--shift',
      '-8,4',
      '--zoom',
      '1.1',
      '--window',
      '120,240',
    ];
    ({ contrast } = await compared('moved', ...words));
  }, LONG);

  test('is compared where it stayed in the picture', () => {
    const { comparedArea, rankCorrelation, exact } = contrast.maps ?? {};
    expect(contrast.registration).toBe('transform');
    expect(contrast.transform).toEqual({
      zoom: 1.1,
      shift: { columns: -8, rows: 4 },
      window: { center: 120, width: 240 },
    });
    // 1 / 1.1 of each side is left, less what was moved out; then whole pixels alone.
    expect(comparedArea).toBeGreaterThan(0.76);
    expect(comparedArea).toBeLessThan(0.83);
    expect(rankCorrelation).toBeGreaterThan(0.3);
    expect(rankCorrelation).toBeLessThanOrEqual(exact?.rankCorrelation ?? 0);
    const difference = values('moved', 'difference.npy');
    const left = difference.filter(Number.isNaN).length;
    expect(1 - left / difference.length).toBeCloseTo(comparedArea ?? NaN, 9);
  });

  test('writes what it promises', () => {
    expect(readdirSync(path.join(out, 'moved')).sort()).toEqual([
      'compare.json',
      'compare.pdf',
      'compare.png',
      'difference.npy',
      'map-a.npy',
      'map-b-in-a.npy',
      'map-b.npy',
    ]);
    expect(JSON.parse(readFileSync(path.join(out, 'moved', 'compare.json'), 'utf8'))).toEqual(contrast);
    const { width, height } = decode(readFileSync(path.join(out, 'moved', 'compare.png')));
    expect(width).toBeGreaterThan(1200);
    expect(height).toBeGreaterThan(600);
  });

  test.skipIf(!poppler)('tells the change in the report', () => {
    const pdf = readFileSync(path.join(out, 'moved', 'compare.pdf'));
    const text = textOf(pdf);
    expect(text).toContain('A zoomed 1.1 times about its middle; moved 8 left and 4 down, in input pixels');
    expect(text).toContain('window centre 120, width 240');
    expect(text).toContain('Not a medical device');
    expect(infoOf(pdf)['Tagged']).toBe('yes');
  });
});

describe('sample 02 against 07, its picture with a marker, with the model that follows the marker', () => {
  let contrast: Contrast;
  beforeAll(async () => {
    const files = ['examples/02-normal-cr-monochrome1.dcm', 'examples/07-normal-marker-dx.dcm'];
    ({ contrast } = await compared('marker', ...files, '--model', 'pneumonia-shortcut'));
  }, LONG);

  test('changes the decision, by evidence at the marker, outside the lungs', () => {
    expect(contrast.decision).toEqual({ a: 'NORMAL', b: 'PNEUMONIA', changed: true });
    const [first] = contrast.moved ?? [];
    expect(first).toMatchObject({ sign: 1, row: 17, column: 208, lungShares: { outside: 1 } });
    expect(first?.where).toBe('outside the lungs, top right of the picture');
    expect(contrast.b.densest).toMatchObject({ row: 17, column: 208 });
    expect(contrast.summary.join(' ')).toContain(
      'that of B lies outside the lungs, top right of the picture (row 17, column 208;',
    );
    expect(contrast.b.lungShares?.outside).toBeGreaterThan((contrast.a.lungShares?.outside ?? 1) + 0.1);
  });

  test('warns that the maps are not registered, and of the modalities', () => {
    expect(contrast.registration).toBe('as-they-lie');
    expect(contrast.densestOfBInA).toBeNull();
    expect(contrast.warnings.join(' ')).toContain('compared as they lie');
    expect(contrast.warnings).toContain('The modalities differ: A is CR, B DX.');
  });
});

test(
  'two images of different sizes have no map in one frame, and none is left of an earlier comparison',
  async () => {
    const [first, second] = ['examples/01-normal-dx.dcm', 'examples/04-pneumonia-dx-jpeg.dcm'];
    await compared('again', first, '--zoom', '1.1', '--method', 'gradient');
    expect(readdirSync(path.join(out, 'again'))).toContain('difference.npy');
    const { contrast } = await compared('again', first, second, '--method', 'gradient');
    expect(contrast.maps).toBeNull();
    expect(readdirSync(path.join(out, 'again')).sort()).toEqual([
      'compare.json',
      'compare.pdf',
      'compare.png',
      'map-a.npy',
      'map-b.npy',
    ]);
  },
  LONG,
);

describe('bad input', () => {
  test('one of two files is broken: code 1, and it is named', async () => {
    const broken = path.join(out, 'broken.dcm');
    writeFileSync(broken, readFileSync('examples/01-normal-dx.dcm').subarray(0, 500));
    const target = path.join(out, 'none');
    const { code, err } = await pathlight(['compare', 'examples/01-normal-dx.dcm', broken, '--out', target]);
    expect(code).toBe(1);
    expect(err).toContain('broken.dcm: ');
    expect(existsSync(target)).toBe(false);
  });

  test.each([
    ['examples/01-normal-dx.dcm --shift 224,0', 'moves the whole picture out of its frame'],
    ['examples/01-normal-dx.dcm --zoom 3 --shift 0,445', 'leaves 0.1 % of the picture'],
    ['examples/01-normal-dx.dcm --window 100,0.5', 'A window of width 0.5 shows nothing'],
    ['examples --zoom 2', "'examples' holds 7 images"],
    ['absent.dcm --zoom 2', "'absent.dcm' does not exist"],
  ])('compare %s: code 2, and nothing is written', async (line, message) => {
    const target = path.join(out, 'mistake');
    const { code, err } = await pathlight(['compare', ...line.split(' '), '--out', target]);
    expect(err).toContain(message);
    expect(code).toBe(2);
    expect(readdirSync(out)).not.toContain('mistake');
  });
});
