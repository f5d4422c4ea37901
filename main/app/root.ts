/** Where Pathlight stands on disk, and which Pathlight it is. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** Folder of package.json: the same from the sources and from the built files, whose depth differs. */
export const applicationRoot = findRoot(import.meta.dirname);

function findRoot(folder: string): string {
  if (existsSync(path.join(folder, 'package.json'))) return folder;
  const parent = path.dirname(folder);
  return parent === folder ? import.meta.dirname : findRoot(parent);
}

export interface ApplicationVersion {
  version: string;
  /** Full commit hash of the checkout, or 'unknown' where there is none. */
  commit: string;
}

export function applicationVersion(root = applicationRoot): ApplicationVersion {
  return { version: packageVersion(root), commit: checkedOutCommit(root) ?? 'unknown' };
}

/**
 * Tells code that may compute otherwise apart: what was kept by one is not taken by the other. A build is known by what it was built of,
 * which changes between two commits, too.
 */
export function codeIdentity(root = applicationRoot): string {
  const built = import.meta.filename.endsWith('.ts')
    ? undefined
    : readText(path.join(root, 'out', '.sources'));
  const { version, commit } = applicationVersion(root);
  return built ?? `${version} ${commit}`;
}

function packageVersion(root: string): string {
  const text = readText(path.join(root, 'package.json'));
  const parsed: unknown = text === undefined ? undefined : JSON.parse(text);
  const named =
    typeof parsed === 'object' && parsed !== null && 'version' in parsed ? parsed.version : undefined;
  return typeof named === 'string' ? named : 'unknown';
}

/** Reads git's own files: spawning git would cost a process at every start, and needs git. */
function checkedOutCommit(root: string): string | undefined {
  const dotGit = path.join(root, '.git');
  // In a linked work tree `.git` is a file that names the real folder, whose refs stand in the common folder.
  const link = readText(dotGit)?.match(/^gitdir: (.+)$/m)?.[1];
  const folder = link === undefined ? dotGit : path.resolve(root, link);
  const commonName = readText(path.join(folder, 'commondir'))?.trim();
  const common = commonName === undefined ? folder : path.resolve(folder, commonName);

  const head = readText(path.join(folder, 'HEAD'))?.trim();
  const reference = head?.match(/^ref: (.+)$/)?.[1];
  if (reference === undefined) return asCommit(head);
  const packed = readText(path.join(common, 'packed-refs'))
    ?.split('\n')
    .find((line) => line.endsWith(` ${reference}`));
  return asCommit(readText(path.join(common, reference))?.trim()) ?? asCommit(packed?.split(' ')[0]);
}

function asCommit(text: string | undefined): string | undefined {
  return text !== undefined && /^[0-9a-f]{40}([0-9a-f]{24})?$/.test(text) ? text : undefined;
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
