/** Real radiographs (../shared/cxr), wrapped as DICOM, through the pipeline that the command line runs. */
import { spawnSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Analysis } from '../../main/app/analysis.ts';
import { createLibrary } from '../../main/app/library.ts';
import { createModelCatalogue, shippedModels } from '../../main/app/models.ts';
import { applicationVersion } from '../../main/app/root.ts';
import { EngineClient } from '../../main/engine/client.ts';
import { radiographs } from '../support/cxr.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Milliseconds that a computation may take on a busy machine. */
const LONG = 300_000;

const images = radiographs();

describe.runIf(images !== null)('32 real radiographs', () => {
  const folder = temporaryFolder();
  const engine = new EngineClient();
  const models = createModelCatalogue([shippedModels]);
  const analysis = new Analysis({ engine, models, store: null, app: applicationVersion() });
  let right = 0;
  const dice: number[] = [];

  beforeAll(async () => {
    const library = createLibrary();
    for (const image of images ?? []) writeFileSync(path.join(folder, `${image.name}.dcm`), image.dicom());
    for await (const event of library.open([folder])) {
      if (event.type !== 'image') continue;
      const radiograph = images?.find(({ name }) => `${name}.dcm` === event.image.file);
      const image = library.find(event.image.id);
      const { label } = await analysis.predict({ image, frame: 0 }, 'pneumonia');
      if (label === radiograph?.label) right++;
      const lungs = await analysis.lungs({ image, frame: 0 }, image.entry.rows, image.entry.columns);
      if (radiograph !== undefined && lungs !== null)
        dice.push(diceOf(lungs.probability, radiograph.lungs()));
    }
  }, LONG);
  afterAll(() => engine.close());

  test('at least 28 are called as they are labelled', () => {
    expect(right).toBeGreaterThanOrEqual(28);
  });

  test('the lungs agree with the human masks: mean Dice above 0.94', () => {
    expect(dice).toHaveLength(32);
    expect(dice.reduce((sum, value) => sum + value, 0) / dice.length).toBeGreaterThan(0.94);
    expect(Math.min(...dice)).toBeGreaterThan(0.9);
  });

  test('are written for a study into a folder beside the user, as the command line reads them', () => {
    const script = path.resolve(import.meta.dirname, '../../scripts/bench.mjs');
    const env = { ...process.env, INIT_CWD: folder };
    const { status, stderr } = spawnSync(process.execPath, [script, 'radiographs', 'study', '1'], {
      env,
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(readdirSync(path.join(folder, 'study')).sort()).toEqual(['images', 'labels.csv', 'masks']);
    expect(readdirSync(path.join(folder, 'study/images'))).toHaveLength(3);
  });
});

/** Dice coefficient against a mask of 0 outside, 255 lung and 127 ignore. */
function diceOf(probability: Float32Array, mask: Uint8Array): number {
  let [both, drawn, human] = [0, 0, 0];
  for (let i = 0; i < mask.length; i++) {
    if (mask[i] === 127) continue;
    const inside = (probability[i] ?? 0) >= 0.5;
    const lung = mask[i] === 255;
    if (inside && lung) both++;
    if (inside) drawn++;
    if (lung) human++;
  }
  return (2 * both) / (drawn + human);
}
