/** Folders of this machine, for the browser host, which has no folder dialog. */
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { PathlightError } from '../../core/contract/errors.ts';
import type { FolderListing } from '../../core/contract/library.ts';

/** Names that begin with a dot are left out. */
export async function listFolder(folder: string): Promise<FolderListing> {
  const absolute = path.resolve(folder);
  let entries;
  try {
    entries = await readdir(absolute, { withFileTypes: true });
  } catch (cause) {
    throw new PathlightError('not-found', `The folder '${folder}' cannot be read`, 'Choose another one.', {
      cause,
    });
  }
  const shown = entries.filter(({ name }) => !name.startsWith('.'));
  const parent = path.dirname(absolute);
  return {
    path: absolute,
    parent: parent === absolute ? null : parent,
    folders: shown
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => ({ name, path: path.join(absolute, name) }))
      .sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true })),
    files: shown.filter((entry) => entry.isFile()).length,
  };
}
