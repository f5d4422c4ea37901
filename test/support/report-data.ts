/** A chest-like image, a map and everything around them, made up but consistent: sums, shares and gaps are those of the arrays. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import * as v from 'valibot';
import { ModelCardSchema, type ModelCard } from '../../core/contract/model-card.ts';
import type {
  BaselineName,
  Convergence,
  ExplanationResult,
  Flag,
  LungCheck,
} from '../../core/contract/result.ts';
import type { AuditSummaryData, ReportData } from '../../main/report/report-data.ts';
import { stated } from './integrated-gradients.ts';

export function card(id: string): ModelCard {
  const file = path.resolve(import.meta.dirname, '../../models', id, 'card.json');
  return v.parse(ModelCardSchema, JSON.parse(readFileSync(file, 'utf8')));
}

/** Two dark ellipses on a brighter body. */
export function chest(rows: number, columns: number): Float32Array {
  return Float32Array.from({ length: rows * columns }, (_, i) => {
    const y = Math.floor(i / columns) / rows - 0.5;
    const x = (i % columns) / columns - 0.5;
    const lung = Math.min(Math.hypot((x - 0.2) / 0.13, y / 0.3), Math.hypot((x + 0.2) / 0.13, y / 0.3));
    const body = Math.hypot(x / 0.48, y / 0.6) < 1 ? 0.75 : 0.05;
    return lung < 1 ? 0.2 + 0.06 * Math.sin(y * 60) : body - 0.15 * Math.abs(x);
  });
}

export function lungs(rows: number, columns: number): Float32Array {
  return Float32Array.from({ length: rows * columns }, (_, i) => {
    const y = Math.floor(i / columns) / rows - 0.5;
    const x = (i % columns) / columns - 0.5;
    const distance = Math.min(Math.hypot((x - 0.2) / 0.13, y / 0.3), Math.hypot((x + 0.2) / 0.13, y / 0.3));
    return 1 / (1 + Math.exp(12 * (distance - 1)));
  });
}

/** Smooth blobs of both signs whose place depends on the seed. */
export function attribution(rows: number, columns: number, seed: number, sum: number): Float32Array {
  const map = Float32Array.from({ length: rows * columns }, (_, i) => {
    const y = Math.floor(i / columns) / rows - 0.5;
    const x = (i % columns) / columns - 0.5;
    const bump = (cx: number, cy: number, s: number): number =>
      Math.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * s * s));
    const ripple = 1 + 0.5 * Math.sin(x * 90 + seed) * Math.cos(y * 80);
    return (
      (bump(0.2, 0.12 + 0.02 * seed, 0.05) - 0.35 * bump(-0.22, -0.1, 0.07) + 0.2 * bump(0.35, -0.4, 0.03)) *
      ripple
    );
  });
  const total = map.reduce((a, b) => a + b, 0);
  return map.map((value) => (value * sum) / total);
}

export function convergence(fx: number, fb: number, gap: number, converged = true): Convergence {
  const difference = Math.abs(fx - fb);
  return {
    fx,
    fb,
    gap,
    gapRelative: difference < 0.1 ? null : Math.abs(gap) / difference,
    gapBound: 0.01 * Math.max(difference, 0.1),
    mapChange: converged ? 0.0321 : 0.1234,
    evaluations: converged ? 65 : 513,
    converged,
  };
}

const lungCheck: LungCheck = {
  share: 0.7123,
  areaShare: 0.2456,
  enrichment: 2.9002,
  peakInside: true,
  peak: { row: 140, column: 158 },
  null: { random: 0.2461, edges: 0.3187 },
  model: { id: 'lungs', sha256: card('lungs').sha256 },
};

export function explanation(overrides: Partial<ExplanationResult> = {}): ExplanationResult {
  return {
    image: {
      file: 'ward-7/IM0001.dcm',
      frame: 0,
      sopInstanceUid: '1.2.826.0.1.3680043.8.498.1234567890.1',
      sha256: 'a1'.repeat(32),
    },
    model: { id: 'pneumonia', sha256: card('pneumonia').sha256 },
    prediction: {
      label: 'PNEUMONIA',
      scores: { NORMAL: 0.0642, PNEUMONIA: 0.9358 },
      logits: { NORMAL: -1.291, PNEUMONIA: 1.388 },
      threshold: 0.5,
    },
    target: 'PNEUMONIA',
    scalar: 'logit',
    ...stated,
    baseline: 'blurred',
    baselineParameters: { sigma: 10 },
    sum: 1.388 + 0.4123 + 0.00471,
    expectedSum: 1.388 + 0.4123,
    device: {
      provider: 'cpu',
      name: 'Test CPU',
      threads: 2,
      runtime: 'onnxruntime-node 1.30.0',
      selfTest: null,
    },
    ...convergence(1.388, -0.4123, 0.00471),
    lungs: lungCheck,
    flags: [],
    batch: 4,
    notes: [],
    seconds: 8.4,
    app: { version: '0.1.0', commit: 'd8cab0a' },
    ...overrides,
  };
}

export const flag: Flag = {
  id: 'peak-outside-lungs',
  severity: 'alert',
  text: 'The map\u2019s maximum lies outside the lungs (row 18, column 209).',
};

export function reportData(overrides: Partial<ReportData> = {}): ReportData {
  const rows = 640;
  const columns = 600;
  const model = card('pneumonia');
  const { height, width } = model.input;
  const display = chest(rows, columns);
  const modelImage = chest(height, width);
  const result = explanation();
  const map = attribution(height, width, 0, 1.388 + 0.4123 + 0.00471);
  const constant = (value: number): Float32Array => new Float32Array(height * width).fill(value);
  const baselineOf = (
    baseline: BaselineName,
    seed: number,
    fb: number,
    image: Float32Array,
    converged = true,
  ) => ({
    baseline,
    map: baseline === 'blurred' ? map : attribution(height, width, seed, 1.388 - fb),
    image,
    convergence: {
      ...convergence(1.388, fb, 0.0031, converged),
      sum: 1.388 - fb + 0.0031,
      expectedSum: 1.388 - fb,
      spread: null,
    },
  });
  const blurred = modelImage.map((value) => 0.45 + 0.3 * (value - 0.45));
  return {
    entry: {
      id: 'image-1',
      studyInstanceUid: '1.2.826.0.1.3680043.8.498.1234567890.2',
      seriesInstanceUid: '1.2.826.0.1.3680043.8.498.1234567890.3',
      sopInstanceUid: result.image.sopInstanceUid,
      file: result.image.file,
      patient: {
        name: { alphabetic: 'Yamada^Tarou', ideographic: '山田^太郎', phonetic: 'やまだ^たろう' },
        id: 'ID-4711',
        birthDate: '20190314',
        age: '004Y',
        sex: 'M',
      },
      studyDate: '20231105',
      studyDescription: 'Thorax a.p.',
      accessionNumber: 'ACC-0815',
      modality: 'DX',
      seriesNumber: 1,
      instanceNumber: 1,
      rows,
      columns,
      frames: 1,
      bitsStored: 12,
      transferSyntax: { uid: '1.2.840.10008.1.2.1', name: 'Explicit VR Little Endian' },
      viewPosition: 'AP',
      laterality: 'U',
      orientation: { right: 'L', bottom: 'F' },
      spacing: { row: 0.4, column: 0.4, basis: 'detector' },
      manufacturer: 'Acme Imaging',
      warnings: [],
    },
    display,
    grayscale: {
      modalityLut: { kind: 'linear', slope: 1, intercept: 0, units: 'US' },
      vois: [],
      photometricInterpretation: 'MONOCHROME2',
      presentationLutShape: 'IDENTITY',
    },
    voi: { kind: 'window', function: 'linear', center: 2020, width: 3800, explanation: 'NORMAL' },
    result,
    card: model,
    map,
    modelImage,
    baselineImage: blurred,
    baselines: [
      baselineOf('black', 1, 1.31, constant(0), false),
      baselineOf('white', 2, -2.2, constant(1)),
      baselineOf('grey', 3, -1.7, constant(0.5)),
      baselineOf('blurred', 0, -0.4123, blurred),
    ],
    agreement: {
      baselines: ['black', 'white', 'grey', 'blurred'],
      rankCorrelation: [
        [1, 0.61, 0.63, 0.58],
        [0.61, 1, 0.87, 0.71],
        [0.63, 0.87, 1, 0.74],
        [0.58, 0.71, 0.74, 1],
      ],
      topOverlap: [
        [1, 0.31, 0.33, 0.35],
        [0.31, 1, 0.66, 0.47],
        [0.33, 0.66, 1, 0.52],
        [0.35, 0.47, 0.52, 1],
      ],
      null: { rankCorrelation: { mean: -0.0003, p95: 0.0072 }, topOverlap: { mean: 0.0257, p95: 0.0283 } },
      stable: true,
    },
    lungs: { card: card('lungs'), mask: lungs(height, width) },
    createdAt: new Date('2026-11-22T09:30:00Z'),
    maskPatient: false,
    ...overrides,
  };
}

/** A folder of `count` images; every seventh is flagged, every eleventh has not converged. */
export function auditData(count: number, overrides: Partial<AuditSummaryData> = {}): AuditSummaryData {
  const results = Array.from({ length: count }, (_, i) => {
    const probability = 0.5 + 0.49 * Math.sin(i * 1.7);
    const share = 0.5 + 0.35 * Math.sin(i * 0.9);
    return explanation({
      image: {
        file: `series-${Math.floor(i / 40)}/IM${String(i).padStart(5, '0')}.dcm`,
        frame: 0,
        sopInstanceUid: `1.2.826.0.1.3680043.8.498.1.${i}`,
        sha256: 'b2'.repeat(32),
      },
      prediction: {
        label: probability >= 0.5 ? 'PNEUMONIA' : 'NORMAL',
        scores: { NORMAL: 1 - probability, PNEUMONIA: probability },
        logits: { NORMAL: 0, PNEUMONIA: Math.log(probability / (1 - probability)) },
        threshold: 0.5,
      },
      ...convergence(1.2, -0.5, 0.004, i % 11 !== 10),
      lungs: { ...lungCheck, share, enrichment: share / 0.2456, peakInside: i % 7 !== 6 },
      flags: i % 7 === 6 ? [flag] : [],
    });
  });
  return {
    folder: 'examples',
    card: card('pneumonia'),
    lungsCard: card('lungs'),
    results,
    failures: [],
    passedOver: [],
    resumed: 0,
    copied: 0,
    seconds: 95,
    app: { version: '0.1.0', commit: 'd8cab0a' },
    createdAt: new Date('2026-11-22T09:30:00Z'),
    ...overrides,
  };
}
