import { readFileSync } from 'node:fs';
import { readCsv } from '../../main/app/csv.ts';

/** A table's records by its header. */
export function records(file: string): Record<string, string>[] {
  const [header = [], ...rows] = readCsv(readFileSync(file, 'utf8'));
  return rows.map((row) => Object.fromEntries(header.map((name, i) => [name, row[i] ?? ''])));
}
