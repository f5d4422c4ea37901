/** Every method and baseline as the application is asked for them: cohorts from folders, an image of one's own, what stands in the result. */
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { BASELINE_IDS, type BaselineId } from '../../core/attribution/baseline-kinds.ts';
import { METHOD_IDS, type MethodId } from '../../core/attribution/methods.ts';
import { PathlightError } from '../../core/contract/errors.ts';
import type { ModelCard } from '../../core/contract/model-card.ts';
import type { MetricId } from '../../core/metrics/metrics.ts';
import { normalNumbers, randomSource } from '../../core/metrics/random.ts';
import type { Value } from '../../core/metrics/subject.ts';
import { tensor } from '../../core/onnx/tensor.ts';
import { Analysis, type Explanation, type ExplanationRequest, returned } from '../../main/app/analysis.ts';
import { candidatesOf } from '../../main/app/cohort.ts';
import { fileSha256 } from '../../main/app/images.ts';
import { Journal } from '../../main/app/journal.ts';
import { createLibrary, type LibraryImage } from '../../main/app/library.ts';
import { createModelCatalogue } from '../../main/app/models.ts';
import { parseResult } from '../../main/app/result-schema.ts';
import { applicationRoot } from '../../main/app/root.ts';
import { EngineClient } from '../../main/engine/client.ts';
import { openResultStore } from '../../main/store/results.ts';
import { type Cell, planOf } from '../../main/study/plan.ts';
import { parseLine } from '../../main/study/record.ts';
import { readMap, study, type StudyRequest } from '../../main/study/study.ts';
import { quick } from '../support/attribution-tasks.ts';
import { shippedCard } from '../support/engine-models.ts';
import { declaration, modelBytes, node } from '../support/onnx-models.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
const side = 16;
const random = randomSource(5);
const weights = (rows: number, columns: number, spread: number) =>
  tensor(
    'float32',
    [rows, columns],
    normalNumbers(rows * columns, random).map((value) => spread * value),
  );
/** A small model and its card, among the models. @param spread of the last weights: with 0 it is undecided of every image */
function written(id: string, spread: number): void {
  const bytes = modelBytes({
    nodes: [
      node('Flatten', ['image'], ['flat']),
      node('MatMul', ['flat', 'first'], ['hidden']),
      node('Tanh', ['hidden'], ['features']),
      node('Gemm', ['features', 'last', 'bias'], ['logits']),
    ],
    inputs: [declaration('image', ['N', 1, side, side])],
    outputs: [declaration('logits', ['N', 2])],
    constants: new Map([
      ['first', weights(side * side, 6, 0.1)],
      ['last', weights(6, 2, spread)],
      ['bias', tensor('float32', [2], [0, 0])],
    ]),
  });
  const card: ModelCard = {
    ...shippedCard('pneumonia'),
    id,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    input: { ...shippedCard('pneumonia').input, name: 'image', height: side, width: side },
    output: { name: 'logits', activation: 'softmax', labels: ['NORMAL', 'PNEUMONIA'] },
  };
  mkdirSync(path.join(folder, 'models', id), { recursive: true });
  writeFileSync(path.join(folder, 'models', id, card.file), bytes);
  writeFileSync(path.join(folder, 'models', id, 'card.json'), JSON.stringify(card));
}
written('tiny', 1);
written('undecided', 0);

const examples = path.join(applicationRoot, 'examples');
const samples = readdirSync(examples).filter((name) => name.endsWith('.dcm'));
/** All samples, one of them twice, and a damaged file. */
const cohort = path.join(folder, 'cohort');
mkdirSync(cohort);
for (const name of samples) copyFileSync(path.join(examples, name), path.join(cohort, name));
copyFileSync(path.join(cohort, samples[2] ?? ''), path.join(cohort, 'again.dcm'));
writeFileSync(path.join(cohort, 'broken.dcm'), 'not DICOM at all');

const engine = new EngineClient();
const models = createModelCatalogue([path.join(folder, 'models')]);
const warn = (message: string): void => expect.unreachable(message);
const store = openResultStore(path.join(folder, 'data'), { warn });
const session = (): Analysis =>
  new Analysis({ engine, models, store, app: { version: '0', commit: 'unknown' } });
afterAll(async () => {
  store.close();
  await engine.close();
});

const images: LibraryImage[] = [];
const labels: string[] = [];
const analysis = session();
beforeAll(async () => {
  const library = createLibrary();
  for await (const event of library.open([examples])) {
    if (event.type === 'image') images.push(library.find(event.image.id));
  }
  for (const image of images) labels.push((await analysis.predict({ image, frame: 0 }, 'tiny')).label);
  expect(new Set(labels).size, 'both classes among the samples').toBe(2);
});

function sample(index: number): LibraryImage {
  const image = images[index];
  if (image === undefined) throw new Error(`There is no sample ${index}`);
  return image;
}

function request(
  method: MethodId,
  baseline: BaselineId | null,
  more: Partial<ExplanationRequest> & { parameters?: Record<string, unknown> } = {},
): ExplanationRequest {
  const { parameters = quick[method], ...rest } = more;
  return {
    ...{ image: sample(0), frame: 0, model: 'tiny', target: null, scalar: 'logit' },
    method: { id: method, parameters },
    baseline: baseline === null ? null : { id: baseline, parameters: {} },
    cohort: null,
    baselineImage: null,
    ...rest,
  };
}

const explained = (of: ExplanationRequest, by = analysis): Promise<Explanation> => returned(by.explain(of));

describe('every method', () => {
  test.each(METHOD_IDS)('%s: its result states what was asked, and can be read again', async (id) => {
    const { result, map } = await explained(request(id, 'grey', { cohort: { folder: cohort } }));
    expect(map).toHaveLength(side * side);
    expect(result).toMatchObject({ method: id, parameters: { ...quick[id] } });
    expect(parseResult(JSON.stringify(result))).toEqual(result);
    expect(result.converged !== null).toBe(id === 'integrated-gradients');
  });
});

test.each(BASELINE_IDS)('from the baseline %s, its result states it', async (id) => {
  const { result, baseline } = await explained(
    request('integrated-gradients-fixed', id, {
      cohort: { folder: cohort },
      baselineImage: { image: sample(3), frame: 0 },
      baseline: { id, parameters: ['maximum-entropy', 'counterfactual'].includes(id) ? { steps: 3 } : {} },
    }),
  );
  expect(result).toMatchObject({ baseline: id });
  expect(baseline).toHaveLength(side * side);
  expect(parseResult(JSON.stringify(result))).toEqual(result);
});

describe('a cohort', () => {
  const digests = (names: readonly string[]) =>
    Promise.all(names.map((name) => fileSha256(path.join(examples, name)))).then((all) => all.sort());

  test('is what can be read of a folder, each content once, without the image itself', async () => {
    const { result } = await explained(request('expected-gradients', null, { cohort: { folder: cohort } }));
    expect(result.cohort).toEqual({
      images: await digests(samples.slice(1)),
      unreadable: 1,
      sameClass: 0,
      beyond: 0,
    });
    expect(result.baseline).toBeNull();
  });

  test('is of the images that the model calls otherwise, where a representation is followed', async () => {
    const others = samples.filter((_, i) => labels[i] !== labels[0]);
    const { result } = await explained(request('ig2', null, { cohort: { folder: cohort } }));
    expect(result.cohort).toMatchObject({
      images: await digests(others),
      sameClass: samples.length - others.length - 1,
    });
    expect(result.spread?.runs ?? 1).toBe(others.length);
  });

  test('decides the result: another folder, another map', async () => {
    const smaller = path.join(folder, 'smaller');
    mkdirSync(smaller);
    copyFileSync(path.join(examples, samples[4] ?? ''), path.join(smaller, 'x.dcm'));
    const from = async (where: string) =>
      (await explained(request('integrated-gradients-fixed', 'cohort-mean', { cohort: { folder: where } })))
        .map;
    expect(await from(smaller)).not.toEqual(await from(cohort));
  });

  test('that leaves none is refused, with the reason', async () => {
    const same = path.join(folder, 'same');
    mkdirSync(same);
    samples.forEach((name, i) => {
      if (labels[i] === labels[0]) copyFileSync(path.join(examples, name), path.join(same, name));
    });
    await expect(explained(request('ig2', null, { cohort: { folder: same } }))).rejects.toThrow(
      /An image of another class is needed, but the model calls all \d of the folder/,
    );
    const empty = path.join(folder, 'empty');
    mkdirSync(empty);
    await expect(
      explained(request('expected-gradients', null, { cohort: { folder: empty } })),
    ).rejects.toThrow(/no other image of one frame/);
    await expect(
      explained(request('expected-gradients', null, { cohort: { folder: path.join(folder, 'nowhere') } })),
    ).rejects.toMatchObject({ kind: 'not-found' });
  });

  test('is told as its folder was, in the report as well, whatever came into the folder since', async () => {
    const [there, elsewhere] = ['there', 'elsewhere'].map((name) => path.join(folder, name));
    if (there === undefined || elsewhere === undefined) throw new Error('Two folders');
    for (const where of [there, elsewhere]) {
      mkdirSync(where);
      copyFileSync(path.join(examples, samples[5] ?? ''), path.join(where, 'x.dcm'));
    }
    const by = session();
    const of = request('expected-gradients', null, { cohort: { folder: there } });
    const unreadable = async (): Promise<unknown> => (await explained(of, by)).result.cohort?.unreadable;
    writeFileSync(path.join(there, 'broken.dcm'), 'not DICOM at all');
    expect(await unreadable()).toBe(1);
    writeFileSync(path.join(there, 'broken too.dcm'), 'not DICOM at all');
    expect((await by.finished(of))?.result.cohort?.unreadable).toBe(1);
    expect(await unreadable()).toBe(2);
    copyFileSync(path.join(examples, samples[6] ?? ''), path.join(there, 'y.dcm'));
    expect((await by.finished(of))?.result.cohort).toMatchObject({
      unreadable: 2,
      images: [expect.any(String)],
    });
    const { result } = await explained({ ...of, cohort: { folder: elsewhere } }, by);
    expect(result.cohort?.unreadable).toBe(0);
  });

  test('has the headers of its files read again only where they changed', async () => {
    const file = path.join(folder, 'header.dcm');
    copyFileSync(path.join(examples, samples[0] ?? ''), file);
    const first = await analysis.images.header(file);
    expect(await analysis.images.header(file)).toBe(first);
    copyFileSync(path.join(examples, samples[3] ?? ''), file);
    expect((await analysis.images.header(file)).sopInstanceUid).not.toBe(first.sopInstanceUid);
  });

  test('tells how far it has come before the first map', async () => {
    const frames = await Array.fromAsync(
      session().explain(request('expected-gradients', null, { cohort: { folder: cohort }, frame: 0 })),
    );
    expect(frames[0]?.header).toMatchObject({ type: 'preparation', step: 'cohort', done: 0, total: null });
    expect(frames.map(({ header }) => header.type)).toContain('map');
    const unreadable = frames.flatMap(({ header }) =>
      header.type === 'preparation' ? header.unreadable : [],
    );
    expect(unreadable).toHaveLength(1);
  });
});

describe('a study', () => {
  /** What becomes of the first sample's maps: pixels by method, and failures. */
  async function studied(
    of: readonly LibraryImage[],
    cells: readonly Cell[],
    {
      model = 'tiny',
      card = {},
      metrics = ['sparseness'],
      where = mkdtempSync(path.join(folder, 'study-')),
    }: {
      model?: string;
      /** Of the model, what differs from its card. */
      card?: Partial<ModelCard>;
      metrics?: MetricId[];
      where?: string;
    } = {},
  ) {
    const usable = await models.find(model);
    const journal = await Journal.open(path.join(where, 'study.jsonl'), parseLine);
    const maps: Record<string, number[]> = {};
    const values: Value[] = [];
    const failures: string[] = [];
    let resumed = 0;
    const request: StudyRequest = {
      ...{ images: [sample(0)], groupOf: () => '', cells },
      models: [{ ...usable, card: { ...usable.card, ...card } }],
      ...{ metrics, target: null, scalar: 'logit', blank: 'blurred', masks: null, seed: 1 },
      ...{ provider: 'cpu', journal, mapsFolder: path.join(where, 'maps') },
      cohort: await candidatesOf(analysis.images, of, undefined),
    };
    for await (const event of study(engine, analysis, request, new AbortController().signal)) {
      if (event.type === 'failed') failures.push(event.failure.reason);
      if (event.type !== 'map') continue;
      resumed += Number(event.resumed);
      for (const { method, map, value } of event.rows) {
        values.push(value);
        maps[method] = Array.from(await readMap(path.join(where, 'maps', map)));
      }
    }
    await journal.close();
    return { maps, values, failures, resumed };
  }
  const cellsOf = (methods: readonly MethodId[], baselines: readonly BaselineId[]): Cell[] =>
    planOf([{ methods, baselines, steps: [4] }], { cohort: 2, seed: 1 });

  test('compares with what a single explanation compares with, and so comes to its map', async () => {
    const cells = cellsOf(['ig2', 'expected-gradients'], []);
    const { maps, failures } = await studied(images, cells);
    expect(failures).toEqual([]);
    for (const { method, parameters } of cells) {
      const alone = request(method, null, {
        ...{ parameters: parameters.method, cohort: { folder: cohort } },
        target: labels[0] ?? null,
      });
      expect(maps[method], method).toEqual(Array.from((await explained(alone)).map));
    }
  });

  test('has no value, and no failure, of a fall to an undecided baseline where the image is one', async () => {
    const { values, failures } = await studied([], cellsOf(['gradient'], []), {
      ...{ model: 'undecided', metrics: ['ablation-drop'] },
    });
    expect({ values, failures }).toEqual({ values: [null], failures: [] });
  });

  test('takes a map over where its card is as it was, not with another decision or representation', async () => {
    const where = mkdtempSync(path.join(folder, 'study-'));
    const cells = cellsOf(['gradient'], []);
    const resumed = async (card: Partial<ModelCard>) => (await studied([], cells, { where, card })).resumed;
    const { decision } = shippedCard('pneumonia');
    if (decision === undefined) throw new Error('The card states no decision');
    expect(await resumed({})).toBe(0);
    expect(await resumed({})).toBe(1);
    expect(await resumed({ decision: { ...decision, threshold: decision.threshold / 2 } })).toBe(0);
    expect(await resumed({ representation: 'hidden' })).toBe(0);
  });

  test('looks for the undecided baseline again where it failed for another map', async () => {
    const attribute = engine.attribute.bind(engine);
    const faltering = vi.spyOn(engine, 'attribute').mockImplementation((job, signal) => {
      if (job.baseline?.id !== 'maximum-entropy') return attribute(job, signal);
      faltering.mockRestore();
      throw new PathlightError('engine', 'The engine process ended');
    });
    const { values, failures } = await studied([], cellsOf(['gradient', 'blur-ig'], []), {
      metrics: ['ablation-drop'],
    });
    expect(failures).toEqual([expect.stringContaining('The engine process ended')]);
    expect(values).toEqual([expect.any(Number)]);
  });

  test('has no map that follows a representation where the model calls all alike, and says why', async () => {
    const alike = images.filter((_, i) => labels[i] === labels[0]);
    const cells = [
      ...cellsOf(['ig2', 'expected-gradients'], []),
      ...cellsOf(['integrated-gradients-fixed'], ['counterfactual']),
    ];
    const { maps, failures } = await studied(alike, cells);
    expect(Object.keys(maps)).toEqual(['expected-gradients']);
    const reason = `An image of another class is needed, but the model calls all ${alike.length - 1} of the folder '${labels[0]}'`;
    expect(failures).toEqual([
      expect.stringContaining(`ig2, 4 steps: ${reason}`),
      expect.stringContaining(`integrated-gradients-fixed from counterfactual, 4 steps: ${reason}`),
    ]);
  });
});

test('what is needed and missing is named before anything is computed', async () => {
  await expect(explained(request('gradient', null, { parameters: { steps: 1 } }))).rejects.toThrow(
    /There is no parameter 'steps'; Gradient has none/,
  );
  await expect(explained(request('guided-ig', null))).rejects.toThrow('Guided IG needs a baseline');
  await expect(explained(request('ig2', null))).rejects.toThrow('IG2 needs images of another class');
  await expect(explained(request('guided-ig', 'image'))).rejects.toThrow(
    /An image of your own' needs an image/,
  );
});

test('an image of one’s own stands in the result by its content', async () => {
  const image = sample(3);
  const from = (image: LibraryImage) =>
    explained(request('guided-ig', 'image', { baselineImage: { image, frame: 0 } }));
  const { result } = await from(image);
  expect(result.baselineImage).toEqual({
    file: samples[3],
    frame: 0,
    sha256: await fileSha256(image.path),
  });
  const sizeOf = ({ entry }: LibraryImage): string => `${entry.columns} × ${entry.rows}`;
  expect(sizeOf(image)).not.toBe(sizeOf(sample(0)));
  // Notes stand in reports without the patient, after whom files are named.
  expect(result.notes).toContain(
    `The baseline image has ${sizeOf(image)} pixels, the image ${sizeOf(sample(0))}: each is resized to the model's input by itself, and their anatomy is not registered.`,
  );
  const again = await from({ ...image, entry: { ...image.entry, file: 'again.dcm' } });
  expect(again.result).toEqual({
    ...result,
    baselineImage: { ...result.baselineImage, file: 'again.dcm' },
  });
});

test('a map that is known is told as it was when it was computed', async () => {
  const of = request('integrated-gradients', 'uniform', {
    baseline: { id: 'uniform', parameters: { count: 2 } },
  });
  const by = new Analysis({ engine, models, store: null, app: analysis.app });
  const last = async () =>
    (await Array.fromAsync(by.explain(of)))
      .map(({ header }) => header)
      .findLast(({ type }) => type === 'map');
  const computed = await last();
  expect(computed).toMatchObject({ final: true, nodes: expect.any(Number) as number });
  expect(await last()).toEqual(computed);
});

test('a map kept from an earlier session comes back whole, its baseline and findings with it', async () => {
  const of = request('guided-ig', 'maximum-entropy', {
    baseline: { id: 'maximum-entropy', parameters: { steps: 3 } },
  });
  const first = await explained(of);
  expect(first.result.baselineFindings[0]).toHaveProperty('entropy');
  const frames = session().explain(of);
  const again = await frames.next();
  expect(again.value).toMatchObject({ header: { type: 'map', final: true } });
  const kept = await returned(frames);
  expect(kept).toEqual(first);
});

test('a result of a version that knew Integrated Gradients alone is not taken for one of this', async () => {
  const { result } = await explained(request('integrated-gradients', 'black'));
  const older: Partial<typeof result> = { ...result };
  delete older.sum;
  delete older.baselineParameters;
  expect(parseResult(JSON.stringify(older))).toBeUndefined();
});
