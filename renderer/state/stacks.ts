/** What is scrolled through as one: the frames of one image, or the images of one cross-sectional series. */
import type { ImageEntry } from '../../core/contract/library.ts';

export interface Stack {
  id: string;
  /** In the order in which they are scrolled. */
  images: ImageEntry[];
  /** Frames over all images. */
  length: number;
}

export interface Slice {
  image: ImageEntry;
  frame: number;
}

/** Projection radiographs stand for themselves, as in OHIF's display sets: two views are not neighbouring slices. */
const SINGLE_IMAGE_MODALITIES = new Set(['CR', 'DX', 'MG', 'PX', 'IO', 'RG', 'XC', 'OT', 'SC']);

/** Stacks in the order in which their first images came. */
export function toStacks(images: readonly ImageEntry[]): Stack[] {
  const stacks = new Map<string, ImageEntry[]>();
  for (const image of images) {
    const key = isSlice(image) ? `series ${image.seriesInstanceUid}` : image.id;
    const stack = stacks.get(key);
    if (stack) stack.push(image);
    else stacks.set(key, [image]);
  }
  return [...stacks].map(([id, members]) => ({
    id,
    images: members.sort((a, b) => (a.instanceNumber ?? 0) - (b.instanceNumber ?? 0)),
    length: members.reduce((sum, image) => sum + image.frames, 0),
  }));
}

function isSlice(image: ImageEntry): boolean {
  return image.frames === 1 && image.seriesInstanceUid !== '' && !SINGLE_IMAGE_MODALITIES.has(image.modality);
}

/** @param position 0 to stack.length - 1 */
export function sliceAt(stack: Stack, position: number): Slice | null {
  let frame = position;
  for (const image of stack.images) {
    if (frame < image.frames) return { image, frame };
    frame -= image.frames;
  }
  return null;
}

/** Every word of the filter must occur somewhere in the stack's texts. */
export function matches(stack: Stack, filter: string): boolean {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return true;
  const text = stack.images.map(searchText).join('\n').toLowerCase();
  return words.every((word) => text.includes(word));
}

function searchText(image: ImageEntry): string {
  const { patient } = image;
  const { alphabetic, ideographic, phonetic } = patient.name;
  return [
    alphabetic.replaceAll('^', ' '),
    ideographic,
    phonetic,
    patient.id,
    image.studyDate,
    image.studyDescription,
    image.accessionNumber,
    image.modality,
    image.viewPosition,
    image.file,
  ].join('\n');
}
