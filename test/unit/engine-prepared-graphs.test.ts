/** Gradient graphs on disk: found again, made anew where they are not as they were written. */
import { readdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import type { Scalar } from '../../core/attribution/model.ts';
import { openPrepared, type PreparedGraph, prepareGraph } from '../../main/engine/prepared-graphs.ts';
import { differentiableModel } from '../../main/engine/gradient-model.ts';
import { describeDevice } from '../../main/engine/sessions.ts';
import { shippedModel } from '../support/engine-models.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const model = shippedModel('pneumonia');
const device = await describeDevice('cpu');
const folder = path.join(temporaryFolder(), 'prepared');

async function prepare(scalar: Scalar, kept: string | null = folder, of = model): Promise<PreparedGraph> {
  return prepareGraph(of, scalar, { folder: kept, device });
}

function files(): { name: string; inode: number }[] {
  return readdirSync(folder).map((name) => ({ name, inode: statSync(path.join(folder, name)).ino }));
}

describe('a prepared graph', () => {
  test('is found again as it was written, with its batch', async () => {
    const first = await prepare('logit');
    const [written] = files().filter(({ name }) => name.endsWith('.onnx'));
    expect(first.batch).toBeNull();
    await first.keepBatch(2);

    const second = await prepare('logit');
    expect(second).toMatchObject({ graph: first.graph, source: first.source, batch: 2 });
    expect(files().filter(({ name }) => name.endsWith('.onnx'))).toEqual([written]);
    expect(files()).toHaveLength(2);
  });

  test('gives the very bits of a graph that was never kept', async () => {
    const elements = model.input.shape.reduce((product, size) => product * size, 1);
    const points = Float32Array.from({ length: 2 * elements }, (_, i) => Math.sin(i * 0.37));
    const [fresh, kept] = await Promise.all(
      [await prepare('logit', null), await prepare('logit')].map(async (prepared) => {
        const session = await openPrepared(prepared, 'the graph', 'cpu');
        const evaluation = await differentiableModel(session, prepared.graph, 0).evaluate(points, 2);
        await session.release();
        return { ...evaluation, rewritten: prepared.rewritten };
      }),
    );
    expect(kept).toEqual({ ...fresh, rewritten: true });
    expect(fresh?.rewritten).toBe(false);
  });

  test('is another for another scalar', async () => {
    const logit = await prepare('logit');
    const probability = await prepare('probability');
    expect(probability.source).not.toBe(logit.source);
    expect(probability.batch).toBeNull();
  });

  test('is made anew where either of its files is damaged', async () => {
    const { source } = await prepare('logit');
    const file = String(source);
    const { size } = statSync(file);
    for (const damage of [
      () => truncateSync(file, size - 1),
      () => writeFileSync(file.replace(/onnx$/, 'json'), '{"graph":'),
    ]) {
      damage();
      const again = await prepare('logit');
      expect(again).toMatchObject({ source: file, batch: null });
      // Its bytes differ a little each time: the runtime numbers its values anew.
      await (await openPrepared(again, 'the graph', 'cpu')).release();
    }
  });

  test('stays in memory where there is no folder, or none that can be written', async () => {
    const blocked = path.join(folder, 'a-file');
    writeFileSync(blocked, '');
    for (const none of [null, path.join(blocked, 'below')]) {
      const { source, batch } = await prepare('logit', none);
      expect(source).toBeInstanceOf(Uint8Array);
      expect(batch).toBeNull();
    }
  });

  test('stays in memory while no temporary file can be written to tell the processor by, and for no other device', async () => {
    vi.resetModules();
    const fresh = await import('../../main/engine/prepared-graphs.ts');
    const sourceOn = async (provider: 'cpu' | 'webgpu'): Promise<string | Uint8Array> =>
      (await fresh.prepareGraph(model, 'logit', { folder, device: { ...device, provider } })).source;
    for (const name of ['TMPDIR', 'TEMP', 'TMP']) vi.stubEnv(name, path.join(folder, 'missing'));
    expect(await sourceOn('cpu')).toBeInstanceOf(Uint8Array);
    expect(await sourceOn('webgpu')).toBeTypeOf('string');
    vi.unstubAllEnvs();
    expect(await sourceOn('cpu')).toBeTypeOf('string');
  });

  test('is refused with its model, whatever is kept', async () => {
    const changed = { ...model, file: path.resolve(import.meta.dirname, '../../models/lungs/model.onnx') };
    await expect(prepare('logit', folder, changed)).rejects.toMatchObject({ kind: 'model-refused' });
  });
});
