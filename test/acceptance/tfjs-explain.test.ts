import { readdirSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import type { ExplanationResult } from '../../core/contract/result.ts';
import { createModelCatalogue, modelFolders } from '../../main/app/models.ts';
import { checkedCard } from '../../main/cli/session.ts';
import { EngineClient } from '../../main/engine/client.ts';
import { type Ended, jsonLines, pathlight } from '../support/command-line.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { kerasLike, savedGraph, savedLayers, smallGraph, writeTfjsModel } from '../support/tfjs-models.ts';

const models = temporaryFolder();
const out = temporaryFolder();
const side = 48;
const image = path.resolve(import.meta.dirname, '../../examples/04-pneumonia-dx-jpeg.dcm');

let explained: Ended[];
let checked: Ended;
beforeAll(async () => {
  const ends = { side, input: 'image', output: 'scores', activation: 'softmax' } as const;
  writeTfjsModel(models, await savedLayers(kerasLike(side, 1)), { ...ends, id: 'layers', channels: 1 });
  writeTfjsModel(models, savedGraph(smallGraph(3), [side, side, 3]), { ...ends, id: 'graph', channels: 3 });
  const explain = (model: string): Promise<Ended> =>
    pathlight([
      ...['explain', image, '--model', model, '--models', models, '--baseline', 'black'],
      ...['--out', path.join(out, model), '--json'],
    ]);
  [checked, ...explained] = await Promise.all([
    pathlight(['model', 'check', path.join(models, 'graph')]),
    explain('layers'),
    explain('graph'),
  ]);
}, 300_000);

test.each(['layers', 'graph'])(
  'explain with a %s model of TensorFlow.js gives the map, its report and a result that says what computed it',
  (model) => {
    const ended = explained[model === 'layers' ? 0 : 1];
    expect(ended?.err).not.toContain('failed');
    expect(ended?.code).toBe(0);
    const [result] = jsonLines<ExplanationResult>(ended?.out ?? '');
    expect(result).toMatchObject({ converged: true, target: 'PNEUMONIA', scalar: 'logit' });
    expect(result?.gapRelative).toBeLessThan(0.01);
    expect(result?.device).toMatchObject({
      provider: 'tfjs-wasm',
      threads: 1,
      selfTest: { tolerance: 0.001 },
    });
    expect(result?.device.runtime).toContain('TensorFlow.js 4.22.0');
    expect(result?.lungs).not.toBeNull();
    const [written = ''] = readdirSync(path.join(out, model));
    expect(readdirSync(path.join(out, model, written)).sort()).toEqual([
      ...['map.npy', 'overlay.png', 'report.pdf', 'result.json'],
    ]);
  },
);

test('model check says what a TensorFlow.js model is made of, and what its card must hold', () => {
  expect(checked.code).toBe(0);
  expect(checked.out).toContain('This model can be explained.');
  expect(checked.out).toContain('It ends in a softmax: its card says activation "softmax"');
  expect(checked.out).toMatch(/SHA-256 of group1-shard2of2\.bin: [0-9a-f]{64}/);
  expect(checked.out).toMatch(
    /Computed by tfjs-wasm: its gradient differs from that of tfjs-cpu by \d\.\de-\d/,
  );
});

test('a device is refused for a TensorFlow.js model, which chooses among its own backends', async () => {
  const engine = new EngineClient();
  const session = { models: createModelCatalogue(modelFolders(models)), engine, device: 'webgpu' } as const;
  await expect(checkedCard(session, { model: 'graph', target: null })).rejects.toMatchObject({
    kind: 'bad-request',
    message: expect.stringContaining("--device webgpu does not apply to the model 'graph'") as string,
    advice: 'Leave --device out.',
  });
  await engine.close();
});
