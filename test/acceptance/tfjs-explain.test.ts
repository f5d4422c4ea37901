import { readdirSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { ExplanationResult } from '../../core/contract/result.ts';
import { jsonLines, pathlight } from '../support/command-line.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { kerasLike, savedGraph, savedLayers, smallGraph, writeTfjsModel } from '../support/tfjs-models.ts';

const models = temporaryFolder();
const out = temporaryFolder();
const side = 48;
const image = path.resolve(import.meta.dirname, '../../examples/04-pneumonia-dx-jpeg.dcm');

beforeAll(async () => {
  const ends = { side, input: 'image', output: 'scores', activation: 'softmax' } as const;
  writeTfjsModel(models, await savedLayers(kerasLike(side, 1)), { ...ends, id: 'layers', channels: 1 });
  writeTfjsModel(models, savedGraph(smallGraph(3), [side, side, 3]), { ...ends, id: 'graph', channels: 3 });
});

describe.each(['layers', 'graph'])('explain with a %s model of TensorFlow.js', (model) => {
  test('gives the map, its report and a result that says what computed it', async () => {
    const folder = path.join(out, model);
    const ended = await pathlight([
      ...[
        'explain',
        image,
        '--model',
        model,
        '--models',
        models,
        '--out',
        folder,
        '--json',
        '--baseline',
        'black',
      ],
    ]);
    expect(ended.err).not.toContain('failed');
    expect(ended.code).toBe(0);
    const [result] = jsonLines<ExplanationResult>(ended.out);
    expect(result).toMatchObject({ converged: true, target: 'PNEUMONIA', scalar: 'logit' });
    expect(result?.gapRelative).toBeLessThan(0.01);
    expect(result?.device).toMatchObject({ provider: 'tfjs-wasm', threads: 1 });
    expect(result?.device.runtime).toContain('TensorFlow.js 4.22.0');
    expect(result?.lungs).not.toBeNull();
    const [written = ''] = readdirSync(folder);
    expect(readdirSync(path.join(folder, written)).sort()).toEqual([
      ...['map.npy', 'overlay.png', 'report.pdf', 'result.json'],
    ]);
  });

  test('model check says what it is made of and what its card must hold', async () => {
    const { code, out: text } = await pathlight(['model', 'check', path.join(models, model)]);
    expect(code).toBe(0);
    expect(text).toContain('This model can be explained.');
    expect(text).toContain('It ends in a softmax: its card says activation "softmax"');
    expect(text).toMatch(/SHA-256 of group1-shard2of2\.bin: [0-9a-f]{64}/);
    expect(text).toMatch(/Computed by tfjs-wasm: its gradient differs from that of tfjs-cpu by \d\.\de-\d/);
  });
});
