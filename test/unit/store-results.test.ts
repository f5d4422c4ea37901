import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { openResultStore, type ResultKey, type ResultStore } from '../../main/store/results.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const root = temporaryFolder();
const key: ResultKey = { image: 'i', frame: 0, model: 'm', parameters: 'p', app: '1' };
const map = Float32Array.of(0.5, -1, 3e-8);
const result = { json: '{"converged":true}', map };

function open(
  name: string,
  budgetBytes?: number,
): { store: ResultStore; warnings: string[]; folder: string } {
  const warnings: string[] = [];
  const folder = path.join(root, name);
  const store = openResultStore(folder, {
    warn: (message) => warnings.push(message),
    ...(budgetBytes === undefined ? {} : { budgetBytes }),
  });
  return { store, warnings, folder };
}

describe('kept results', () => {
  test('come back as they were, also in the next session', () => {
    const first = open('kept');
    first.store.put(key, result);
    expect(first.store.get(key)).toEqual(result);
    first.store.close();
    const second = open('kept');
    expect(second.store.get(key)).toEqual(result);
    second.store.close();
    expect([...first.warnings, ...second.warnings]).toEqual([]);
  });

  test('are of exactly one key', () => {
    const { store } = open('keys');
    store.put(key, result);
    for (const other of [{ image: 'j' }, { frame: 1 }, { model: 'n' }, { parameters: 'q' }, { app: '2' }]) {
      expect(store.get({ ...key, ...other })).toBeUndefined();
    }
    store.close();
  });

  test('are replaced under the same key', () => {
    const { store } = open('again');
    store.put(key, result);
    store.put(key, { ...result, json: '{}' });
    expect(store.get(key)?.json).toBe('{}');
    store.close();
  });

  test('that were used longest ago go when the budget is passed', () => {
    const { store } = open('budget', 2.5 * (result.json.length + map.byteLength));
    store.put({ ...key, frame: 1 }, result);
    store.put({ ...key, frame: 2 }, result);
    store.get({ ...key, frame: 1 });
    store.put({ ...key, frame: 3 }, result);
    expect([1, 2, 3].map((frame) => store.get({ ...key, frame }) !== undefined)).toEqual([true, false, true]);
    store.close();
  });

  test('include the newest one even where it alone passes the budget', () => {
    const { store } = open('tiny', 1);
    store.put(key, result);
    store.put({ ...key, frame: 1 }, result);
    expect(store.get(key)).toBeUndefined();
    expect(store.get({ ...key, frame: 1 })).toEqual(result);
    store.close();
  });

  test('may be opened by two at once', () => {
    const one = open('shared');
    const two = open('shared');
    one.store.put(key, result);
    two.store.put({ ...key, frame: 1 }, result);
    expect(two.store.get(key)).toEqual(result);
    expect(one.store.get({ ...key, frame: 1 })).toEqual(result);
    one.store.close();
    two.store.close();
    expect([...one.warnings, ...two.warnings]).toEqual([]);
  });
});

describe('a store that cannot be used', () => {
  test('is moved aside when it is damaged, with a warning, and begun anew', () => {
    const before = open('damaged');
    before.store.close();
    writeFileSync(path.join(before.folder, 'results.db'), 'This is not a database. '.repeat(400));
    const { store, warnings, folder } = open('damaged');
    store.put(key, result);
    expect(store.get(key)).toEqual(result);
    store.close();
    expect(warnings).toEqual([
      expect.stringMatching(/^The kept results were damaged; they were moved aside as /),
    ]);
    expect(readdirSync(folder).filter((name) => name.startsWith('results-damaged-'))).toHaveLength(1);
  });

  test('of a newer version is left alone', () => {
    const before = open('newer');
    before.store.close();
    const file = path.join(before.folder, 'results.db');
    const database = new DatabaseSync(file);
    database.exec('PRAGMA user_version = 99');
    database.close();
    const { store, warnings } = open('newer');
    store.put(key, result);
    expect(store.get(key)).toBeUndefined();
    expect(warnings).toEqual([expect.stringContaining('newer Pathlight')]);
  });

  test('in a folder that cannot be made keeps nothing and says so', () => {
    writeFileSync(path.join(root, 'a-file'), '');
    const { store, warnings } = open(path.join('a-file', 'data'));
    store.put(key, result);
    expect(store.get(key)).toBeUndefined();
    expect(warnings).toEqual([expect.stringMatching(/^Results are not kept from one session to the next: /)]);
    store.close();
  });
});
