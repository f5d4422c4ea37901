/** labels.csv: which group each image of a study belongs to. */
import { PathlightError } from '../../core/contract/errors.ts';
import { readCsv } from '../app/csv.ts';
import { grouped } from './grouped.ts';

/** What a table says of the images of a folder. */
export interface Labels {
  /** The image's label; '' where the table gives none. */
  of: (image: string) => string;
  /** What does not fit, one sentence each. */
  notes: string[];
}

/**
 * @param text a table with the columns `file` and `label`; others are passed over
 * @param images names relative to the studied folder; a row's file may be without its ending or its folder, or have others
 * @throws PathlightError `damaged`, or `bad-request` where a column is missing
 */
export function readLabels(text: string, images: readonly string[]): Labels {
  const [header = [], ...records] = readCsv(text);
  const [fileAt, labelAt] = ['file', 'label'].map((name) => columnOf(header, name));
  const [names, stems, bases] = [
    grouped(images, (image) => image),
    grouped(images, stemOf),
    grouped(images, (image) => baseOf(stemOf(image))),
  ];
  const fitting = (file: string): readonly string[] =>
    names.get(file) ??
    // What looks like an ending may be part of a name that stands without its own.
    stems.get(file) ??
    stems.get(stemOf(file)) ??
    // Tables often name files without their folders, or with others.
    bases.get(baseOf(file)) ??
    bases.get(baseOf(stemOf(file))) ??
    [];

  const labels = new Map<string, string>();
  const [unknown, ambiguous, twice, contradictory] = [[], [], [], new Set<string>()] as [
    string[],
    string[],
    string[],
    Set<string>,
  ];
  for (const record of records) {
    const file = (record[fileAt ?? 0] ?? '').trim().replaceAll('\\', '/');
    const label = (record[labelAt ?? 0] ?? '').trim();
    const [image, another] = fitting(file);
    if (image === undefined) unknown.push(file);
    else if (another !== undefined) ambiguous.push(file);
    else if (!labels.has(image)) labels.set(image, label);
    else if (labels.get(image) === label) twice.push(image);
    else contradictory.add(image);
  }
  for (const image of contradictory) labels.delete(image);
  const missing = images.filter((image) => (labels.get(image) ?? '') === '' && !contradictory.has(image));
  return {
    of: (image) => labels.get(image) ?? '',
    notes: [
      ...note(unknown, 'names of the labels belong to no image', 'name of the labels belongs to no image'),
      ...note(ambiguous, 'names of the labels fit several images', 'name of the labels fits several images'),
      ...note(twice, 'images are labelled twice, alike', 'image is labelled twice, alike'),
      ...note(
        [...contradictory],
        'images have two different labels, so neither counts',
        'image has two different labels, so neither counts',
      ),
      ...note(missing, 'images have no label', 'image has no label'),
    ],
  };
}

function columnOf(header: readonly string[], name: string): number {
  const at = header.findIndex((cell) => cell.trim().toLowerCase() === name);
  if (at >= 0) return at;
  throw new PathlightError(
    'bad-request',
    `The labels have no column '${name}'`,
    'Begin the table with a line that names its columns: file,label.',
  );
}

/** The name without its ending, which holds a letter: the last number of a UID is none. */
export function stemOf(file: string): string {
  return file.replace(/\.(?=[^./]*\p{L})[^./]*$/u, '');
}

function baseOf(file: string): string {
  return file.slice(file.lastIndexOf('/') + 1);
}

/** "3 images have no label: a.dcm, b.dcm, c.dcm" */
export function note(files: readonly string[], several: string, one: string): string[] {
  if (files.length === 0) return [];
  const named = files.slice(0, 5).join(', ');
  const more = files.length > 5 ? ', …' : '';
  return [`${files.length} ${files.length === 1 ? one : several}: ${named}${more}`];
}
