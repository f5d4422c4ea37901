import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  watch,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { readNpy } from '../../core/imaging/npy.ts';
import type { StudyRow } from '../../main/study/row.ts';
import { type Ended, jsonLines, pathlight } from '../support/command-line.ts';
import { records } from '../support/records.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Milliseconds that a computation may take on a busy machine. */
const LONG = 300_000;

const root = path.resolve(import.meta.dirname, '../..');
const temporary = temporaryFolder();
const folder = path.join(temporary, 'images');
const labels = path.join(temporary, 'labels.csv');
const names = ['01-normal-dx.dcm', '04-pneumonia-dx-jpeg.dcm', '07-normal-marker-dx.dcm'];
const words = (out: string, ...more: string[]): string[] => [
  ...['study', folder, '--labels', labels, '--out', out, '--model', 'pneumonia-shortcut'],
  ...['--methods', 'idgi-ig,blur-ig', '--baselines', 'black,blurred', '--steps', '4,8'],
  ...['--metrics', 'completeness-gap,relevance-mass,infidelity', ...more],
];

const sha256 = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex');

/** The table without what a clock says. */
const timeless = (file: string): Record<string, string>[] =>
  records(file).map((record) => ({ ...record, seconds: '' }));

const tables = ['results.csv', 'statistics.csv', 'agreement.csv', 'steps.csv'];

function interruptAfter(lines: number, journal: string): (child: ChildProcess) => void {
  return (child) => {
    const watcher = watch(path.dirname(journal), () => {
      if (!existsSync(journal) || readFileSync(journal, 'utf8').split('\n').length <= lines) return;
      child.kill('SIGKILL');
      watcher.close();
    });
    child.on('close', () => watcher.close());
  };
}

beforeAll(() => {
  mkdirSync(folder);
  for (const name of names) copyFileSync(path.join(root, 'examples', name), path.join(folder, name));
  writeFileSync(
    labels,
    'file,label\n01-normal-dx,NORMAL\n04-pneumonia-dx-jpeg,PNEUMONIA\nelsewhere,NORMAL\n',
  );
});

describe('a study of three images', () => {
  const out = path.join(temporary, 'whole');
  let ended: Ended;
  let written: Record<string, string>[][];
  beforeAll(async () => {
    ended = await pathlight(words(out, '--json'));
    written = tables.map((table) => timeless(path.join(out, table)));
  }, LONG);

  test('says what it will compute, and what does not fit', () => {
    expect(ended.code).toBe(0);
    // 4 and 8 steps of IDGI from two baselines, and of Blur IG, with a gradient at the end.
    expect(ended.err).toContain('3 images, 1 model, 6 maps each: about 114 gradients');
    expect(ended.err).toContain('1 name of the labels belongs to no image: elsewhere.');
    expect(ended.err).toContain('1 image has no label: 07-normal-marker-dx.dcm.');
    expect(ended.err).toContain('18 maps of 3 images measured');
  });

  test('has a row a map and metric, in the order of the plan, printed as it goes', () => {
    const rows = jsonLines<StudyRow>(ended.out);
    expect(rows.map(({ image }) => image)).toEqual(names.flatMap((name) => Array<string>(18).fill(name)));
    expect(
      rows.slice(0, 18).map(({ method, baseline, steps, metric }) => [method, baseline, steps, metric]),
    ).toEqual(
      [
        ...['black', 'blurred'].flatMap((baseline) => [4, 8].map((steps) => ['idgi-ig', baseline, steps])),
        ...[4, 8].map((steps) => ['blur-ig', null, steps]),
      ].flatMap((way) =>
        ['completeness-gap', 'relevance-mass', 'infidelity'].map((metric) => [...way, metric]),
      ),
    );
    expect(rows.map(({ group }) => group)).toEqual(
      ['NORMAL', 'PNEUMONIA', ''].flatMap((group) => Array<string>(18).fill(group)),
    );
    expect(records(path.join(out, 'results.csv'))).toHaveLength(rows.length);
  });

  test('measures what the methods promise: IDGI sums to the change, and costs a gradient a step', () => {
    for (const row of jsonLines<StudyRow>(ended.out).filter(({ method }) => method === 'idgi-ig')) {
      expect(row.evaluations).toBe(row.steps);
      expect(Math.abs(row.sum - (row.expectedSum ?? NaN))).toBeLessThan(1e-4);
      if (row.metric === 'completeness-gap' && row.value !== null) expect(row.value).toBeLessThan(1e-4);
      if (row.metric === 'relevance-mass') {
        expect(row.mask).toBe('lungs');
        expect(row.value).toBeGreaterThan(0);
        expect(row.random).toBeGreaterThan(0.2);
      }
    }
  });

  test('explains what the model decides: the marker makes 07 a PNEUMONIA', () => {
    const rows = jsonLines<StudyRow>(ended.out);
    for (const { target, prediction } of rows) expect(target).toBe(prediction);
    expect(rows.find(({ image }) => image === names[2])?.prediction).toBe('PNEUMONIA');
  });

  test('keeps each map under a name that is of no patient', () => {
    const { map, sum } = jsonLines<StudyRow>(ended.out)[0] ?? { map: '', sum: NaN };
    expect(map).toMatch(/^[0-9a-f]{32}\.npy$/);
    const { shape, data } = readNpy(readFileSync(path.join(out, 'maps', map)));
    expect(shape).toEqual([224, 224]);
    expect((data as Float32Array).reduce((total, value) => total + value, 0)).toBeCloseTo(sum, 3);
    expect(readdirSync(path.join(out, 'maps'))).toHaveLength(18);
  });

  test('says what the rows say together, of all images and of each label', () => {
    const statistics = records(path.join(out, 'statistics.csv'));
    expect(new Set(statistics.map(({ group }) => group))).toEqual(new Set(['all', 'NORMAL', 'PNEUMONIA']));
    const [all] = statistics.filter(({ metric }) => metric === 'infidelity');
    expect(Number(all?.['low'])).toBeLessThanOrEqual(Number(all?.['mean']));
    expect(Number(all?.['high'])).toBeGreaterThanOrEqual(Number(all?.['mean']));
    expect(all?.['count']).toBe('3');
    // Of the methods that start from a baseline, at the most steps; two measures, three groups.
    expect(
      records(path.join(out, 'agreement.csv')).map(({ method, steps, baseline, other_baseline: other }) =>
        [method, steps, baseline, other].join(' '),
      ),
    ).toEqual(Array<string>(6).fill('idgi-ig 8 black blurred'));
    expect(records(path.join(out, 'steps.csv'))).toHaveLength(9);
  });

  test('run again has nothing left to compute, and writes the same', async () => {
    const before = readFileSync(path.join(out, 'results.csv'), 'utf8');
    const again = await pathlight(words(out));
    expect(again.err).toContain('18 maps of 3 images measured (18 taken over from an earlier run)');
    expect(readFileSync(path.join(out, 'results.csv'), 'utf8')).toBe(before);
  });

  test(
    'with other metrics and steps keeps what still fits',
    async () => {
      const more = ['--steps', '8,10', '--metrics', 'infidelity,sparseness', '--methods', 'idgi-ig'];
      const again = await pathlight(words(out, ...more));
      expect(again.err).toContain('12 maps of 3 images measured (6 taken over from an earlier run)');
      const rows = records(path.join(out, 'results.csv'));
      expect(new Set(rows.map(({ metric }) => metric))).toEqual(new Set(['infidelity', 'sparseness']));
      expect(readdirSync(path.join(out, 'maps'))).toHaveLength(24);
    },
    LONG,
  );

  test(
    'killed on the way and run again comes to the same tables, but for the seconds',
    async () => {
      const other = path.join(temporary, 'killed');
      mkdirSync(other);
      const killed = await pathlight(words(other), interruptAfter(30, path.join(other, 'study.jsonl')));
      expect(killed.code).not.toBe(0);
      expect(existsSync(path.join(other, 'results.csv'))).toBe(false);
      const again = await pathlight(words(other));
      expect(again.code).toBe(0);
      expect(again.err).toMatch(/18 maps of 3 images measured \(\d+ taken over from an earlier run\)/);
      expect(tables.map((table) => timeless(path.join(other, table)))).toEqual(written);
    },
    LONG,
  );
});

describe('what is wrong with a study is said', () => {
  const out = path.join(temporary, 'wrong');

  test('a table without its columns, before anything runs', async () => {
    const table = path.join(temporary, 'bad.csv');
    writeFileSync(table, 'image,class\na,b\n');
    const { code, err } = await pathlight(words(out, '--labels', table));
    expect(code).toBe(2);
    expect(err).toContain("The labels have no column 'file'");
    expect(existsSync(out)).toBe(false);
  });

  test('a method that needs other images, with what to do', async () => {
    const { code, err } = await pathlight(words(out, '--methods', 'expected-gradients'));
    expect(code).toBe(2);
    expect(err).toContain('Expected gradients needs other images. Name their folder with --cohort.');
  });

  test(
    'an image that cannot be read, a mask that is none and one that is missing; the rest goes on',
    async () => {
      const broken = path.join(temporary, 'broken');
      const masks = path.join(temporary, 'masks');
      for (const made of [broken, masks]) mkdirSync(made);
      for (const name of names) copyFileSync(path.join(folder, name), path.join(broken, name));
      writeFileSync(
        path.join(broken, '02-cut.dcm'),
        readFileSync(path.join(folder, names[0] ?? '')).subarray(0, 9000),
      );
      writeFileSync(path.join(masks, '04-pneumonia-dx-jpeg.png'), 'no picture');
      const { code, err } = await pathlight([
        ...['study', broken, '--out', out, '--methods', 'gradient', '--metrics', 'sparseness,relevance-mass'],
        ...['--masks', masks],
      ]);
      expect(code).toBe(1);
      expect(err).toContain('02-cut.dcm: ');
      expect(err).toContain(
        "04-pneumonia-dx-jpeg.dcm: The mask '04-pneumonia-dx-jpeg.png' cannot be read as PNG.",
      );
      expect(err).toContain('01-normal-dx.dcm: there is no mask.');
      const rows = records(path.join(out, 'results.csv'));
      expect(rows.map(({ image, metric, mask }) => [image, metric, mask])).toEqual([
        [names[0], 'sparseness', ''],
        [names[2], 'sparseness', ''],
      ]);
      const failures = jsonLines<{ file: string }>(readFileSync(path.join(out, 'failures.jsonl'), 'utf8'));
      expect(failures.map(({ file }) => file).sort()).toEqual(['02-cut.dcm', '04-pneumonia-dx-jpeg.dcm']);
    },
    LONG,
  );
});

test(
  'study.json names the cohort by its content, and every parameter of every map',
  async () => {
    const [out, cohort] = [path.join(temporary, 'traced'), path.join(temporary, 'cohort')];
    mkdirSync(cohort);
    for (const name of names) copyFileSync(path.join(folder, name), path.join(cohort, name));
    copyFileSync(path.join(folder, names[0] ?? ''), path.join(cohort, 'again.dcm'));
    const whole = readFileSync(path.join(folder, names[0] ?? ''));
    writeFileSync(path.join(cohort, 'cut.dcm'), whole.subarray(0, 9000));
    const { err } = await pathlight([
      ...['study', path.join(folder, names[0] ?? ''), '--out', out, '--cohort', cohort, '--seed', '3'],
      ...['--methods', 'expected-gradients,idgi-ig', '--baselines', 'blurred', '--steps', '2'],
      ...['--metrics', 'sparseness'],
    ]);
    expect(err).toContain('cut.dcm: ');
    const digests = names
      .map((name) => sha256(readFileSync(path.join(folder, name))))
      .toSorted((a, b) => (a < b ? -1 : 1));
    const asked = JSON.parse(readFileSync(path.join(out, 'study.json'), 'utf8')) as Record<string, unknown>;
    expect(asked['cohort']).toEqual({
      folder: cohort,
      images: digests,
      sha256: sha256(digests.join('\n')),
      unreadable: 1,
    });
    expect(asked['maps']).toMatchObject([
      { model: 'pneumonia', method: 'expected-gradients', parameters: { method: { samples: 2, seed: 3 } } },
      // The sigma is the default at 224 x 224.
      {
        model: 'pneumonia',
        method: 'idgi-ig',
        parameters: { method: { steps: 2 }, baseline: { sigma: expect.any(Number) as number } },
      },
    ]);
  },
  LONG,
);

test(
  'draws what it can where a map is gone by the time that the figures are made',
  async () => {
    const out = path.join(temporary, 'gone');
    mkdirSync(out);
    const { code, err } = await pathlight(
      [
        ...['study', folder, '--out', out, '--metrics', 'sparseness', '--methods', 'gradient,idgi-ig'],
        ...['--baselines', 'black', '--steps', '2,4'],
      ],
      (child) => {
        const watcher = watch(out, (_, name) => {
          if (name !== 'results.csv') return;
          rmSync(path.join(out, 'maps'), { recursive: true, force: true });
          watcher.close();
        });
        child.on('close', () => watcher.close());
      },
    );
    expect({ code, err }).toMatchObject({ code: 0 });
    expect(readdirSync(out)).toContain('summary.pdf');
    expect(readdirSync(out)).not.toContain('maps');
  },
  LONG,
);

test(
  'questions the methods: an edge detector would survive the weights, the map does not',
  async () => {
    const out = path.join(temporary, 'questions');
    const metrics = ['randomised-ssim', 'change-jpeg', 'change-float-noise'];
    const {
      code,
      out: printed,
      err,
    } = await pathlight([
      ...['study', path.join(folder, names[1] ?? ''), '--out', out, '--json', '--metrics', metrics.join(',')],
      ...['--methods', 'integrated-gradients-fixed', '--baselines', 'black', '--steps', '4'],
    ]);
    expect(code).toBe(0);
    expect(err).toContain('1 map each: about 20 gradients');
    const rows = jsonLines<StudyRow>(printed);
    expect(rows.map(({ metric }) => metric)).toEqual(metrics);
    const [ssim, jpeg, noise] = rows;
    expect(ssim?.value).toBeLessThan(0.6);
    expect(ssim?.edges).toBeCloseTo(1, 9);
    expect(noise?.value).toBeLessThan(jpeg?.value ?? NaN);
  },
  LONG,
);
