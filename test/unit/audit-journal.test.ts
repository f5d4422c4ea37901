import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ExplanationResult } from '../../core/contract/result.ts';
import { Analysis } from '../../main/app/analysis.ts';
import { audit } from '../../main/app/audit.ts';
import { Journal } from '../../main/app/journal.ts';
import { parseResult } from '../../main/app/result-schema.ts';
import { resultsCsv } from '../../main/cli/results-csv.ts';
import { createModelCatalogue } from '../../main/app/models.ts';
import { EngineClient } from '../../main/engine/client.ts';
import { shippedCard } from '../support/engine-models.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { asked, from, stated } from '../support/integrated-gradients.ts';

const folder = temporaryFolder();
const hash = 'a'.repeat(64);

function resultOf(file: string): ExplanationResult {
  return {
    image: { file, frame: 0, sopInstanceUid: '2.25.1', sha256: hash },
    model: { id: 'pneumonia', sha256: hash },
    prediction: {
      label: 'NORMAL',
      scores: { NORMAL: 0.9, PNEUMONIA: 0.1 },
      logits: { NORMAL: 1, PNEUMONIA: -1 },
      threshold: 0.5,
    },
    target: 'PNEUMONIA',
    scalar: 'logit',
    ...stated,
    fx: -1,
    fb: 2,
    gap: 0.001,
    gapRelative: 0.0003,
    gapBound: 0.03,
    mapChange: 0.02,
    evaluations: 33,
    converged: true,
    device: { provider: 'cpu', name: 'Test CPU', threads: 2, runtime: 'test', selfTest: null },
    lungs: {
      share: 0.6,
      areaShare: 0.4,
      enrichment: 1.5,
      peakInside: true,
      peak: { row: 100, column: 80 },
      null: { random: 0.4, edges: 0.5 },
      model: { id: 'lungs', sha256: hash },
    },
    flags: [{ id: 'border-share', severity: 'warning', text: 'The border, and more.' }],
    batch: 4,
    notes: [],
    seconds: 1.5,
    app: { version: '0.1.0', commit: 'unknown' },
  };
}

describe('a journal', () => {
  test('gives back what was appended, in this run and the next', async () => {
    const file = path.join(folder, 'new', 'results.jsonl');
    const first = await Journal.open(file, parseResult);
    await first.append(resultOf('a.dcm'));
    await first.append(resultOf('b.dcm'));
    await first.close();
    const second = await Journal.open(file, parseResult);
    expect(second.entries).toEqual([resultOf('a.dcm'), resultOf('b.dcm')]);
    await second.append(resultOf('c.dcm'));
    expect(second.entries.map(({ image }) => image.file)).toEqual(['a.dcm', 'b.dcm', 'c.dcm']);
    await second.close();
    expect(readFileSync(file, 'utf8').split('\n')).toHaveLength(4);
  });

  test('drops a last line that was cut off, and goes on after the one before it', async () => {
    const file = path.join(folder, 'torn.jsonl');
    const first = await Journal.open(file, parseResult);
    await first.append(resultOf('a.dcm'));
    await first.close();
    appendFileSync(file, JSON.stringify(resultOf('torn.dcm')).slice(0, 100));
    const second = await Journal.open(file, parseResult);
    expect(second.entries.map(({ image }) => image.file)).toEqual(['a.dcm']);
    await second.append(resultOf('b.dcm'));
    await second.close();
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as ExplanationResult).image.file)).toEqual([
      'a.dcm',
      'b.dcm',
    ]);
  });

  test('passes over lines that are no results', async () => {
    const file = path.join(folder, 'strange.jsonl');
    writeFileSync(file, `{"image": 1}\nnot JSON\n${JSON.stringify(resultOf('a.dcm'))}\n`);
    const journal = await Journal.open(file, parseResult);
    expect(journal.entries).toEqual([resultOf('a.dcm')]);
    await journal.close();
  });

  test('says so where it cannot be written', async () => {
    writeFileSync(path.join(folder, 'file'), '');
    await expect(Journal.open(path.join(folder, 'file', 'results.jsonl'), parseResult)).rejects.toMatchObject(
      {
        kind: 'write-failed',
      },
    );
  });
});

test('an audit does not go on with results of another device, and says which they are of', async () => {
  const journal = await Journal.open(path.join(folder, 'devices', 'results.jsonl'), parseResult);
  const card = { ...shippedCard('pneumonia'), sha256: hash };
  await journal.append(resultOf('a.dcm'));
  const engine = new EngineClient();
  const analysis = new Analysis({
    engine,
    models: createModelCatalogue([]),
    store: null,
    app: { version: '0.1.0', commit: 'unknown' },
  });
  const choices = {
    model: 'pneumonia',
    target: null,
    scalar: 'logit',
    ...asked,
    baseline: from('black'),
  } as const;
  const request = { images: [], choices, card, lungsCard: null, journal };
  const on = (provider: 'cpu' | 'webgpu') => audit(analysis, { ...request, provider }).next();
  await expect(on('webgpu')).rejects.toMatchObject({
    kind: 'bad-request',
    message: expect.stringContaining('computed on cpu') as string,
  });
  expect(await on('cpu')).toEqual({ done: true, value: undefined });
  await journal.close();
});

describe('the table of results', () => {
  test('has one row a result, as many cells as columns', () => {
    const [header, row, end] = resultsCsv([resultOf('a.dcm')]).split('\r\n');
    expect(end).toBe('');
    // Cells that hold JSON are quoted.
    const cells = (row ?? '').split(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/);
    const named = Object.fromEntries((header ?? '').split(',').map((column, i) => [column, cells[i]]));
    expect(named).toMatchObject({
      file: 'a.dcm',
      label: 'NORMAL',
      score: '0.1',
      gap_relative: '0.0003',
      lung_share: '0.6',
      lung_share_edges: '0.5',
      flags: 'border-share',
      converged: 'true',
    });
    expect(cells).toHaveLength((header ?? '').split(',').length);
  });

  test('leaves cells empty where there is nothing', () => {
    const row = resultsCsv([{ ...resultOf('a.dcm'), lungs: null, gapRelative: null }]).split('\r\n')[1];
    expect(row).toContain(',,');
  });
});
