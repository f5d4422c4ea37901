/** Where in a drop's folder a file goes: the name that the page gave, made harmless for every file system. */
import { PathlightError } from '../../core/contract/errors.ts';

/** Bounds in UTF-8 bytes: a name fits every file system, and a path fits macOS's 1024 together with the folder it lies in. */
const LONGEST_NAME = 120;
const LONGEST_PATH = 700;
const LONGEST_EXTENSION = 16;

/** What Windows forbids in a name, and control characters. */
// eslint-disable-next-line no-control-regex
const FORBIDDEN = /[<>:"|?*\u0000-\u001f\u007f]/g;
/** Names of devices in Windows, with any extension. */
const DEVICE = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

/**
 * @param relative as the page knows the file: folders and file name, parted by '/' or '\'
 * @returns folders and file name, the outermost first; where the path is too long, the outermost folders are left out
 * @throws PathlightError `bad-request` where the path is absolute, steps out of a folder or holds a NUL
 */
export function safeSegments(relative: string): [string, ...string[]] {
  const given = relative.split(/[\\/]/);
  const hostile = given.some((segment) => ['', '.', '..'].includes(segment));
  if (hostile || relative.includes('\0') || /^[a-z]:[\\/]/i.test(relative)) {
    throw new PathlightError(
      'bad-request',
      'A dropped file has no usable name',
      'Rename it, then drop it again.',
    );
  }
  const segments = given.map(safeName);
  while (segments.length > 1 && Buffer.byteLength(segments.join('/')) > LONGEST_PATH) segments.shift();
  const [first = '_', ...rest] = segments;
  return [first, ...rest];
}

/** 'scan.dcm' becomes 'scan (2).dcm'. */
export function numbered(name: string, number: number): string {
  const { stem, extension } = parts(name);
  return `${stem} (${number})${extension}`;
}

function safeName(name: string): string {
  // Windows leaves out dots and spaces at the end: '.. ' would be '..' there.
  const allowed = name.replace(FORBIDDEN, '_').replace(/[. ]+$/, '') || '_';
  const { stem, extension } = parts(DEVICE.test(allowed) ? `_${allowed}` : allowed);
  return withinBytes(stem, LONGEST_NAME - Buffer.byteLength(extension)) + extension;
}

function parts(name: string): { stem: string; extension: string } {
  const dot = name.lastIndexOf('.');
  const extension = dot > 0 ? name.slice(dot) : '';
  if (Buffer.byteLength(extension) > LONGEST_EXTENSION) return { stem: name, extension: '' };
  return { stem: name.slice(0, name.length - extension.length), extension };
}

/** As many whole characters as fit. */
function withinBytes(text: string, bytes: number): string {
  let kept = '';
  let length = 0;
  for (const character of text) {
    length += Buffer.byteLength(character);
    if (length > bytes) break;
    kept += character;
  }
  return kept;
}
