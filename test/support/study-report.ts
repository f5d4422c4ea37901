/** A study made up by rule: maps of blobs, values that follow from method, baseline and steps, and statistics computed from them as a study does. */
import { createHash } from 'node:crypto';
import type { BaselineId } from '../../core/attribution/baseline-kinds.ts';
import type { MethodId } from '../../core/attribution/methods.ts';
import { type MetricId, metrics as metricTable } from '../../core/metrics/metrics.ts';
import { normalNumbers, randomSource } from '../../core/metrics/random.ts';
import { relevanceMass } from '../../core/metrics/relevance-mass.ts';
import type { StudyReport } from '../../main/study/figures/report.ts';
import { grouped } from '../../main/study/grouped.ts';
import { likenessesOf, stepsOf } from '../../main/study/likeness.ts';
import type { StudyImage, StudyMap, StudyRow } from '../../main/study/row.ts';
import { agreementRows, statisticsOf } from '../../main/study/statistics.ts';
import { attribution, card, chest, lungs } from './report-data.ts';

export interface StudyShape {
  images: number;
  models: readonly string[];
  groups: readonly string[];
  methods: readonly MethodId[];
  baselines: readonly BaselineId[];
  steps: readonly number[];
  metrics: readonly MetricId[];
  /** Whether the metrics find any value. */
  values: boolean;
}

export const fullStudy: StudyShape = {
  images: 12,
  models: ['pneumonia', 'pneumonia-shortcut'],
  groups: ['NORMAL', 'PNEUMONIA'],
  methods: [
    'integrated-gradients-fixed',
    'idgi-ig',
    'guided-ig',
    'idgi-guided-ig',
    'blur-ig',
    'idgi-blur-ig',
    'smoothgrad-squared',
  ],
  baselines: ['black', 'blurred', 'maximum-distance', 'maximum-entropy'],
  steps: [8, 16, 32, 64, 128],
  metrics: [
    'insertion',
    'deletion',
    'relevance-mass',
    'hit-rate',
    'completeness-gap',
    'sparseness',
    'infidelity',
  ],
  values: true,
};

const size = 64;
const withoutBaseline: ReadonlySet<MethodId> = new Set([
  'blur-ig',
  'idgi-blur-ig',
  'smoothgrad-squared',
  'vargrad',
]);
const lungsMask = Uint8Array.from(lungs(size, size), (share) => Number(share >= 0.5));

export async function studyReport(shape: Partial<StudyShape> = {}): Promise<StudyReport> {
  const { images, models, groups, methods, baselines, steps, metrics, values } = { ...fullStudy, ...shape };
  const studied = Array.from({ length: images }, (_, i): StudyImage => {
    const image = `chest-${i + 1}.dcm`;
    const sha256 = createHash('sha256').update(image).digest('hex');
    return { image, frame: 0, sha256, group: groups[i % groups.length] ?? '' };
  });
  const pixels = new Map<string, Float32Array>();
  const maps = studied.flatMap((image, i) =>
    models.flatMap((model, m) =>
      methods.flatMap((method) =>
        (withoutBaseline.has(method) ? [null] : baselines).flatMap((baseline) =>
          (steps.length === 0 ? [null] : steps).map((step): StudyMap => {
            const name = `${[image.sha256.slice(0, 12), model, method, baseline ?? 'none', step ?? 0].join('_')}.npy`;
            const seed =
              i +
              40 * m +
              7 * methods.indexOf(method) +
              3 * (baseline === null ? 9 : baselines.indexOf(baseline));
            pixels.set(name, mapOf(seed, step ?? 64));
            const expectedSum = method === 'smoothgrad-squared' ? null : 3 + (i % 3);
            const gap = 0.4 / (step ?? 64) + 0.002 * (i % 4);
            return {
              ...image,
              ...{ model, method, baseline, steps: step, scalar: 'logit', mask: 'lungs', map: name },
              target: 'PNEUMONIA',
              prediction: 'PNEUMONIA',
              probability: 0.6 + 0.03 * (i % 10),
              evaluations: (step ?? 64) + 1,
              seconds: 0.06 * (step ?? 64) * (1 + methods.indexOf(method) / 4),
              sum: (expectedSum ?? 1) * (1 + gap),
              expectedSum,
              gapRelative: expectedSum === null ? null : gap,
            };
          }),
        ),
      ),
    ),
  );
  const rows = maps.flatMap((map) =>
    metrics.map((metric): StudyRow => {
      const [value, random, edges] = valuesOf(map, metric, pixels.get(map.map) ?? new Float32Array(0));
      return {
        ...map,
        metric,
        value: values ? value : null,
        random: values ? random : null,
        edges: values ? edges : null,
      };
    }),
  );
  const read = (map: StudyMap): Promise<Float32Array> =>
    Promise.resolve(pixels.get(map.map) ?? new Float32Array(0));
  const ofImages = [...grouped(maps, ({ image, model }) => `${image} ${model}`).values()];
  const likenesses = await Promise.all(ofImages.map((alike) => likenessesOf(alike, read)));
  const needed = await Promise.all(ofImages.map((alike) => stepsOf(alike, read)));
  return {
    folder: '/studies/chest',
    models: models.map(card),
    lungsCard: card('lungs'),
    cohort: { images: Array<string>(65).fill('a'.repeat(64)), sha256: 'c'.repeat(64), unreadable: 1 },
    methods: methods.map((method) => ({ name: method, parameters: 'rule trapezoid, seed 1' })),
    baselines: baselines.map((baseline) => ({ name: baseline, parameters: '' })),
    blank: 'blurred',
    seed: 1,
    notes: ['chest-9.dcm: there is no mask'],
    device: 'cpu, 2 threads',
    statistics: statisticsOf(rows, 1),
    agreement: agreementRows(likenesses.flat(), 1),
    steps: needed.flat(),
    rows: () => rows,
    picture: () =>
      Promise.resolve({ height: size, width: size, display: chest(size, size), mask: lungsMask }),
    map: (name) => Promise.resolve(pixels.get(name) ?? null),
    failures: [
      { file: 'torn.dcm', reason: 'The file ends within its pixel data.', advice: 'Copy it again.' },
    ],
    passedOver: ['notes.txt'],
    seconds: 840,
    app: { version: '0.0.0', commit: 'test' },
    createdAt: new Date(Date.UTC(2026, 0, 2, 3, 4, 5)),
  };
}

/** Blobs, with noise that falls with the steps. */
function mapOf(seed: number, steps: number): Float32Array {
  const noise = normalNumbers(size * size, randomSource(seed + 1));
  const map = attribution(size, size, seed % 11, 3);
  const strength = map.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return map.map((value, i) => value + ((0.6 * strength) / steps) * (noise[i] ?? 0));
}

function valuesOf(map: StudyMap, metric: MetricId, values: Float32Array): [number, number, number] {
  const at = Number.parseInt(map.sha256.slice(0, 4), 16) / 65_536;
  const better = metricTable[metric].better === 'lower' ? -1 : 1;
  const method = (map.method.length % 5) / 40 + (map.baseline === null ? 0 : map.baseline.length / 200);
  const settled = 1 - 1 / Math.sqrt(map.steps ?? 64);
  if (metric === 'relevance-mass') return [relevanceMass(values, lungsMask)?.share ?? 0, 0.21, 0.3];
  if (metricTable[metric].kind === 'hit') return [Number(at < 0.4 + method), 0.2, 0.4];
  if (metric === 'completeness-gap') return [map.gapRelative ?? 0, 0.9, 1.1];
  return [0.5 + better * (0.25 * settled * (0.5 + at / 2) + method), 0.5, 0.5 + 0.04 * better];
}
