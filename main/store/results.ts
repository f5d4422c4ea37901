/**
 * Maps kept from one session to the next, so that an image seen before shows its map at once. Holds no patient data: an
 * image is known by the SHA-256 of its file alone.
 */
import { mkdirSync, renameSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** What decides a map: the same key gives the same bits. */
export interface ResultKey {
  /** SHA-256 of the DICOM file. */
  image: string;
  frame: number;
  /** SHA-256 of the model file. */
  model: string;
  /** SHA-256 of everything else that decides the map: target, scalar, baseline, tolerances, device. */
  parameters: string;
  /** Version and commit of the application. */
  app: string;
}

/** Both are the caller's own; `map` begins with the map, [height, width] at the model's input size. */
export interface StoredResult {
  json: string;
  map: Float32Array;
}

export interface ResultStore {
  get(key: ResultKey): StoredResult | undefined;
  put(key: ResultKey, result: StoredResult): void;
  close(): void;
}

export interface ResultStoreOptions {
  /** The oldest-used results go when the kept ones take more than this. */
  budgetBytes?: number;
  /** Told, in one sentence, when something was lost or is not kept. */
  warn: (message: string) => void;
}

/** One entry a version of the schema; `user_version` counts those applied. */
const MIGRATIONS = [
  `CREATE TABLE results (
     image TEXT NOT NULL,
     frame INTEGER NOT NULL,
     model TEXT NOT NULL,
     parameters TEXT NOT NULL,
     app TEXT NOT NULL,
     json TEXT NOT NULL,
     map BLOB NOT NULL,
     bytes INTEGER NOT NULL,
     used INTEGER NOT NULL,
     PRIMARY KEY (image, frame, model, parameters, app)
   ) STRICT;
   CREATE INDEX results_used ON results (used);`,
];

const FILE = 'results.db';
const DEFAULT_BUDGET = 256 * 2 ** 20;

/**
 * Opens the store, making it where it is missing. A damaged one is moved aside and a new one begun. Whatever goes wrong
 * later, results are only not kept: a store never stops an explanation.
 */
export function openResultStore(folder: string, options: ResultStoreOptions): ResultStore {
  const { warn, budgetBytes = DEFAULT_BUDGET } = options;
  let database = openOrBegin(folder, warn);

  /** undefined: the store could not answer, and is given up or begun anew. */
  function attempt<T>(work: (open: DatabaseSync) => T): T | undefined {
    if (database === undefined) return undefined;
    try {
      return work(database);
    } catch (error) {
      if (isDamage(error)) {
        database.close();
        moveAside(folder, warn);
        database = openOrBegin(folder, warn);
      } else {
        warn(`A result was not kept: ${messageOf(error)}.`);
      }
      return undefined;
    }
  }

  return {
    get: (key) => attempt((open) => select(open, key)),
    put: (key, result) => {
      attempt((open) => {
        insert(open, key, result);
        evict(open, budgetBytes);
      });
    },
    close: () => {
      database?.close();
      database = undefined;
    },
  };
}

function openOrBegin(folder: string, warn: (message: string) => void): DatabaseSync | undefined {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    try {
      return open(path.join(folder, FILE));
    } catch (error) {
      if (!isDamage(error)) throw error;
      moveAside(folder, warn);
      return open(path.join(folder, FILE));
    }
  } catch (error) {
    warn(`Results are not kept from one session to the next: ${messageOf(error)}.`);
    return undefined;
  }
}

function open(file: string): DatabaseSync {
  // Two hosts may have it open at once: a writer waits for the other rather than failing.
  const database = new DatabaseSync(file, { timeout: 2000 });
  try {
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
    if (schemaVersion(database) !== MIGRATIONS.length) migrate(database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Reads the version again once it holds the lock: another process may have migrated meanwhile. */
function migrate(database: DatabaseSync): void {
  database.exec('BEGIN IMMEDIATE');
  const applied = schemaVersion(database);
  if (applied > MIGRATIONS.length) throw new Error('those on disk are of a newer Pathlight');
  for (const sql of MIGRATIONS.slice(applied)) database.exec(sql);
  database.exec(`PRAGMA user_version = ${MIGRATIONS.length}; COMMIT`);
}

function schemaVersion(database: DatabaseSync): number {
  return Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
}

function moveAside(folder: string, warn: (message: string) => void): void {
  const aside = `results-damaged-${new Date().toISOString().replaceAll(/[:.]/g, '-')}.db`;
  renameSync(path.join(folder, FILE), path.join(folder, aside));
  for (const suffix of ['-wal', '-shm']) {
    try {
      renameSync(path.join(folder, FILE + suffix), path.join(folder, aside + suffix));
    } catch {
      // Not there: the database was closed properly.
    }
  }
  warn(`The kept results were damaged; they were moved aside as ${aside}, and keeping begins anew.`);
}

/** SQLITE_CORRUPT (11) and SQLITE_NOTADB (26), with their extended codes. */
function isDamage(error: unknown): boolean {
  const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0;
  return code === 11 || code === 26;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const WHERE = 'WHERE image = ? AND frame = ? AND model = ? AND parameters = ? AND app = ?';

function select(database: DatabaseSync, key: ResultKey): StoredResult | undefined {
  const values = [key.image, key.frame, key.model, key.parameters, key.app];
  const row = database.prepare(`SELECT json, map FROM results ${WHERE}`).get(...values);
  if (row === undefined) return undefined;
  database.prepare(`UPDATE results SET used = ? ${WHERE}`).run(nextUse(database), ...values);
  return { json: String(row['json']), map: asFloats(row['map']) };
}

function insert(database: DatabaseSync, key: ResultKey, { json, map }: StoredResult): void {
  database
    .prepare('INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)')
    .run(
      key.image,
      key.frame,
      key.model,
      key.parameters,
      key.app,
      json,
      asBytes(map),
      json.length + map.byteLength,
      nextUse(database),
    );
}

/** A counter rather than the clock: it orders uses within the same millisecond, and when the clock is set back. */
function nextUse(database: DatabaseSync): number {
  return Number(database.prepare('SELECT coalesce(max(used), 0) + 1 AS next FROM results').get()?.['next']);
}

/** Removes the longest-unused rows until the rest fits; the newest row always stays. */
function evict(database: DatabaseSync, budgetBytes: number): void {
  database
    .prepare(
      `DELETE FROM results WHERE rowid IN (
         SELECT rowid FROM (
           SELECT rowid, sum(bytes) OVER (ORDER BY used DESC) AS kept, row_number() OVER (ORDER BY used DESC) AS place
           FROM results)
         WHERE kept > ? AND place > 1)`,
    )
    .run(budgetBytes);
}

function asBytes(floats: Float32Array): Uint8Array {
  return new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength);
}

/** A copy, because SQLite's bytes need not be aligned to four. */
function asFloats(value: unknown): Float32Array {
  if (!(value instanceof Uint8Array)) throw new TypeError('not a blob');
  return new Float32Array(value.slice().buffer);
}
