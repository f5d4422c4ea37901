/** The reference folder beside the repository: real files and oracles that are not shipped. */
import { existsSync } from 'node:fs';
import path from 'node:path';

const shared = path.resolve(import.meta.dirname, '../../../shared');

/** A folder of the reference data; null, loudly, where there is none: what needs it is skipped. */
export function sharedFolder(name: string): string | null {
  const folder = path.join(shared, name);
  if (existsSync(folder)) return folder;
  console.warn(`SKIPPED: ${name} of the reference data is not here (${folder})`);
  return null;
}
