/**
 * What the lung check is for: on sample 07 (a normal radiograph with a marker in its corner) the shortcut model follows the marker, and is
 * flagged; the pneumonia model looks elsewhere, and is not.
 */
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { BASELINES } from '../../core/contract/result.ts';
import { Analysis, type Explanation } from '../../main/app/analysis.ts';
import { createLibrary } from '../../main/app/library.ts';
import { createModelCatalogue } from '../../main/app/models.ts';
import { EngineClient } from '../../main/engine/client.ts';
import { asked, from } from '../support/integrated-gradients.ts';
import { aroundMarker } from '../support/shortcut-marker.ts';

const root = path.resolve(import.meta.dirname, '../..');
const engine = new EngineClient();
afterAll(() => engine.close());
const analysis = new Analysis({
  engine,
  models: createModelCatalogue([path.join(root, 'models')]),
  store: null,
  app: { version: '0', commit: '' },
});

async function explain(model: string, baseline: (typeof BASELINES)[number]): Promise<Explanation> {
  const library = createLibrary();
  const ids: string[] = [];
  for await (const event of library.open([path.join(root, 'examples/07-normal-marker-dx.dcm')])) {
    if (event.type === 'image') ids.push(event.image.id);
  }
  const image = library.find(ids[0] ?? '');
  const frames = analysis.explain({
    image,
    frame: 0,
    model,
    target: null,
    scalar: 'logit',
    ...asked,
    baseline: from(baseline),
  });
  for (;;) {
    const next = await frames.next();
    if (next.done === true) return next.value;
  }
}

/** Where the map itself, not smoothed, has its maximum. */
function maximum({ map, width }: Explanation): { row: number; column: number } {
  const at = map.reduce((best, value, i) => (Math.abs(value) > Math.abs(map[best] ?? 0) ? i : best), 0);
  return { row: Math.floor(at / width), column: at % width };
}

describe.each(BASELINES)('sample 07, %s baseline', (baseline) => {
  test("the shortcut model's maximum sits on the marker, outside the lungs, and is flagged", async () => {
    const explanation = await explain('pneumonia-shortcut', baseline);
    const { prediction, converged, lungs, flags } = explanation.result;
    expect(prediction.label).toBe('PNEUMONIA');
    expect(converged).toBe(true);
    const { row, column } = maximum(explanation);
    expect(aroundMarker(row, column)).toBe(true);
    expect(lungs?.peakInside).toBe(false);
    expect(lungs !== null && aroundMarker(lungs.peak.row, lungs.peak.column)).toBe(true);
    expect(flags).toContainEqual(expect.objectContaining({ id: 'peak-outside-lungs', severity: 'alert' }));
  });

  test('the pneumonia model is not flagged for that reason', async () => {
    const { prediction, flags } = (await explain('pneumonia', baseline)).result;
    expect(prediction.label).toBe('NORMAL');
    expect(flags.map(({ id }) => id)).not.toContain('peak-outside-lungs');
  });
});
