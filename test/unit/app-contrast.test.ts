/** Two pictures explained alike, with the shipped model on the sample studies. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lungMask } from '../../core/metrics/lung-check.ts';
import { Analysis } from '../../main/app/analysis.ts';
import {
  contrastImages,
  type ContrastRequest,
  type FinishedContrast,
  prepareContrast,
  type TransformChoice,
} from '../../main/app/contrast.ts';
import { warningsOf } from '../../main/app/contrast-words.ts';
import { createLibrary, type LibraryImage } from '../../main/app/library.ts';
import { createModelCatalogue, shippedModels } from '../../main/app/models.ts';
import { applicationRoot } from '../../main/app/root.ts';
import { EngineClient } from '../../main/engine/client.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { shippedCard } from '../support/engine-models.ts';
import { asked, from } from '../support/integrated-gradients.ts';

/** Milliseconds that a computation may take on a busy machine. */
const LONG = 300_000;

const folder = temporaryFolder();
const engine = new EngineClient();
/** The shipped model, by a card without a decision. */
const undecided = path.join(folder, 'models', 'undecided');
mkdirSync(undecided, { recursive: true });
copyFileSync(path.join(shippedModels, 'pneumonia', 'model.onnx'), path.join(undecided, 'model.onnx'));
writeFileSync(
  path.join(undecided, 'card.json'),
  JSON.stringify({ ...shippedCard('pneumonia'), id: 'undecided', decision: undefined }),
);
const models = createModelCatalogue([shippedModels, path.dirname(undecided)]);
const analysis = new Analysis({ engine, models, store: null, app: { version: '0', commit: '0' } });
afterAll(() => engine.close());

const images: LibraryImage[] = [];
beforeAll(async () => {
  const examples = path.join(applicationRoot, 'examples');
  const copy = path.join(folder, 'copy.dcm');
  copyFileSync(path.join(examples, '04-pneumonia-dx-jpeg.dcm'), copy);
  const library = createLibrary();
  for await (const event of library.open([examples, copy])) {
    if (event.type === 'image') images.push(library.find(event.image.id));
  }
});

function sample(start: string): LibraryImage {
  const found = images.find(({ entry }) => entry.file.startsWith(start));
  if (found === undefined) throw new Error(`There is no sample ${start}`);
  return found;
}

type Told = Exclude<
  Awaited<ReturnType<ReturnType<typeof contrastImages>['next']>>['value'],
  FinishedContrast
>;

async function contrast(
  a: string,
  other: LibraryImage | TransformChoice,
  choice: Partial<Pick<ContrastRequest, 'method' | 'baseline' | 'model'>> = {},
  told: (event: Told) => void = () => undefined,
): Promise<FinishedContrast> {
  const { card } = await models.find(choice.model ?? 'pneumonia');
  const choices = {
    frame: 0,
    model: 'pneumonia',
    target: null,
    scalar: 'logit',
    ...asked,
    baseline: from('blurred'),
    ...choice,
  } as const;
  const prepared = await prepareContrast(analysis, card, { ...choices, image: sample(a), other });
  const frames = contrastImages(analysis, prepared);
  let next = await frames.next();
  while (next.done !== true) {
    told(next.value);
    next = await frames.next();
  }
  return next.value;
}

/** One gradient: the quickest map. */
const gradient = { method: { id: 'gradient', parameters: {} }, baseline: null } as const;

const unchanged: TransformChoice = { zoom: 1, shift: { columns: 0, rows: 0 }, window: null };

describe('an image against itself, changed by nothing', () => {
  let finished: FinishedContrast;
  beforeAll(async () => {
    finished = await contrast('04', unchanged);
  }, LONG);

  test('has a difference of 0, to the bit, and a correlation of 1', () => {
    expect(finished.registered?.difference.every((value) => value === 0)).toBe(true);
    expect(finished.b).not.toBe(finished.a);
    const { maps, scores, moved, decision } = finished.contrast;
    expect(maps).toMatchObject({ comparedArea: 1, topOverlap: 1, relativeChange: 0 });
    expect(maps?.rankCorrelation).toBeCloseTo(1, 12);
    expect(scores.every(({ difference }) => difference.logit === 0)).toBe(true);
    expect([moved, decision.changed]).toEqual([[], false]);
  });

  test('says so', () => {
    const { summary, warnings } = finished.contrast;
    expect(summary.join(' ')).toContain('Nothing moved in the map');
    expect(summary.join(' ')).toContain('The densest evidence stays');
    expect(warnings).toEqual(['The change changes nothing: this holds the computation against itself.']);
  });

  test('a map that did not converge is said to be so, loudly', () => {
    const { contrast, images } = finished;
    const facts = { ...contrast, converged: { a: true, b: false } };
    const entries = { a: images.a.entry, b: images.b.entry };
    expect(warningsOf(facts, entries)[0]).toMatch(/^The map of B has NOT CONVERGED/);
    // A method without a criterion is not accused of missing it.
    expect(warningsOf({ ...facts, converged: { a: null, b: null } }, entries)).toHaveLength(1);
  });
});

test(
  "the file's own window, given as a change, changes next to nothing",
  async () => {
    const { grayscale } = await analysis.images.decoded({ image: sample('01'), frame: 0 });
    const [own] = grayscale.vois;
    if (own?.kind !== 'window') throw new Error('Sample 01 has a window');
    const { center, width } = own;
    const { contrast: found } = await contrast('01', { ...unchanged, window: { center, width } });
    expect(found.maps?.relativeChange).toBe(0);
    const { contrast: other } = await contrast('01', { ...unchanged, window: { center, width: width / 2 } });
    expect(other.maps?.relativeChange).toBeGreaterThan(0.05);
    expect(other.transform?.window).toEqual({ center, width: width / 2 });
  },
  LONG,
);

test(
  'two images of different sizes have no difference map, but everything else',
  async () => {
    const { contrast: found, registered } = await contrast('01', sample('04'));
    expect([found.maps, found.moved, registered]).toEqual([null, null, null]);
    expect(found.warnings.join(' ')).toContain('930 × 890 and 920 × 855 pixels');
    expect(found.decision).toEqual({ a: 'NORMAL', b: 'PNEUMONIA', changed: true });
    expect(found.summary.join(' ')).toMatch(/densest evidence of A lies .* that of B lies/);
    expect(found.a.regions.length).toBeGreaterThan(0);
  },
  LONG,
);

test(
  'a window that leaves next to nothing of the picture has no lungs in it, and that is said',
  async () => {
    const black = { baseline: from('black') };
    const window = { center: 10, width: 20 };
    const finished = await contrast('04', { ...unchanged, window }, black);
    const { contrast: found, broughtIn } = finished;
    expect(found.lungsPlausible).toEqual({ a: true, b: false });
    expect(found.b.lungShares).toBeNull();
    expect(found.b.regions.map(({ where }) => where).join(' ')).not.toContain('lung');
    // A's outline holds for both in A's frame.
    expect(found.lungSharesInA).not.toBeNull();
    expect(found.warnings).toEqual([
      expect.stringMatching(/^The lungs model drew lungs on 7\.6 % of B's area, and 40\.7 % of A's/),
    ]);
    expect(broughtIn).toBe(false);
  },
  LONG,
);

test(
  'lungs that a zoom enlarges and cuts off are those that it leads to expect',
  async () => {
    const { contrast: found, broughtIn } = await contrast('04', { ...unchanged, zoom: 1.6 });
    expect(found.lungsPlausible).toEqual({ a: true, b: true });
    expect(broughtIn).toBe(false);
  },
  LONG,
);

test(
  'the same content in two files says so',
  async () => {
    const { contrast: found } = await contrast('04', sample('copy'));
    expect(found.registration).toBe('same-content');
    expect(found.maps?.relativeChange).toBe(0);
    expect(found.warnings.join(' ')).toContain('the same bytes');
    expect([found.a.result.image.file, found.b.result.image.file]).toEqual([
      '04-pneumonia-dx-jpeg.dcm',
      'copy.dcm',
    ]);
  },
  LONG,
);

test(
  'a method that gives slopes is compared as slopes, and not accused of a criterion that it does not have',
  async () => {
    const { contrast: found, broughtIn } = await contrast(
      '04',
      { ...unchanged, shift: { columns: 8, rows: 0 } },
      gradient,
    );
    expect(broughtIn).toBe(true);
    expect(found.converged).toEqual({ a: null, b: null });
    expect(found.warnings).toEqual([]);
    expect(found.summary.join(' ')).toContain('of the map of PNEUMONIA, in logit per unit of the input: ');
    expect(found.maps?.exact.relativeChange).toBeLessThan(1e-6);
  },
  LONG,
);

test(
  'both are explained for what the model calls A, where neither the card nor the question names a label',
  async () => {
    const { contrast: found } = await contrast('01', sample('04'), { ...gradient, model: 'undecided' });
    expect(found.decision).toMatchObject({ a: 'NORMAL', b: 'PNEUMONIA' });
    expect([found.a.result.target, found.b.result.target]).toEqual(['NORMAL', 'NORMAL']);
  },
  LONG,
);

test(
  'the share of the lungs that random maps have is that of the area that is compared',
  async () => {
    const { contrast: found, registered, a } = await contrast('04', { ...unchanged, zoom: 2 }, gradient);
    const lungs = lungMask(a.lungs?.probability ?? new Float32Array());
    const inLungs = Array.from(lungs).filter((_, i) => registered?.compared[i] === 1);
    const share = inLungs.reduce((sum, pixel) => sum + pixel, 0) / inLungs.length;
    expect(found.lungSharesInA?.areaShare).toBeCloseTo(share, 12);
    expect(share).not.toBeCloseTo(found.a.result.lungs?.areaShare ?? NaN, 1);
    expect(found.summary.join(' ')).toContain(
      `take ${(100 * share).toFixed(1)} % of the area that is compared, which is what random maps have in them`,
    );
  },
  LONG,
);

test(
  "sides are the picture's where two files state other orientations of the patient",
  async () => {
    const stating = (image: LibraryImage, right: 'L' | 'R'): LibraryImage => ({
      ...image,
      entry: { ...image.entry, orientation: { right, bottom: 'F' } },
    });
    const sentence = async (right: 'L' | 'R') => {
      const { contrast: found } = await contrast('04', stating(sample('copy'), right), gradient);
      return found.summary.find((each) => each.startsWith('|Attribution|'));
    };
    expect(sample('04').entry.orientation).toEqual({ right: 'L', bottom: 'F' });
    expect(await sentence('L')).toMatch(/in the right lung \(left in the picture\).* in the left lung/);
    expect(await sentence('R')).toMatch(
      /in the lung on the picture's left .* in the lung on the picture's right/,
    );
  },
  LONG,
);

test(
  'tells how far the baselines have come, too',
  async () => {
    const steps: Told[] = [];
    const baseline = { id: 'maximum-entropy', parameters: { steps: 2 } } as const;
    const method = { id: 'integrated-gradients-fixed', parameters: { nodes: 2 } } as const;
    await contrast('04', sample('01'), { method, baseline }, (event) => steps.push(event));
    const made = steps.filter(({ header }) => header.type === 'preparation').map(({ of }) => of);
    expect(new Set(made)).toEqual(new Set(['a', 'b']));
  },
  LONG,
);
