/** The outside reader of our PDFs: poppler-utils. What needs it is skipped, loudly, where it is not installed. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { inflateSync } from 'node:zlib';
import { decode, type DecodedPng } from 'fast-png';

export function hasPoppler(): boolean {
  const found = ['pdftotext', 'pdffonts', 'pdftoppm', 'pdfinfo'].every(
    (tool) => spawnSync(tool, ['-v']).error === undefined,
  );
  if (!found)
    console.warn('SKIPPED: the PDF checks need poppler-utils (pdftotext, pdffonts, pdftoppm, pdfinfo)');
  return found;
}

function onFile<T>(bytes: Uint8Array, use: (file: string, folder: string) => T): T {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'pathlight-pdf-'));
  try {
    const file = path.join(folder, 'document.pdf');
    writeFileSync(file, bytes);
    return use(file, folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function run(bytes: Uint8Array, tool: string, options: readonly string[], ...after: string[]): string {
  return onFile(bytes, (file) =>
    execFileSync(tool, [...options, file, ...after], { encoding: 'utf8', maxBuffer: 2 ** 26 }),
  );
}

/** The text as a reader copies it, with lines and runs of spaces joined by one space. */
export function textOf(bytes: Uint8Array, ...options: string[]): string {
  return run(bytes, 'pdftotext', options, '-').replaceAll(/\s+/g, ' ');
}

export interface EmbeddedFont {
  name: string;
  embedded: boolean;
  subset: boolean;
  unicode: boolean;
}

export function fontsOf(bytes: Uint8Array): EmbeddedFont[] {
  return run(bytes, 'pdffonts', [])
    .split('\n')
    .slice(2)
    .filter((line) => line !== '')
    .map((line) => {
      const [embedded, subset, unicode] =
        /(yes|no) +(yes|no) +(yes|no) +\d+ +\d+ *$/.exec(line)?.slice(1) ?? [];
      return {
        name: line.split(' ')[0] ?? '',
        embedded: embedded === 'yes',
        subset: subset === 'yes',
        unicode: unicode === 'yes',
      };
    });
}

export function infoOf(bytes: Uint8Array): Record<string, string> {
  return Object.fromEntries(
    run(bytes, 'pdfinfo', [])
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
  );
}

export interface Word {
  text: string;
  /** Points from the page's top left. */
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export function wordsOf(bytes: Uint8Array, page: number): Word[] {
  const html = run(bytes, 'pdftotext', ['-bbox', '-f', String(page), '-l', String(page)], '-');
  const word = /<word xMin="([\d.-]+)" yMin="([\d.-]+)" xMax="([\d.-]+)" yMax="([\d.-]+)">([^<]*)<\/word>/g;
  return [...html.matchAll(word)].map(([, left, top, right, bottom, text]) => ({
    text: text ?? '',
    left: Number(left),
    top: Number(top),
    right: Number(right),
    bottom: Number(bottom),
  }));
}

/** One page as a picture. */
export function renderPage(bytes: Uint8Array, page: number, dotsPerInch: number): DecodedPng {
  return onFile(bytes, (file, folder) => {
    const at = String(page);
    execFileSync('pdftoppm', [
      '-r',
      String(dotsPerInch),
      '-f',
      at,
      '-l',
      at,
      '-singlefile',
      '-png',
      file,
      path.join(folder, 'page'),
    ]);
    return decode(readFileSync(path.join(folder, 'page.png')));
  });
}

/** Everything that is in the file: its own bytes and every deflated stream, as Latin-1. */
export function contentsOf(bytes: Uint8Array): string {
  const raw = Buffer.from(bytes).toString('latin1');
  const inflated = [...raw.matchAll(/stream\r?\n/g)].map(({ index, 0: keyword }) => {
    const start = index + keyword.length;
    try {
      return inflateSync(bytes.subarray(start, raw.indexOf('endstream', start))).toString('latin1');
    } catch {
      return '';
    }
  });
  return [raw, ...inflated].join('\n');
}
