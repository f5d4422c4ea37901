import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { createModelCatalogue, shippedModels } from '../../main/app/models.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
const card = JSON.parse(readFileSync(path.join(shippedModels, 'pneumonia/card.json'), 'utf8')) as Record<
  string,
  Record<string, unknown>
>;

/** A models folder holding one folder, a copy of the pneumonia model with another card. */
function folderWith(name: string, changed: unknown): string {
  const models = path.join(folder, name);
  cpSync(path.join(shippedModels, 'pneumonia'), path.join(models, 'mine'), { recursive: true });
  writeFileSync(
    path.join(models, 'mine', 'card.json'),
    typeof changed === 'string' ? changed : JSON.stringify(changed),
  );
  return models;
}

async function reasonOf(models: string): Promise<string | undefined> {
  const { models: usable, refused } = await createModelCatalogue([models]).read();
  expect(usable).toEqual([]);
  expect(refused.map((each) => each.folder)).toEqual(['mine']);
  return refused[0]?.reason;
}

describe('models on disk', () => {
  test('the shipped ones are usable, in the order of their identifiers', async () => {
    const { models, refused } = await createModelCatalogue([shippedModels]).read();
    expect(refused).toEqual([]);
    expect(models.map((model) => model.card.id)).toEqual(['lungs', 'pneumonia', 'pneumonia-shortcut']);
    expect(models[1]?.engine).toMatchObject({
      id: 'pneumonia',
      file: path.join(shippedModels, 'pneumonia', 'model.onnx'),
      input: { name: 'image', shape: [1, 224, 224] },
      output: { name: 'logits', activation: 'softmax' },
    });
  });

  test('the lungs model is the segmentation model whose label is lungs', async () => {
    expect((await createModelCatalogue([shippedModels]).lungs())?.card.id).toBe('lungs');
  });

  test('an unknown identifier is refused with those that there are', async () => {
    await expect(createModelCatalogue([shippedModels]).find('tuberculosis')).rejects.toMatchObject({
      kind: 'model-refused',
      message: "There is no model called 'tuberculosis'",
      advice: 'Known models: lungs, pneumonia, pneumonia-shortcut.',
    });
  });

  test('a models folder that is not there is said to be missing', async () => {
    await expect(createModelCatalogue([path.join(folder, 'none')]).read()).rejects.toMatchObject({
      kind: 'not-found',
    });
  });

  test('of two models with one identifier the earlier folder wins', async () => {
    const own = folderWith('twice', { ...card, name: 'My own' });
    const { models, refused } = await createModelCatalogue([own, shippedModels]).read();
    expect(models.find((model) => model.card.id === 'pneumonia')?.card.name).toBe('My own');
    expect(refused).toEqual([{ folder: 'pneumonia', reason: "another model is already called 'pneumonia'" }]);
  });
});

describe('weights in a file of their own', () => {
  const content = Buffer.from('weights');
  const digest = createHash('sha256').update(content).digest('hex');
  const withWeights = (name: string, externalData: Record<string, string>): string => {
    const models = folderWith(name, { ...card, externalData });
    writeFileSync(path.join(models, 'mine', 'weights.bin'), content);
    return models;
  };

  test('are hashed as the model itself is, and passed on', async () => {
    const { models } = await createModelCatalogue([withWeights('w-ok', { 'weights.bin': digest })]).read();
    expect(models[0]?.engine.externalData).toEqual({ 'weights.bin': digest });
    const changed = withWeights('w-changed', { 'weights.bin': '0'.repeat(64) });
    expect(await reasonOf(changed)).toMatch(/^'weights\.bin' does not match its hash/);
    expect(await reasonOf(withWeights('w-gone', { 'other.bin': digest }))).toMatch(
      /'other\.bin', is missing/,
    );
  });

  test.each(['../weights.bin', '/etc/passwd', 'a\\..\\..\\b', ''])('may not be %j', async (name) => {
    expect(await reasonOf(withWeights('w-outside', { [name]: digest }))).toMatch(
      /^card\.json at externalData/,
    );
  });
});

test('a card may state channels last, and values of further inputs', async () => {
  const heldInputs = { age: { shape: [1, 1], values: 60 } };
  const models = folderWith('ends', { ...card, heldInputs, input: { ...card['input'], layout: 'NHWC' } });
  const { models: usable } = await createModelCatalogue([models]).read();
  expect(usable[0]?.engine).toMatchObject({
    heldInputs: { age: { shape: [1, 1], values: [60] } },
    input: { name: 'image', shape: [1, 224, 224], layout: 'NHWC' },
  });
});

test('a card of a TensorFlow.js model states no further inputs', async () => {
  const heldInputs = { age: { shape: [1, 1], values: 60 } };
  expect(await reasonOf(folderWith('held', { ...card, format: 'tfjs-layers', heldInputs }))).toMatch(
    /^card\.json at heldInputs: a model in TensorFlow\.js form/,
  );
});

describe('a model is refused, and why', () => {
  test('without a card', async () => {
    mkdirSync(path.join(folder, 'bare', 'mine'), { recursive: true });
    expect(await reasonOf(path.join(folder, 'bare'))).toBe('no card.json');
  });

  test('with a file that does not match its hash', async () => {
    const models = folderWith('changed', card);
    const file = path.join(models, 'mine', 'model.onnx');
    const bytes = readFileSync(file);
    bytes[1000] = (bytes[1000] ?? 0) ^ 1;
    writeFileSync(file, bytes);
    const catalogue = createModelCatalogue([models]);
    expect((await catalogue.read()).refused[0]?.reason).toContain("'model.onnx' does not match its hash");
    await expect(catalogue.find('mine')).rejects.toMatchObject({ kind: 'model-refused' });
  });

  test('a file that changes later is read again', async () => {
    const models = folderWith('later', card);
    const catalogue = createModelCatalogue([models]);
    expect((await catalogue.read()).refused).toEqual([]);
    writeFileSync(path.join(models, 'mine', 'model.onnx'), 'something else');
    expect((await catalogue.read()).refused[0]?.reason).toContain('does not match its hash');
  });

  test.each([
    ['no-json', '{"schema": 1,', /^card\.json is not JSON: /],
    [
      'number',
      { ...card, input: { ...card['input'], width: '224' } },
      'card.json at input.width: expected number but received "224"',
    ],
    ['missing', { ...card, licence: undefined }, 'card.json at licence: is missing'],
    ['unknown', { ...card, colour: 'blue' }, 'card.json at colour: is not a field of a card'],
    ['outside', { ...card, file: '../pneumonia/model.onnx' }, /^card\.json at file: .* bare name/],
    [
      'labels',
      { ...card, decision: { ...card['decision'], positive: 'COVID' } },
      "card.json at decision.positive: 'COVID' is not among output.labels",
    ],
    [
      'channels',
      { ...card, input: { ...card['input'], mean: [0.485, 0.456, 0.406] } },
      'card.json at input.mean: 3 numbers for 1 channel',
    ],
    ['gone', { ...card, file: 'other.onnx' }, /'other\.onnx', is missing or cannot be read/],
  ])('%s', async (name, changed, reason) => {
    expect(await reasonOf(folderWith(name, changed))).toMatch(reason);
  });
});
