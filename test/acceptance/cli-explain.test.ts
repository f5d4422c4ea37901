import { decode } from 'fast-png';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { ExplanationResult } from '../../core/contract/result.ts';
import type { DeviceMeasurement } from '../../main/engine/devices.ts';
import type { ModelSupport } from '../../main/engine/engine.ts';
import { type Ended, jsonLines, pathlight } from '../support/command-line.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Milliseconds that a computation may take on a busy machine. */
const LONG = 300_000;

const out = temporaryFolder();
const root = path.resolve(import.meta.dirname, '../..');

const EXPECTED = {
  '01-normal-dx': 'NORMAL',
  '02-normal-cr-monochrome1': 'NORMAL',
  '03-normal-dx-rle': 'NORMAL',
  '04-pneumonia-dx-jpeg': 'PNEUMONIA',
  '05-pneumonia-dx-voilut': 'PNEUMONIA',
  '06-pneumonia-cr-jpeg2000': 'PNEUMONIA',
  '07-normal-marker-dx': 'NORMAL',
};

describe('explain examples --model pneumonia', () => {
  let ended: Ended;
  let results: ExplanationResult[];
  beforeAll(async () => {
    ended = await pathlight(['explain', 'examples', '--model', 'pneumonia', '--out', out, '--json']);
    results = jsonLines<ExplanationResult>(ended.out);
  }, LONG);

  test('ends well', () => {
    expect(ended.code).toBe(0);
    expect(ended.err).not.toContain('failed');
  });

  test('calls 01, 02, 03 and 07 NORMAL, and 04, 05 and 06 PNEUMONIA', () => {
    expect(
      Object.fromEntries(
        results.map(({ image, prediction }) => [path.parse(image.file).name, prediction.label]),
      ),
    ).toEqual(EXPECTED);
  });

  test('gives the probabilities that the reference has', () => {
    const scores = results.map(({ prediction }) => prediction.scores['PNEUMONIA'] ?? NaN);
    const reference = [0.013, 0.018, 0.011, 0.936, 0.907, 0.913, 0.013];
    for (const [i, score] of scores.entries()) expect(score).toBeCloseTo(reference[i] ?? NaN, 2);
  });

  test('every result is converged, or says that it is not', () => {
    for (const result of results) {
      const { gap, gapBound, mapChange, converged, flags, evaluations } = result;
      const within = Math.abs(gap ?? NaN) <= (gapBound ?? NaN) && (mapChange ?? NaN) <= 0.05;
      expect(converged, result.image.file).toBe(within);
      expect(flags.some(({ id }) => id === 'not-converged')).toBe(!converged);
      if (!converged) expect(evaluations).toBe(513);
    }
  });

  test('checks the lungs of every image', () => {
    for (const { lungs } of results) {
      expect(lungs?.share).toBeGreaterThan(0);
      expect(lungs?.areaShare).toBeGreaterThan(0.2);
      expect(lungs?.null.random).toBeCloseTo(lungs?.areaShare ?? NaN, 1);
    }
  });

  test('does not find the evidence of 07 on its marker', () => {
    expect(results[6]?.flags.map(({ id }) => id)).not.toContain('peak-outside-lungs');
  });

  describe.each(Object.keys(EXPECTED))('the folder of %s', (name) => {
    const folder = path.join(out, name);

    test('holds the four files', () => {
      expect(readdirSync(folder).sort()).toEqual(['map.npy', 'overlay.png', 'report.pdf', 'result.json']);
      expect(readFileSync(path.join(folder, 'report.pdf')).subarray(0, 5).toString()).toBe('%PDF-');
    });

    test('the map sums to f(x) - f(b) plus the gap', () => {
      const bytes = readFileSync(path.join(folder, 'map.npy'));
      expect(bytes.subarray(0, 128).toString('latin1')).toContain("'shape': (224, 224)");
      const map = new Float32Array(new Uint8Array(bytes.subarray(128)).buffer);
      const { fx, fb, gap } = JSON.parse(
        readFileSync(path.join(folder, 'result.json'), 'utf8'),
      ) as ExplanationResult;
      const sum = map.reduce((total, value) => total + value, 0);
      expect(sum).toBeCloseTo((fx ?? NaN) - (fb ?? NaN) + (gap ?? NaN), 3);
    });

    test('the overlay has the size of the image', () => {
      const { width, height, channels } = decode(readFileSync(path.join(folder, 'overlay.png')));
      expect([width, height, channels]).toEqual([expect.any(Number), expect.any(Number), 3]);
      expect(height).toBeGreaterThan(800);
    });
  });
});

describe('a mistake in what is typed ends with code 2 and says what it is', () => {
  test.each([
    [
      'explain examples --model tuberculosis',
      "There is no model called 'tuberculosis'. Known models: lungs, pneumonia",
    ],
    ['explain examples --model lungs', "The model 'lungs' draws regions"],
    ['explain examples --target COVID', "has no label 'COVID'. Its labels: NORMAL, PNEUMONIA."],
    ['explain no-such-folder', "'no-such-folder' does not exist"],
    ['explain examples --models no-such-folder', 'cannot be read'],
    ['audit no-such-folder --model pneumonia --out OUT', "'no-such-folder' does not exist"],
    ['explain examples --colour', "Unknown option '--colour'"],
  ])('%s', async (line, message) => {
    const target = path.join(out, 'mistake');
    const { code, out: printed, err } = await pathlight([...line.replace('OUT', target).split(' ')]);
    expect(err).toContain(message);
    expect([code, printed]).toEqual([2, '']);
    expect(existsSync(target)).toBe(false);
  });
});

describe('explain by other methods', () => {
  const sample = 'examples/06-pneumonia-cr-jpeg2000.dcm';
  const explain = async (
    name: string,
    ...words: string[]
  ): Promise<[Ended, ExplanationResult | undefined]> => {
    const ended = await pathlight(['explain', sample, ...words, '--out', path.join(out, name), '--json']);
    return [ended, jsonLines<ExplanationResult>(ended.out)[0]];
  };

  test.each([
    ['idgi-ig', ['--set', 'steps=6'], { converged: null, evaluations: 6, baseline: 'blurred' }],
    ['gradient', [], { expectedSum: null, baseline: null, evaluations: 1 }],
    [
      'smoothgrad',
      ['--set', 'samples=2', '--set', 'around.method=gradient-x-input', '--set', 'seed=7'],
      {
        parameters: { seed: 7, around: { method: 'gradient-x-input', parameters: {} } },
        spread: { runs: 2 },
      },
    ],
    [
      'integrated-gradients-fixed',
      ['--set', 'nodes=4', '--baseline', 'uniform', '--baseline-set', 'count=2'],
      { baseline: 'uniform', baselineParameters: { seed: 0, count: 2 }, spread: { runs: 2 } },
    ],
    [
      'ig2',
      ['--set', 'steps=2', '--cohort', 'examples'],
      { cohort: { unreadable: 0, sameClass: 2, beyond: 0 }, spread: { runs: 4 } },
    ],
  ] as const)(
    '%s',
    async (id, words, stated) => {
      const [{ code }, result] = await explain(id, '--method', id, ...words);
      expect(code).toBe(0);
      expect(result).toMatchObject({ method: id, ...stated });
      const folder = path.join(out, id, path.parse(sample).name);
      expect(readdirSync(folder)).toHaveLength(4);
      const bytes = readFileSync(path.join(folder, 'map.npy'));
      const map = new Float32Array(new Uint8Array(bytes.subarray(128)).buffer);
      expect(map.reduce((total, value) => total + value, 0)).toBeCloseTo(result?.sum ?? NaN, 2);
    },
    LONG,
  );

  test('tells what is missing, and leaves no folder behind where nothing was written', async () => {
    const [{ code, err }] = await explain('missing', '--method', 'ig2');
    expect([code, err]).toEqual([2, expect.stringContaining('ig2 needs --cohort DIR') as string]);
    const [frame] = await explain('frame', '--frame', '5');
    expect([frame.code, frame.err]).toEqual([1, expect.stringContaining('no frame 5') as string]);
    expect(existsSync(path.join(out, 'frame'))).toBe(false);
    const [several] = await explain('several', '--baseline-image', 'examples');
    expect([several.code, several.err]).toEqual([
      2,
      expect.stringMatching(
        /The baseline image: '.*examples' holds 7 images\. Name one DICOM file\./,
      ) as string,
    ]);
  });
});

describe('model check', () => {
  test('a model that can be explained: code 0', async () => {
    const {
      code,
      out: printed,
      err,
    } = await pathlight(['model', 'check', path.join(root, 'models/pneumonia/model.onnx'), '--json']);
    const support = JSON.parse(printed) as ModelSupport & { devices: DeviceMeasurement[] };
    expect([code, support.explainable, support.reasons]).toEqual([0, true, []]);
    expect(support.inputs).toHaveLength(1);
    expect(support.preprocessing).toMatchObject({ layout: 'NCHW', channels: 1 });
    expect(err).toBe('');

    const [cpu, ...others] = support.devices;
    expect(cpu?.provider).toBe('cpu');
    expect(cpu?.measured?.gradientMs).toBeGreaterThan(0);
    // 435,186 parameters, once forward and their kernels once more, turned, backward.
    expect(cpu?.measured?.cost.weights).toBeGreaterThan(2 * 4 * 400_000);
    for (const { measured, reason } of others) expect(measured === null).toBe(reason !== '');
  });

  test('a file that is no model: code 1', async () => {
    const { code, err } = await pathlight(['model', 'check', 'README.md']);
    expect(code).toBe(1);
    expect(err).not.toBe('');
  });

  test('a file that is not there: code 2', async () => {
    expect(await pathlight(['model', 'check', 'absent.onnx'])).toMatchObject({ code: 2 });
  });
});
