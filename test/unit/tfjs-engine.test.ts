import { readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeBaseline } from '../../core/attribution/baselines.ts';
import { gaussianBlur } from '../../core/imaging/resample.ts';
import { normalNumbers, randomSource } from '../../core/metrics/random.ts';
import { createModelCatalogue } from '../../main/app/models.ts';
import { EngineClient } from '../../main/engine/client.ts';
import { type AttributionJob, mapsOf } from '../../main/engine/engine.ts';
import { integralJob } from '../support/integral-job.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import {
  type GraphParts,
  kerasLike,
  savedGraph,
  savedLayers,
  sequential,
  sha256,
  smallGraph,
  type TfjsModelFolder,
  writeTfjsModel,
} from '../support/tfjs-models.ts';

const engine = new EngineClient();
afterAll(() => engine.close());

const folder = temporaryFolder();
const side = 24;

let keras: TfjsModelFolder;
let graph: TfjsModelFolder;
beforeAll(async () => {
  keras = writeTfjsModel(folder, await savedLayers(kerasLike(side, 3)), {
    ...{ id: 'keras', side, channels: 3, input: 'image', output: 'scores', activation: 'softmax' },
  });
  graph = graphModel('graph', smallGraph(3));
});

function graphModel(id: string, parts: GraphParts): TfjsModelFolder {
  return writeTfjsModel(folder, savedGraph(parts, [side, side, 3]), {
    ...{ id, side, channels: 3, input: 'image', output: 'scores', activation: 'softmax' },
  });
}

/** [3, side, side], another image in every channel. */
const x = Float32Array.from(
  [1, 2, 3].flatMap((seed) => [
    ...gaussianBlur(normalNumbers(side * side, randomSource(seed)), side, side, 1).map((value) => 4 * value),
  ]),
);

function jobFor(
  { engine: model, card }: TfjsModelFolder,
  parameters: Record<string, number> = {},
): AttributionJob {
  return integralJob({
    model,
    x,
    baseline: makeBaseline('grey', x, card.input),
    target: 1,
    scalar: 'logit',
    ...parameters,
  });
}

describe.each([
  ['a layers model', () => keras],
  ['a graph model', () => graph],
])('%s', (_, model) => {
  test('is computed by wasm, which was held against cpu', async () => {
    const device = await engine.device('cpu', model().engine);
    expect(device).toMatchObject({ provider: 'tfjs-wasm', threads: 1 });
    expect(device.runtime).toMatch(/^TensorFlow\.js 4\.22\.0, /);
    expect(device.selfTest).toMatchObject({ tolerance: 0.001 });
    expect(device.selfTest?.error).toBeGreaterThan(0);
    expect(device.selfTest?.error).toBeLessThan(1e-4);
  });

  test('gives logits: the softmax at its end is taken off', async () => {
    const scores = await engine.run(model().engine, x);
    expect(scores).toHaveLength(2);
    expect(Math.abs((scores[0] ?? 0) + (scores[1] ?? 0) - 1)).toBeGreaterThan(0.01);
  });

  test('is explained with completeness under 1 %, in partial maps, the same bits every time', async () => {
    const frames = await Array.fromAsync(mapsOf(engine.attribute(jobFor(model()))));
    const last = frames.at(-1);
    expect(last).toMatchObject({ final: true, converged: true });
    expect(last?.gapRelative).toBeLessThan(0.01);
    expect(frames.slice(0, 3).map(({ evaluations }) => evaluations)).toEqual([1, 2, 3]);
    const [, logit = NaN] = await engine.run(model().engine, x);
    expect(last?.fx).toBeCloseTo(logit, 4);
    const sum = last?.map.reduce((total, value) => total + value, 0) ?? NaN;
    expect(sum - ((last?.fx ?? NaN) - (last?.fb ?? NaN))).toBeCloseTo(last?.gap ?? NaN, 4);
    expect((await Array.fromAsync(mapsOf(engine.attribute(jobFor(model()))))).at(-1)?.map).toEqual(last?.map);
  });

  test.each(['probability', 'log-probability'] as const)('is explained by its %s', async (scalar) => {
    const frames = await Array.fromAsync(
      mapsOf(engine.attribute({ ...jobFor(model(), { maxEvaluations: 5 }), scalar })),
    );
    const [other = NaN, logit = NaN] = await engine.run(model().engine, x);
    const probability = 1 / (1 + Math.exp(other - logit));
    expect(frames.at(-1)?.fx).toBeCloseTo(scalar === 'probability' ? probability : Math.log(probability), 4);
  });

  test('is cancelled between two batches', async () => {
    const cancellation = new AbortController();
    const read = async (): Promise<void> => {
      for await (const { evaluations } of mapsOf(
        engine.attribute(jobFor(model(), { gapTolerance: 0 }), cancellation.signal),
      )) {
        if (evaluations === 3) cancellation.abort();
      }
    };
    await expect(read()).rejects.toMatchObject({ kind: 'cancelled' });
  });

  test('is explained by other methods from other baselines, too, and refused where only graphs can answer', async () => {
    const job = jobFor(model());
    const method = { id: 'idgi-ig', parameters: { steps: 5 } } as const;
    const white = { ...job, input: model().card.input, baseline: { id: 'white', parameters: {} } } as const;
    const last = (await Array.fromAsync(mapsOf(engine.attribute({ ...white, method })))).at(-1);
    expect(last).toMatchObject({ final: true, evaluations: 5 });
    expect(last?.sum).toBeCloseTo(last?.expectedSum ?? NaN, 4);
    for (const [asked, what] of [
      [{ baseline: { id: 'maximum-entropy', parameters: {} } }, /entropy of what it says/],
      [{ method: { id: 'ig2', parameters: {} }, references: [job.x] }, /representation of images/],
      [{ randomised: { layers: 1, seed: 1 } }, /weights randomised/],
    ] as const) {
      await expect(engine.attribute({ ...job, ...asked }).next()).rejects.toMatchObject({
        kind: 'unsupported',
        message: expect.stringMatching(what) as string,
      });
    }
  });

  test('is checked: what it is made of, what its card must say, what would compute it', async () => {
    const support = await engine.check(model().folder);
    expect(support).toMatchObject({
      explainable: true,
      reasons: [],
      opset: null,
      preprocessing: { layout: 'NHWC', channels: 3 },
    });
    expect(support.inputs).toEqual([{ name: 'image', type: 'float32', shape: ['?', side, side, 3] }]);
    expect(support.outputs.map(({ name }) => name)).toEqual(['scores']);
    expect(support.notes.join('\n')).toMatch(/ends in a softmax.*\nComputed by tfjs-wasm: .*tfjs-cpu/);
    expect(support.notes).toContain(`SHA-256 of model.json: ${model().card.sha256}`);
    expect(await engine.check(path.join(model().folder, 'model.json'))).toEqual(support);
  });

  test('is found by its card', async () => {
    const { models, refused } = await createModelCatalogue([folder]).read();
    expect(refused).toEqual([]);
    const found = models.find(({ card }) => card.id === model().card.id);
    expect(found?.engine).toEqual(model().engine);
  });
});

describe('a model is refused, and why', () => {
  /** A fresh copy of the layers model, harmed; its card is the whole one's. */
  async function harmed(id: string, harm: (folder: string) => void): Promise<TfjsModelFolder> {
    const model = writeTfjsModel(temporary, await savedLayers(kerasLike(side, 3)), {
      ...{ id, side, channels: 3, input: 'image', output: 'scores', activation: 'softmax' },
    });
    harm(model.folder);
    return model;
  }
  const temporary = temporaryFolder();
  const shard = 'group1-shard2of2.bin';

  test.each([
    [
      'a shard that is cut short',
      (at: string) => truncateSync(path.join(at, shard), 100),
      'damaged',
      /'group1-shard1of2\.bin', 'group1-shard2of2\.bin' have \d+ bytes; model\.json says/,
    ],
    [
      'a shard that is missing',
      (at: string) => rmSync(path.join(at, shard)),
      'not-found',
      /group1-shard2of2\.bin is missing/,
    ],
    [
      'a shard that has changed',
      (at: string) => {
        const bytes = readFileSync(path.join(at, shard));
        bytes[50] = (bytes[50] ?? 0) ^ 1;
        writeFileSync(path.join(at, shard), bytes);
      },
      'model-refused',
      /group1-shard2of2\.bin is not the one that its card describes/,
    ],
    [
      'a shard that is a link out of the folder',
      (at: string) => {
        writeFileSync(path.join(temporary, 'elsewhere.bin'), readFileSync(path.join(at, shard)));
        rmSync(path.join(at, shard));
        symlinkSync(path.join(temporary, 'elsewhere.bin'), path.join(at, shard));
      },
      'model-refused',
      /group1-shard2of2\.bin' is a link that leads out of the model's folder/,
    ],
    [
      'a model.json that has changed',
      (at: string) =>
        writeFileSync(path.join(at, 'model.json'), `${readFileSync(path.join(at, 'model.json'), 'utf8')} `),
      'model-refused',
      /model\.json is not the one that its card describes/,
    ],
    [
      'a model.json that is none',
      (at: string) =>
        writeFileSync(path.join(at, 'model.json'), '{"modelTopology": {}, "weightsManifest": 7}'),
      'not-recognised',
      /model\.json is not the model\.json of a TensorFlow\.js model: at weightsManifest/,
    ],
  ] as const)('%s', async (name, harm, kind, message) => {
    const model = await harmed(name.replaceAll(' ', '-').toLowerCase(), harm);
    await expect(engine.run(model.engine, x)).rejects.toMatchObject({
      kind,
      message: expect.stringMatching(message) as string,
    });
    const { models, refused } = await createModelCatalogue([temporary]).read();
    expect([...models.map(({ card }) => card.id), ...refused.map((each) => each.folder)]).toContain(
      model.card.id,
    );
    expect(models.map(({ card }) => card.id)).not.toContain(name.includes('link') ? '' : model.card.id);
    expect(await engine.run(keras.engine, x)).toHaveLength(2);
  });

  test.each(['../outside.bin', '/etc/hostname', 'sub/inside.bin', 'http://elsewhere/shard.bin', '..'])(
    'a shard named %s',
    async (name) => {
      const at = path.join(temporary, 'named', sha256(name).slice(0, 8));
      const model = writeTfjsModel(at, savedGraph(smallGraph(3), [side, side, 3]), {
        ...{ id: 'named', side, channels: 3, input: 'image', output: 'scores', activation: 'softmax' },
      });
      const file = path.join(model.folder, 'model.json');
      const json = readFileSync(file, 'utf8').replace(shard, name);
      writeFileSync(file, json);
      const named = { ...model.engine, sha256: sha256(json), externalData: { ...model.card.externalData } };
      await expect(engine.run(named, x)).rejects.toMatchObject({
        kind: 'model-refused',
        message: `The model file model.json names a weight file outside its own folder: '${name}'`,
      });
    },
  );

  test('a shard that the card does not name', async () => {
    const externalData = Object.fromEntries(
      Object.entries(keras.card.externalData ?? {}).filter(([name]) => name !== shard),
    );
    await expect(engine.run({ ...keras.engine, externalData }, x)).rejects.toMatchObject({
      kind: 'model-refused',
      message: `The weight file '${shard}' is not named by the model's card`,
    });
  });

  test('an operator without a gradient, by its name and that of its node, with all others', async () => {
    const parts = smallGraph(3);
    const model = graphModel('unsupported', {
      ...parts,
      constants: { ...parts.constants, one: { shape: [], values: [1], dtype: 'int32' } },
      nodes: parts.nodes.flatMap((node) =>
        node.name === 'six'
          ? [
              { name: 'odd', op: 'Digamma', input: ['norm'] },
              { ...node, input: ['odd'] },
              { name: 'most of all', op: 'TopKV2', input: ['six', 'one'] },
            ]
          : node.name === 'linear'
            ? [{ ...node, input: ['most of all', 'w3', 'b3'] }]
            : [node],
      ),
    });
    const message =
      "TensorFlow.js has no gradient for these operators: Digamma (node 'odd'), TopKV2 (node 'most of all')";
    await expect(engine.attribute(jobFor(model)).next()).rejects.toMatchObject({
      kind: 'unsupported',
      message,
    });
    const support = await engine.check(model.folder);
    expect(support).toMatchObject({ explainable: false, reasons: [message] });
    expect(support.operators).toContainEqual({ operator: 'Digamma', count: 1, support: 'refused' });
    expect(support.operators).toContainEqual({ operator: 'Relu6', count: 1, support: 'differentiable' });
  });

  test('dilated convolutions, by name, before anything runs', async () => {
    const parts = smallGraph(3);
    const nodes = parts.nodes.map((node) =>
      node.name === 'depth'
        ? { ...node, attr: { ...node.attr, dilations: { list: { i: ['1', '2', '2', '1'] } } } }
        : node,
    );
    const written = await savedLayers(kerasLike(side, 3));
    const topology = JSON.parse(
      JSON.stringify(written.topology).replace(
        /("class_name":"DepthwiseConv2D".*?"dilation_rate":)\[1,1\]/,
        '$1[2,2]',
      ),
    ) as object;
    const layers = writeTfjsModel(
      folder,
      { ...written, topology },
      { ...{ id: 'gaps', side, channels: 3, input: 'image', output: 'scores', activation: 'softmax' } },
    );
    for (const [model, why] of [
      [graphModel('gaps-graph', { ...parts, nodes }), /dilated \w+ \(node 'depth'\)/],
      [layers, /dilated convolutions: DepthwiseConv2D \(layer 'depthwise/],
    ] as const) {
      const support = await engine.check(model.folder);
      expect(support).toMatchObject({ explainable: false, reasons: [expect.stringMatching(why)] });
      expect(support.operators.some(({ support: kind }) => kind === 'refused')).toBe(true);
      await expect(engine.attribute(jobFor(model)).next()).rejects.toMatchObject({ kind: 'unsupported' });
    }
  });

  test('a layer that TensorFlow.js does not have', async () => {
    const written = await savedLayers(kerasLike(side, 3));
    const topology = JSON.parse(
      JSON.stringify(written.topology).replace('"DepthwiseConv2D"', '"MyConvolution"'),
    ) as object;
    const model = writeTfjsModel(
      folder,
      { ...written, topology },
      {
        ...{ id: 'layer', side, channels: 3, input: 'image', output: 'scores', activation: 'softmax' },
      },
    );
    await expect(engine.run(model.engine, x)).rejects.toMatchObject({
      kind: 'unsupported',
      message: expect.stringMatching(/no layers of these kinds: MyConvolution \(layer 'depthwise/) as string,
    });
    expect(await engine.check(model.folder)).toMatchObject({ explainable: false });
  });

  test('a graph that runs in a circle, and one that lacks a node', async () => {
    const parts = smallGraph(3);
    const around = (name: string, source: string): TfjsModelFolder =>
      graphModel(name, {
        ...parts,
        nodes: parts.nodes.map((node) => (node.name === 'depth' ? { ...node, input: [source, 'w2'] } : node)),
      });
    await expect(engine.run(around('circle', 'sum').engine, x)).rejects.toMatchObject({
      kind: 'damaged',
      message: expect.stringContaining('in a circle') as string,
    });
    await expect(engine.run(around('lack', 'nothing').engine, x)).rejects.toMatchObject({
      kind: 'damaged',
      message: "The graph in model.json has no node 'nothing'",
    });
  });

  test('a graph that asks for terabytes', async () => {
    const parts = smallGraph(3);
    const model = graphModel('terabytes', {
      ...parts,
      constants: {
        ...parts.constants,
        often: { shape: [4], values: [1, 60_000, 60_000, 1], dtype: 'int32' },
      },
      nodes: parts.nodes.flatMap((node) =>
        node.name === 'six'
          ? [node, { name: 'huge', op: 'Tile', input: ['six', 'often'] }]
          : [node.name === 'linear' ? { ...node, input: ['huge', 'w3', 'b3'] } : node],
      ),
    });
    await expect(engine.run(model.engine, x)).rejects.toMatchObject({ kind: 'too-large' });
    expect(await engine.run(keras.engine, x)).toHaveLength(2);
  });

  test('a card that contradicts its model', async () => {
    const { engine: model } = keras;
    const refusals = [
      [
        { ...model, output: { name: 'scores', activation: 'sigmoid' } },
        "ends in a softmax, but its card says 'sigmoid'",
      ],
      [
        { ...model, output: { name: 'scores', activation: 'none' } },
        "ends in a softmax, but its card says 'none'",
      ],
      [{ ...model, output: { name: 'logits', activation: 'softmax' } }, "has no output 'logits'"],
      [{ ...model, input: { ...model.input, name: 'x' } }, "has no input 'x'"],
      [
        { ...model, format: 'tfjs-graph' },
        "says format 'tfjs-graph', but its file is of format 'tfjs-layers'",
      ],
    ] as const;
    for (const [wrong, message] of refusals) {
      await expect(engine.run(wrong, x)).rejects.toThrow(message);
    }
    await expect(engine.attribute({ ...jobFor(keras), target: 2 }).next()).rejects.toMatchObject({
      kind: 'bad-request',
    });
  });
});

test('a Sequential model is taken by the names of its layers', async () => {
  const { card, folder: own } = writeTfjsModel(folder, await savedLayers(sequential(side)), {
    ...{ id: 'sequential', side, channels: 3, input: 'first_input', output: 'scores', activation: 'softmax' },
  });
  const support = await engine.check(own);
  expect(support.inputs.map(({ name }) => name)).toEqual(['first_input']);
  expect(support.outputs.map(({ name }) => name)).toEqual(['scores']);
  const { engine: described } = await createModelCatalogue([folder]).find(card.id);
  expect(await engine.run(described, new Float32Array(3 * side * side))).toHaveLength(2);
});
