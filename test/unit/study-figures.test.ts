import { lowerFirst } from '../../core/attribution/stated.ts';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { decode } from 'fast-png';
import fc from 'fast-check';
import PDFDocument from 'pdfkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agreementOf } from '../../core/metrics/agreement.ts';
import type { Drawing, Mark } from '../../main/report/drawing.ts';
import { margin, svgOf } from '../../main/report/drawing-svg.ts';
import { rasterise } from '../../main/report/rasterise.ts';
import { Typesetter } from '../../main/report/typesetter.ts';
import { shadeOf } from '../../main/study/figures/agreement-matrix.ts';
import { valueScale } from '../../main/study/figures/extent.ts';
import { bestWords, farNulls } from '../../main/study/figures/finding.ts';
import { gather, spread } from '../../main/study/figures/gather.ts';
import { methodAgreementRows } from '../../main/study/figures/method-agreement.ts';
import { atMostSteps, overBaselines } from '../../main/study/figures/over-baselines.ts';
import { overSteps } from '../../main/study/figures/over-steps.ts';
import type { StudyReport } from '../../main/study/figures/report.ts';
import { medianOf, stepsNeeded } from '../../main/study/figures/steps-needed.ts';
import { figuresOf, writeStudyFigures } from '../../main/study/figures/write.ts';
import { hasPoppler, textOf } from '../support/poppler.ts';
import { studyReport, type StudyShape } from '../support/study-report.ts';

const typesetter = new Typesetter(new PDFDocument({ autoFirstPage: false }));

const small: Partial<StudyShape> = {
  images: 4,
  methods: ['integrated-gradients-fixed', 'idgi-ig', 'blur-ig', 'smoothgrad-squared'],
  baselines: ['black', 'maximum-entropy'],
  steps: [8, 32, 128],
  metrics: ['insertion', 'relevance-mass', 'hit-rate', 'sparseness'],
};

async function drawingsOf(report: StudyReport): Promise<Map<string, Drawing>> {
  const drawings = new Map<string, Drawing>();
  const gathered = await gather(report.rows);
  for await (const { name, drawing } of figuresOf(
    report,
    gathered,
    typesetter,
    new AbortController().signal,
  )) {
    drawings.set(name, drawing);
  }
  return drawings;
}

interface Box {
  content: string;
  left: number;
  right: number;
  top: number;
  bottom: number;
}

/** Where the letters of a text stand, line by line. */
function boxesOf(mark: Extract<Mark, { mark: 'text' }>): Box[] {
  const { set, content, x, y, width, turned } = mark;
  return set.lines.map((line, i): Box => {
    const slack = width - line.width;
    const from = x + (set.style.align === 'right' ? slack : set.style.align === 'center' ? slack / 2 : 0);
    // The height of capitals; ascenders and descenders of neighbours may share what is between the lines.
    const middle = y + (i + 0.5) * set.lineHeight;
    const half = set.style.size * 0.36;
    if (!turned)
      return { content, left: from, right: from + line.width, top: middle - half, bottom: middle + half };
    const [centreX, centreY] = [x + width / 2, y + set.height / 2];
    return {
      content,
      left: centreX + (middle - half - centreY),
      right: centreX + (middle + half - centreY),
      top: centreY - line.width / 2,
      bottom: centreY + line.width / 2,
    };
  });
}

function overlapping(drawing: Drawing): string[] {
  const boxes = drawing.marks.flatMap((mark) => (mark.mark === 'text' ? [boxesOf(mark)] : []));
  return boxes.flatMap((one, i) =>
    boxes
      .slice(i + 1)
      .flatMap((other) =>
        one.some((a) =>
          other.some(
            (b) =>
              a.left < b.right - 0.1 &&
              b.left < a.right - 0.1 &&
              a.top < b.bottom - 0.1 &&
              b.top < a.bottom - 0.1,
          ),
        )
          ? [`"${one[0]?.content ?? ''}" / "${other[0]?.content ?? ''}"`]
          : [],
      ),
  );
}

const textsOf = (drawing: Drawing | undefined): string =>
  (drawing?.marks ?? []).flatMap((mark) => (mark.mark === 'text' ? [mark.content] : [])).join('\n');

const few = { ...small, images: 3, models: ['pneumonia'], steps: [8, 32] };

/** Shapes of studies that have less than everything. */
const lesser: Record<string, Partial<StudyShape>> = {
  'of one image': { ...few, images: 1, groups: [''] },
  'of one method': { ...few, methods: ['guided-ig'], models: ['pneumonia'] },
  'of one baseline': { ...few, baselines: ['black'] },
  'without steps': { ...few, methods: ['gradient', 'integrated-gradients'], steps: [] },
  'of one metric that needs no mask': { ...few, metrics: ['sparseness'] },
  'without any value': { ...few, values: false },
  'of many groups and long names': {
    ...few,
    models: ['pneumonia', 'pneumonia-shortcut'],
    groups: [
      'PNEUMONIA (bacterial, left lower lobe)',
      'NORMAL',
      'PNEUMONIA (viral)',
      'NORMAL with the marker',
    ],
    methods: ['integrated-gradients-adaptive', 'idgi-guided-ig', 'gradient-x-input', 'expected-gradients'],
    baselines: ['cohort-sample', 'dataset-mean', 'maximum-distance'],
  },
};

describe('the figures of a study', () => {
  let report: StudyReport;
  let drawings: Map<string, Drawing>;
  beforeAll(async () => {
    report = await studyReport(small);
    drawings = await drawingsOf(report);
  }, 120_000);

  it('are one of each kind', () => {
    const kinds = new Set([...drawings.keys()].map((name) => name.split('_').slice(0, 2).join(' ')));
    expect([...kinds]).toEqual(
      expect.arrayContaining([
        'steps insertion',
        'steps-needed pneumonia',
        'baselines pneumonia',
        'agreement baselines',
        'agreement methods',
        'maps methods',
        'maps baselines',
      ]),
    );
  });

  it('say the direction, the number of images and what the nulls get', () => {
    const text = textsOf(drawings.get('steps_insertion_black'));
    expect(text).toContain('Insertion (higher is better)');
    expect(text).toContain('pneumonia \u00b7 all images, n = 4');
    expect(text).toContain('where a random map gets 0.500 and the edges 0.540');
    expect(textsOf(drawings.get('steps_sparseness_black'))).toContain('neither end is better');
    expect(textsOf(drawings.get('agreement_methods_pneumonia_black'))).toMatch(
      /random maps get a rank correlation of .?0\.0\d\d .* an overlap of 0\.0\d\d/,
    );
  });

  it('name images by their hash, and never by their file', () => {
    const sheets = [...drawings].filter(([name]) => name.startsWith('maps_'));
    for (const [, drawing] of sheets) expect(textsOf(drawing)).not.toContain('chest-');
    expect(textsOf(sheets[0]?.[1])).toMatch(/^[0-9a-f]{8}\n/m);
  });

  it('put each mean where its axis says', () => {
    const [figure] = overSteps(
      report.statistics.filter(
        ({ metric, baseline }) => metric === 'insertion' && baseline !== 'maximum-entropy',
      ),
      typesetter,
    );
    const labels = figure?.drawing.marks.flatMap((mark) =>
      mark.mark === 'text' && /^0\.\d+$/.test(mark.content)
        ? [{ value: Number(mark.content), y: mark.y + mark.set.height / 2 }]
        : [],
    );
    const [a, b] = [labels?.[0], labels?.[1]];
    if (a === undefined || b === undefined) throw new Error('no numbers at the axis');
    const yOf = (value: number): number => a.y + ((value - a.value) / (b.value - a.value)) * (b.y - a.y);
    const dots = figure?.drawing.marks.flatMap((mark) =>
      mark.mark === 'path' && mark.at ? [mark.at[1]] : [],
    );
    for (const { model, group, mean } of report.statistics.filter(
      (row) => row.metric === 'insertion' && row.baseline === 'black',
    )) {
      if (model !== 'pneumonia' || group !== null) continue;
      expect(dots?.some((y) => Math.abs(y - yOf(mean)) < 0.02)).toBe(true);
    }
  });

  it('keep every text within the figure and apart from every other', () => {
    for (const [name, drawing] of drawings) {
      expect({ name, overlapping: overlapping(drawing) }).toEqual({ name, overlapping: [] });
      for (const mark of drawing.marks) {
        if (mark.mark !== 'text') continue;
        for (const { left, right, top, bottom, content } of boxesOf(mark)) {
          const inside =
            left >= -margin && right <= drawing.width + margin && top >= 0 && bottom <= drawing.height;
          expect({ name, content, inside }).toEqual({ name, content, inside: true });
        }
      }
    }
  });

  it('are well-formed SVG without text or fonts, and PNG of the same proportions', async () => {
    const drawing = drawings.get('maps_methods_pneumonia_baseline-black');
    if (drawing === undefined) throw new Error('no contact sheet');
    const svg = svgOf(drawing, typesetter);
    expect(svg).not.toMatch(/<text|font-family/);
    // resvg reads XML strictly: what it takes is well-formed.
    const { width, height } = decode(await rasterise(svg, 700));
    expect(width).toBe(700);
    expect(
      Math.abs(height - (700 * (drawing.height + 2 * margin)) / (drawing.width + 2 * margin)),
    ).toBeLessThan(1);
    await expect(rasterise(svg.replace('</svg>', ''), 700)).rejects.toThrow();
  });

  it('escape what XML forbids', async () => {
    const drawing: Drawing = {
      ...(drawings.get('steps-needed_pneumonia') ?? { width: 10, height: 10, marks: [] }),
      title: 'a < b & "c" \u0000\u001b\ud800',
      description: ']]>',
    };
    const svg = svgOf(drawing, typesetter);
    expect(svg).toContain('a &lt; b &amp; &quot;c&quot;');
    expect(decode(await rasterise(svg, 100)).width).toBe(100);
  });

  it.each(Object.entries(lesser))('can be drawn of a study %s', async (kind, shape) => {
    const of = await drawingsOf(await studyReport(shape));
    for (const [name, drawing] of of) {
      expect({ name, overlapping: overlapping(drawing) }).toEqual({ name, overlapping: [] });
      const marks = drawing.marks.filter(({ mark }) => mark !== 'picture');
      expect(JSON.stringify(marks)).not.toMatch(/NaN|null|undefined/);
      expect(drawing.height).toBeLessThan(730);
    }
    const text = [...of.values()].map(textsOf).join('\n');
    if (kind === 'of one image')
      expect(text).toMatch(
        /n = 1: no interval[^]*fewer than three images have no interval, and none is drawn/,
      );
    if (kind === 'without steps') expect([...of.keys()].some((name) => name.startsWith('steps'))).toBe(false);
  });
});

describe('contact sheets', () => {
  const methods: StudyShape['methods'] = [
    'integrated-gradients-fixed',
    'gradient',
    'smoothgrad-squared',
    'idgi-ig',
    'guided-ig',
    'blur-ig',
    'expected-gradients',
    'ig2',
  ];

  it('in parts say so, and give an image one scale in all of them', async () => {
    const report = await studyReport({ ...few, images: 2, methods, steps: [8], baselines: ['black'] });
    // The maps of the second part alone are the weaker by far.
    const map = async (name: string): Promise<Float32Array | null> =>
      (await report.map(name))?.map((value) =>
        /_(?:expected-gradients|ig2)_/.test(name) ? value / 50 : value,
      ) ?? null;
    const drawings = await drawingsOf({ ...report, map });
    const [one, two] = [1, 2].map((part) =>
      textsOf(drawings.get(`maps_methods_pneumonia_baseline-black_part-${part}`)),
    );
    expect(one).toContain('baseline black, part 1 of 2');
    expect(two).toContain('baseline black, part 2 of 2');
    expect(one).toContain('looks empty and is scored all the same');
    const scales = (text: string | undefined): string[] => text?.match(/^scale .*$/gm) ?? [];
    expect(scales(one)).toHaveLength(2);
    expect(scales(two)).toEqual(scales(one));
  });

  it('call no slope a contribution, and nothing without sign for or against', async () => {
    const of = async (some: StudyShape['methods']): Promise<string> => {
      const report = await studyReport({
        ...few,
        images: 1,
        methods: some,
        steps: [8],
        baselines: ['black'],
      });
      return textsOf((await drawingsOf(report)).get('maps_methods_pneumonia_baseline-black'));
    };
    const slopes = 'Gradient: slopes of the score, no shares of it';
    const mixed = await of(['integrated-gradients-fixed', 'gradient', 'smoothgrad-squared']);
    expect(mixed).toContain(slopes);
    expect(mixed).toContain('SmoothGrad-squared: without sign; how much, not whether for or against');
    expect(mixed).toContain('\u2212 range: lowered the score');
    expect(mixed).toContain('slopes: a higher value lowers the score');
    const alone = await of(['gradient']);
    expect(alone).toContain('\u2212 range: a higher value lowers the score');
    expect(alone).not.toContain('lowered the score');
    expect(await of(['integrated-gradients-fixed'])).not.toContain('slope');
  });
});

describe('the written study', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'pathlight-figures-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const tiny: Partial<StudyShape> = {
    ...small,
    images: 2,
    models: ['pneumonia'],
    metrics: ['insertion', 'relevance-mass'],
    baselines: ['black'],
    groups: [''],
  };

  it('is the figures in pairs and the summary, whole and complete', async () => {
    const written = await writeStudyFigures(await studyReport(tiny), folder);
    const found = [
      ...readdirSync(path.join(folder, 'figures')).map((name) => `figures/${name}`),
      'summary.pdf',
    ];
    expect(found.sort()).toEqual(written.toSorted());
    for (const name of written.filter((file) => file.endsWith('.png'))) {
      const svg = readFileSync(path.join(folder, name.replace(/png$/, 'svg')), 'utf8');
      const [, points = '0'] = /width="([\d.]+)pt"/.exec(svg) ?? [];
      expect(decode(readFileSync(path.join(folder, name))).width).toBe(
        Math.round((Number(points) * 300) / 72),
      );
    }
  });

  it('removes what an earlier run drew and it did not, and no other file', async () => {
    const again = path.join(folder, 'again');
    const first = await writeStudyFigures(
      await studyReport({ ...tiny, methods: ['gradient'], steps: [] }),
      again,
    );
    writeFileSync(path.join(again, 'figures', 'mine.svg'), '<svg/>');
    const second = await writeStudyFigures(
      await studyReport({ ...tiny, models: ['pneumonia-shortcut'], methods: ['gradient'], steps: [] }),
      again,
    );
    const found = readdirSync(path.join(again, 'figures')).map((name) => `figures/${name}`);
    expect([...found, 'summary.pdf'].sort()).toEqual([...second, 'figures/mine.svg'].sort());
    expect(first.some((name) => !second.includes(name))).toBe(true);
    rmSync(again, { recursive: true });
  });

  it.runIf(hasPoppler())('has a summary that says what was run, found and not shown', () => {
    const text = textOf(readFileSync(path.join(folder, 'summary.pdf')));
    for (const words of [
      'What was asked',
      'SHA-256 e8bf6acdabd561df142b20685739679716f25fe3b21f8570ca69579bb742ca6f',
      '2 studied',
      '65 images to compare with, each image with at most 64 of them, 1 left out; SHA-256',
      'Mass in lungs',
      'A random map',
      'Not measured: deletion',
      'Does insertion change with the number of steps?',
      'How alike are the maps of different methods?',
      'What this study does not show',
      'torn.dcm',
      'notes.txt',
      'chest-9.dcm: there is no mask',
      'No metric here knows where the evidence truly lies',
    ]) {
      expect(text).toContain(words);
    }
    // The clock ran while other maps were measured: methods are compared by their gradients.
    expect(text).not.toContain('Time:');
  });

  it('stops when it is told to, and leaves no half of a pair', async () => {
    const stopped = mkdtempSync(path.join(os.tmpdir(), 'pathlight-figures-'));
    await expect(
      writeStudyFigures(await studyReport(tiny), stopped, { signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ kind: 'cancelled' });
    expect(readdirSync(stopped)).toEqual([]);
    rmSync(stopped, { recursive: true });
  });
});

describe('axes', () => {
  it('reach every value, and not beyond what a value can be', () => {
    fc.assert(
      fc.property(
        fc.array(fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: null }), { minLength: 1 }),
        (values) => {
          const [low = NaN, high = NaN] = valueScale(values, [0, 1], [0, 100]).domain();
          expect(low).toBeGreaterThanOrEqual(0);
          expect(high).toBeLessThanOrEqual(1);
          expect(low).toBeLessThan(high);
          for (const value of values) {
            if (value !== null) expect(value >= low && value <= high).toBe(true);
          }
        },
      ),
    );
  });
});

describe('what figures say was found', () => {
  const saidOf = (drawing: Drawing | undefined): string => textsOf(drawing).split('\n')[1] ?? '';

  it('calls best what the metric calls better, and no winner where all are equal or there is one', async () => {
    const { statistics } = await studyReport({
      ...few,
      metrics: ['deletion', 'insertion', 'sparseness'],
      baselines: ['black'],
    });
    const means: Record<string, number> = {
      'integrated-gradients-fixed': 0.2,
      'idgi-ig': 0.3,
      'blur-ig': 0.4,
    };
    const rows = (metric: string) =>
      statistics
        .filter(
          (row) => row.group === null && row.steps === 32 && row.metric === metric && row.method in means,
        )
        .map((row) => ({ ...row, mean: means[row.method] ?? 0 }));
    expect(bestWords(rows('deletion'))).toMatch(/^it is best \(lowest\) for IG, fixed rule, 0\.200 /);
    expect(bestWords(rows('insertion'))).toMatch(/^it is best \(highest\) for Blur IG, 0\.400 /);
    expect(bestWords(rows('sparseness'))).toMatch(
      /^it is largest for Blur IG, .* smallest for IG, fixed rule/,
    );
    const equal = rows('deletion').map((row) => ({ ...row, mean: 0 }));
    expect(bestWords(equal)).toBe('it is equal for all, 0.00');
    expect(bestWords(equal.map((row, i) => ({ ...row, mean: Math.floor(i / 2) })))).toBe(
      'it is best (lowest), 0.00, for IG, fixed rule and IDGI on IG',
    );
    expect(bestWords(equal.slice(0, 1))).toMatch(/^it is 0\.00 \(.*\) for IG, fixed rule$/);
    const still = statistics.map((row) => ({ ...row, mean: 0, low: 0, high: 0 }));
    const [figure] = overSteps(still, typesetter);
    expect(saidOf(figure?.drawing)).toContain(
      'From 8 to 32 steps no mean changes; at 32 steps it is equal for all',
    );
  });

  it('does not praise IDGI for a gap that is 0 by construction', async () => {
    const { statistics, steps } = await studyReport({ ...few, metrics: ['completeness-gap'] });
    const rows = statistics.map((row) => (row.method === 'idgi-ig' ? { ...row, mean: 0 } : row));
    const [figure] = overSteps(rows, typesetter);
    expect(saidOf(figure?.drawing)).toMatch(
      /best \(lowest\)(?!.*for IDGI).*; of IDGI it is 0 by construction\.$/,
    );
    const [needed] = stepsNeeded(
      steps.map((row) => ({ ...row, toGap: row.method === 'blur-ig' ? 32 : 8 })),
      [8, 32],
      () => true,
      typesetter,
    );
    expect(saidOf(needed?.drawing)).toMatch(
      /^Gap of 1.%: (?!IDGI)[^;]*need the fewest steps \(median 8, the fewest studied\); .*; IDGI\u2019s gap is 0 by construction\./,
    );
  });

  it('has one value for a null off the axis and in the sentence, that of the most steps', async () => {
    const { statistics } = await studyReport({ ...few, metrics: ['completeness-gap'] });
    const rows = statistics.map((row) => ({ ...row, edges: row.steps === 32 ? 4070 : 4900 }));
    const [figure] = overSteps(rows, typesetter);
    expect(saidOf(figure?.drawing)).toContain('4070');
    expect(textsOf(figure?.drawing)).toContain('edges 4070');
  });

  it('has no interval of two images', async () => {
    const { statistics } = await studyReport({ ...few, images: 2, groups: [''], baselines: ['black'] });
    const bands = (rows: typeof statistics): number =>
      [...overSteps(rows, typesetter)]
        .flatMap(({ drawing }) => drawing.marks)
        .filter((mark) => mark.mark === 'path' && mark.opacity === 0.1).length;
    expect(bands(statistics)).toBe(0);
    expect(bands(statistics.map((row) => ({ ...row, count: 3 })))).toBeGreaterThan(0);
    expect(textsOf([...overSteps(statistics, typesetter)][0]?.drawing)).toContain('n = 2: no interval');
  });

  it('keeps the capitals of abbreviations', () => {
    expect(['IoU after Otsu', 'AUROC of pixels', 'Relevance mass', 'Gaussian noise'].map(lowerFirst)).toEqual(
      ['IoU after Otsu', 'AUROC of pixels', 'relevance mass', 'Gaussian noise'],
    );
  });
});

describe('statistics in figures', () => {
  it('leave nulls off an axis that they would stretch beyond reading, and say so', async () => {
    const { statistics } = await studyReport({ ...few, metrics: ['completeness-gap'] });
    const far = statistics.map((row) => ({ ...row, edges: 4070 }));
    expect(farNulls(far)).toContain('edges');
    const [figure] = overSteps(far, typesetter);
    expect(textsOf(figure?.drawing)).toContain('edges 4070');
    expect(textsOf(figure?.drawing)).not.toMatch(/^(2000|4000)$/m);
    expect(farNulls(statistics.map((row) => ({ ...row, edges: row.mean, random: row.mean })))).toEqual([]);
  });

  it('take each method and baseline at its most steps', async () => {
    const { statistics } = await studyReport(small);
    const rows = atMostSteps(statistics);
    expect(new Set(rows.map(({ steps }) => steps))).toEqual(new Set([128]));
    expect(rows).toHaveLength(statistics.length / 3);
    expect([...overBaselines(statistics, typesetter)].filter(({ inSummary }) => inSummary)).not.toHaveLength(
      0,
    );
  });

  it('agree with the agreement of the same maps', async () => {
    const report = await studyReport({ ...small, images: 1, models: ['pneumonia'], baselines: ['black'] });
    const { finest } = await gather(report.rows);
    const rows = await methodAgreementRows(finest, report.map, new AbortController().signal);
    const maps = await Promise.all(
      (finest[0] ?? []).map(async ({ method, map }) => ({
        baseline: method,
        map: (await report.map(map)) ?? new Float32Array(0),
      })),
    );
    const { rankCorrelation, topOverlap } = agreementOf(maps);
    expect(rows).toHaveLength(2 * 6);
    for (const { methods, measure, mean } of rows) {
      const [i, j] = methods.map((method) => maps.findIndex(({ baseline }) => baseline === method));
      const matrix = measure === 'rank-correlation' ? rankCorrelation : topOverlap;
      expect(mean).toBe(matrix[i ?? 0]?.[j ?? 0]);
    }
  });

  it('count those that never got there beyond every number of steps', () => {
    expect(medianOf([8, 16, null])).toBe(16);
    expect(medianOf([8, null, null])).toBeNull();
    expect(medianOf([8, null])).toBeNull();
    expect(medianOf([])).toBeNull();
  });

  it('shade agreement from white, blue for more, orange for less', () => {
    expect(shadeOf(0)).toBe('#ffffff');
    expect(shadeOf(1)).toBe('#005a96');
    expect(shadeOf(-1)).toBe('#d55e00');
  });

  it('show images of every group alike, whatever the order of the rows', async () => {
    const { images } = await gather((await studyReport({ ...small, images: 9, methods: ['gradient'] })).rows);
    const chosen = spread(images, 4);
    expect(chosen.map(({ group }) => group)).toEqual(['NORMAL', 'NORMAL', 'PNEUMONIA', 'PNEUMONIA']);
    expect(spread(images.toReversed(), 4)).toEqual(chosen);
    expect(spread(images, 100)).toHaveLength(9);
  });
});
