/** SOP classes (PS3.6 table A-1) that hold no picture a model could read, and what they hold instead. */

const storage = '1.2.840.10008.5.1.4.1.1.';

const exact: Readonly<Record<string, string>> = {
  '1.2.840.10008.1.3.10': 'a DICOMDIR, the index of a medium',
  [`${storage}66`]: 'raw data',
  [`${storage}66.1`]: 'a spatial registration',
  [`${storage}66.2`]: 'spatial fiducials',
  [`${storage}66.3`]: 'a deformable registration',
  [`${storage}66.4`]: 'a segmentation',
  [`${storage}66.5`]: 'a surface segmentation',
  [`${storage}66.6`]: 'tractography results',
  [`${storage}66.7`]: 'a label map segmentation',
  [`${storage}67`]: 'a real world value mapping',
  [`${storage}30`]: 'a parametric map',
  [`${storage}104.1`]: 'an encapsulated PDF',
  [`${storage}104.2`]: 'an encapsulated CDA document',
  [`${storage}104.3`]: 'an encapsulated STL model',
  [`${storage}104.4`]: 'an encapsulated OBJ model',
  [`${storage}104.5`]: 'an encapsulated MTL file',
  [`${storage}481.2`]: 'a radiotherapy dose',
  [`${storage}481.3`]: 'a radiotherapy structure set',
  [`${storage}481.4`]: 'a radiotherapy treatment record',
  [`${storage}481.5`]: 'a radiotherapy plan',
  [`${storage}481.8`]: 'a radiotherapy ion plan',
};

/** Families, by the start of their UID. */
const families: readonly (readonly [string, string])[] = [
  [`${storage}9.`, 'a waveform'],
  [`${storage}11.`, 'a presentation state'],
  [`${storage}88.`, 'a structured report'],
  [`${storage}481.`, 'a radiotherapy object'],
];

/** Radiotherapy images, of the family above, are pictures. */
const pictures: ReadonlySet<string> = new Set([`${storage}481.1`]);

/** What a file of this SOP class holds, where that is no picture. */
export function nonImageContent(sopClassUid: string): string | null {
  if (pictures.has(sopClassUid)) return null;
  return exact[sopClassUid] ?? families.find(([start]) => sopClassUid.startsWith(start))?.[1] ?? null;
}
