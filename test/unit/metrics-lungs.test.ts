import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ExplanationResult } from '../../core/contract/result.ts';
import { borderShare } from '../../core/metrics/border-share.ts';
import { edgeMap } from '../../core/metrics/edges.ts';
import { evidencePeak } from '../../core/metrics/evidence-peak.ts';
import { type Evidence, FLAG_IDS, flagsOf } from '../../core/metrics/flags.ts';
import { lungCheck } from '../../core/metrics/lung-check.ts';
import { stated } from '../support/integrated-gradients.ts';

const height = 112;
const width = 112;

/** An image of 112 x 112 from a function of row and column. */
const picture = (value: (row: number, column: number) => number): Float32Array =>
  Float32Array.from({ length: height * width }, (_, i) => value(Math.floor(i / width), i % width));
const box = (top: number, left: number, size: number) => (row: number, column: number) =>
  row >= top && row < top + size && column >= left && column < left + size ? 1 : 0;

/** Lungs in the middle: 56 x 56, a quarter of the image. */
const lungs = picture(box(28, 28, 56));
const flat = picture(() => 0.5);

describe('the lung check', () => {
  test('gives an even map the share of the area, and enrichment 1', () => {
    const check = lungCheck(
      picture(() => -2),
      lungs,
      flat,
      height,
      width,
    );
    expect(check).toMatchObject({ share: 0.25, areaShare: 0.25, enrichment: 1 });
    expect(check.null.random).toBeCloseTo(0.25, 1);
    expect(check.null.edges).toBe(0);
  });

  test('counts magnitude, inside and out, and finds the maximum of it', () => {
    const map = picture((row, column) => -3 * box(40, 50, 4)(row, column) + box(0, 0, 4)(row, column));
    const check = lungCheck(map, lungs, lungs, height, width);
    expect(check.share).toBeCloseTo(0.75, 6);
    expect(check.enrichment).toBeCloseTo(3, 6);
    expect(check.peakInside).toBe(true);
    expect(Math.abs(check.peak.row - 41.5)).toBeLessThan(1);
    expect(Math.abs(check.peak.column - 51.5)).toBeLessThan(1);
    // The lungs' outline is all that this image has of edges; two of its four pixels lie inside.
    expect(check.null.edges).toBeCloseTo(0.5, 1);
  });

  test('is all zeros where there are no lungs, or no attribution', () => {
    expect(
      lungCheck(
        lungs,
        picture(() => 0),
        flat,
        height,
        width,
      ),
    ).toMatchObject({
      share: 0,
      areaShare: 0,
      enrichment: 0,
    });
    expect(
      lungCheck(
        picture(() => 0),
        lungs,
        flat,
        height,
        width,
      ),
    ).toMatchObject({ share: 0, enrichment: 0 });
  });
});

test('an edge map answers to steps of either direction and to nothing else', () => {
  const edges = edgeMap(
    picture((row, column) => (column >= 50 ? 1 : 0) + 0 * row),
    height,
    width,
  );
  expect([48, 49, 50, 51].map((column) => edges[10 * width + column])).toEqual([0, 4, 4, 0]);
  expect(edgeMap(flat, height, width).every((edge) => edge === 0)).toBe(true);
});

test('a single pixel that stands out does not make the peak; a dense region does', () => {
  const map = picture(
    (row, column) => 0.3 * box(60, 20, 6)(row, column) + (row === 5 && column === 90 ? 1 : 0),
  );
  const peak = evidencePeak(map, height, width);
  expect(Math.hypot(peak.row - 62.5, peak.column - 22.5)).toBeLessThan(2);
  // A disc of 5 pixels around it holds most of the region's 10.8 of 11.8.
  expect(peak.share).toBeGreaterThan(0.7);
  expect(peak.areaShare).toBeCloseTo((Math.PI * 25) / (height * width), 3);
});

test('the border is a tenth on each side', () => {
  const { share, areaShare } = borderShare(
    picture(() => 1),
    height,
    width,
  );
  expect(areaShare).toBeCloseTo(1 - (90 / 112) ** 2, 12);
  expect(share).toBeCloseTo(areaShare, 6);
});

test('the documentation has every flag', () => {
  const text = readFileSync(path.join(import.meta.dirname, '../../docs/results.md'), 'utf8');
  const [, section = ''] = /\n### Flags\n(.*?)\n## /s.exec(text) ?? [];
  expect(Array.from(section.matchAll(/^\| `([^`]+)`/gm), ([, id]) => id)).toEqual(FLAG_IDS);
});

describe('a flag is raised', () => {
  const insideLungs = box(40, 40, 30);
  const sound = picture(insideLungs);
  const facts = (map: Float32Array, changed: Partial<ExplanationResult> = {}): ExplanationResult => ({
    image: { file: 'a.dcm', frame: 0, sopInstanceUid: '1.2', sha256: '' },
    model: { id: 'm', sha256: '' },
    prediction: { label: 'A', scores: {}, logits: {}, threshold: null },
    target: 'A',
    scalar: 'logit',
    ...stated,
    device: { provider: 'cpu', name: 'Test CPU', threads: 1, runtime: '', selfTest: null },
    fx: 3,
    fb: 1,
    gap: 0.01,
    gapRelative: 0.005,
    gapBound: 0.02,
    mapChange: 0.03,
    evaluations: 33,
    converged: true,
    lungs: { ...lungCheck(map, lungs, flat, height, width), model: { id: 'lungs', sha256: '' } },
    flags: [],
    batch: 4,
    notes: [],
    seconds: 1,
    app: { version: '', commit: '' },
    ...changed,
  });
  const raised = (
    map: Float32Array,
    changed: Partial<ExplanationResult> = {},
    mask: Float32Array | null = lungs,
    modality: Evidence['modality'] = { image: 'DX', card: ['CR', 'DX'] },
    imageWarnings: string[] = [],
    givesLogits = true,
  ) =>
    flagsOf(facts(map, changed), { map, height, width, lungs: mask, modality, imageWarnings, givesLogits });
  const ids = (...of: Parameters<typeof raised>) => raised(...of).map(({ id }) => id);

  test('where the image is of another modality than the model was made for', () => {
    const of = (modality: Evidence['modality']) => raised(sound, {}, lungs, modality);
    expect(of({ image: 'CT', card: ['CR', 'DX'] })[0]?.text).toContain(
      'made for CR and DX images; this one is CT',
    );
    expect(of({ image: '', card: ['CR'] })[0]?.text).toContain('of no stated modality');
    expect(of({ image: 'CT', card: undefined })).toEqual([]);
  });

  test('where something was wrong with the file', () => {
    expect(raised(sound, {}, lungs, undefined, ['Rescale Slope is 0 and not applied.'])).toEqual([
      { id: 'image-warning', severity: 'warning', text: 'Rescale Slope is 0 and not applied.' },
    ]);
  });

  test('for nothing in a sound explanation', () => {
    expect(raised(sound)).toEqual([]);
  });

  test('where the integral did not converge, more strongly where the gap is over 10 %', () => {
    const [flag] = raised(sound, { converged: false, gap: 0.05, gapRelative: 0.025, evaluations: 513 });
    expect(flag).toMatchObject({ id: 'not-converged', severity: 'warning' });
    expect(flag?.text).toMatch(/513 evaluations.*0\.0500 \(bound 0\.0200\).*3\.0 % \(bound 5\.0 %\)/);
    expect(raised(sound, { converged: false, gapRelative: 0.2 })[0]?.severity).toBe('alert');
  });

  test('where runs did not converge, however near their mean comes: with how many of them', () => {
    const [flag] = raised(sound, {
      converged: false,
      gap: 2e-8,
      mapChange: 0.01,
      spread: { runs: 3, share: 0.2, converged: 1 },
    });
    expect(flag?.text).toMatch(
      /^2 of 3 runs did not converge; .* gap of their mean, .* is 2\.00e-8 .* up to 1\.0 %/,
    );
  });

  test('where a method without a criterion misses its sum, and not where it has none to miss', () => {
    const other = { method: 'guided-ig', converged: null, fx: null, fb: null, gapRelative: null } as const;
    const [flag] = raised(sound, { ...other, sum: 1.6, gap: -0.4 });
    expect(flag).toMatchObject({ id: 'sum-missed', severity: 'warning' });
    expect(flag?.text).toContain('sums to 1.60 instead of 2.00 (f(image) - f(baseline)): it leaves 20 %');
    expect(flag?.text).toContain('a smaller maxDistance');
    const smoothed = {
      method: 'smoothgrad',
      parameters: { around: { method: 'smooth-taylor', parameters: {} } },
    } as const;
    expect(raised(sound, { ...other, ...smoothed, sum: 1.6, gap: -0.4 })[0]?.text).toMatch(
      /; less noise \(a smaller deviation\) may bring it nearer\.$/,
    );
    expect(raised(sound, { ...other, sum: 1.9, gap: -0.1 })).toEqual([]);
    // Small differences are held against 1 of a logit, and 0.1 of a probability.
    const small = { ...other, expectedSum: 0.1, sum: 0.15, gap: 0.05 };
    expect(raised(sound, small)).toEqual([]);
    expect(ids(sound, { ...small, scalar: 'probability' })).toEqual(['sum-missed']);
    // A share of so small a change would say nothing.
    expect(raised(sound, { ...other, expectedSum: 0.2, sum: 0.5, gap: 0.3 })[0]?.text).toMatch(
      /instead of 0\.200 .*: it misses that by 0\.300, and a change below 1 allows 0\.100; a path nearer/,
    );
    expect(raised(sound, { ...other, method: 'gradient', expectedSum: null, gap: null })).toEqual([]);
  });

  test('where the baseline scores as the image does', () => {
    const [flag] = raised(sound, { fx: 1.46, fb: 1.384, gapRelative: null });
    expect(flag).toMatchObject({ id: 'small-difference', severity: 'info' });
    expect(flag?.text).toContain('close to the image (logit 1.38 against 1.46, less than 1 apart');
    const [ofCohort] = raised(sound, { fx: 1.46, fb: 1.384, gapRelative: null, baseline: 'cohort-mean' });
    expect(ofCohort?.text).toMatch(/^The mean of a cohort scores close to the image/);
    const [smoothed] = raised(sound, { fx: 1.46, fb: 1.384, gapRelative: null, method: 'vargrad' });
    expect(smoothed?.text).toContain('close to the noisy images, on average (logit 1.38');
  });

  test('where a probability was explained because the model gives no logit', () => {
    const of = (scalar: ExplanationResult['scalar']) =>
      raised(sound, { scalar }, lungs, undefined, [], false);
    expect(of('logit')).toMatchObject([{ id: 'no-logit', severity: 'info' }]);
    expect(of('log-probability')).toEqual([]);
  });

  test('where the peak lies outside the lungs and is concentrated, and not for one of the two', () => {
    const marker = picture((row, column) => 0.2 * insideLungs(row, column) + 3 * box(4, 98, 7)(row, column));
    const [flag] = raised(marker);
    expect(flag).toMatchObject({ id: 'peak-outside-lungs', severity: 'alert' });
    expect(flag?.text).toMatch(/row 7, column 101/);
    const atTheEdge = picture((row, column) => insideLungs(row, column) + 3 * box(50, 85, 7)(row, column));
    expect(ids(atTheEdge)).not.toContain('peak-outside-lungs');
    const diffuse = picture((row, column) => 1 + 0.01 * box(4, 98, 7)(row, column));
    expect(ids(diffuse)).not.toContain('peak-outside-lungs');
  });

  test('where the lungs hold less than an even map would give them', () => {
    const outside = picture((row, column) => 1 - 0.5 * box(28, 28, 56)(row, column));
    const [flag] = raised(outside);
    expect(flag).toMatchObject({ id: 'enrichment-below-one', severity: 'warning' });
    expect(flag?.text).toContain('includes the heart and the retro-cardiac lung');
  });

  test('where the border holds more than twice its share', () => {
    const border = picture((row, column) => 1 - box(11, 11, 90)(row, column));
    expect(ids(border)).toContain('border-share');
  });

  test('where no lungs were found, and then no other flag speaks of them', () => {
    const corner = picture(box(0, 0, 10));
    const none = { ...lungCheck(sound, corner, flat, height, width), model: { id: 'lungs', sha256: '' } };
    expect(ids(sound, { lungs: none }, corner)).toEqual(['lungs-not-found']);
    expect(ids(sound, { lungs: null }, null)).toEqual([]);
  });
});
