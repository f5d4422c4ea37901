/** Other images to compare with: those of a folder of DICOM. */
import { throwIfCancelled } from '../../core/attribution/path.ts';
import type { CohortUse } from '../../core/contract/result.ts';
import { PathlightError, toErrorReport } from '../../core/contract/errors.ts';
import type { ModelCard } from '../../core/contract/model-card.ts';
import type { FrameOf, Images } from './images.ts';
import { createLibrary, type LibraryImage } from './library.ts';

/** The most images that are taken. */
export const MOST_OF_COHORT = 64;
/** Bytes that they may fill. */
export const COHORT_BUDGET = 256 * 2 ** 20;

export interface Cohort {
  use: CohortUse;
  /** In the order of `use.images`: each image as the model is given it. */
  references: Float32Array[];
}

/** How far the choice has come. */
interface Looking {
  done: number;
  total: number | null;
  /** Files found since the last time that cannot be read, or are of several frames. */
  unreadable: string[];
}

/** An image that may be compared with, and the SHA-256 of its file. */
export interface Candidate {
  sha256: string;
  image: LibraryImage;
}

interface Selection {
  /** SHA-256 of the image that they are compared with. */
  except: string;
  contract: ModelCard['input'];
  /** The explained image's class, and what tells that of another; null: images of any class are taken. */
  otherThan: { label: string; of: (image: FrameOf) => Promise<string> } | null;
}

export interface CohortQuestion extends Selection {
  folder: string;
}

/**
 * Chooses among the single-frame images of a folder and its subfolders, which is looked at anew each time; files that did not change are
 * not read again. What cannot be read is counted and left out.
 * @yields how many files have been looked at, of how many
 * @throws PathlightError `not-found`; as `chooseCohort`
 */
export async function* gatherCohort(
  images: Images,
  { folder, ...selection }: CohortQuestion,
  signal: AbortSignal | undefined,
): AsyncGenerator<Looking, Cohort, undefined> {
  const library = createLibrary((file) => images.header(file));
  const found: LibraryImage[] = [];
  const refused: string[] = [];
  yield { done: 0, total: null, unreadable: [] };
  for await (const event of library.open([folder])) {
    throwIfCancelled(signal);
    if (event.type === 'image') found.push(library.find(event.image.id));
    if (event.type === 'refused' && !event.foreign) refused.push(event.refused.file);
  }
  yield { done: 0, total: null, unreadable: refused };
  const choosing = chooseCohort(images, await candidatesOf(images, found, signal), selection, signal);
  for (;;) {
    const { done, value } = await choosing.next();
    if (done !== true) yield value;
    else return { ...value, use: { ...value.use, unreadable: value.use.unreadable + refused.length } };
  }
}

/** Each content once, under whatever names it was seen, in the order of their SHA-256: one that does not hang on names or places, and that repeats. */
export async function candidatesOf(
  images: Images,
  found: readonly LibraryImage[],
  signal: AbortSignal | undefined,
): Promise<Candidate[]> {
  const distinct = new Map<string, LibraryImage>();
  for (const image of found) {
    throwIfCancelled(signal);
    distinct.set(await images.sha256(image), image);
  }
  return Array.from(distinct, ([sha256, image]) => ({ sha256, image })).sort((a, b) =>
    a.sha256 < b.sha256 ? -1 : 1,
  );
}

/**
 * Takes the first of the candidates that fit, as many as the memory may hold. What cannot be read or has several frames is counted and
 * left out; so is the image itself.
 * @yields how many candidates have been looked at, of how many
 * @throws PathlightError `bad-request` where no image is left; `cancelled`
 */
export async function* chooseCohort(
  images: Images,
  candidates: readonly Candidate[],
  { except, contract, otherThan }: Selection,
  signal: AbortSignal | undefined,
): AsyncGenerator<Looking, Cohort, undefined> {
  const others = candidates.filter(({ sha256 }) => sha256 !== except);
  const single = others.filter(({ image }) => image.entry.frames === 1);
  let unreadable = others.flatMap(({ image: { entry } }) => (entry.frames === 1 ? [] : [entry.file]));
  const use: CohortUse = {
    images: [],
    unreadable: unreadable.length,
    sameClass: 0,
    beyond: 0,
  };
  const size = contract.channels * contract.height * contract.width * Float32Array.BYTES_PER_ELEMENT;
  const most = Math.max(1, Math.min(MOST_OF_COHORT, Math.floor(COHORT_BUDGET / size)));
  const references: Float32Array[] = [];
  let looked = 0;
  yield { done: looked, total: single.length, unreadable };
  for (const { sha256, image } of single) {
    throwIfCancelled(signal);
    if (references.length === most) break;
    looked++;
    unreadable = [];
    const of = { image, frame: 0 };
    try {
      if (otherThan !== null && (await otherThan.of(of)) === otherThan.label) use.sameClass++;
      else {
        references.push(await images.input(of, contract));
        use.images.push(sha256);
      }
    } catch (error) {
      // A model or an engine that fails is not the image's fault.
      if (['cancelled', 'engine', 'model-refused'].includes(toErrorReport(error).kind)) throw error;
      use.unreadable++;
      unreadable.push(image.entry.file);
    }
    yield { done: looked, total: single.length, unreadable };
  }
  use.beyond = single.length - looked;
  if (references.length === 0) throw nothingLeft(use, otherThan?.label ?? null);
  return { use, references };
}

function nothingLeft({ unreadable, sameClass }: CohortUse, label: string | null): PathlightError {
  const unread = unreadable === 0 ? '' : ` (${unreadable} could not be read)`;
  return label === null
    ? new PathlightError(
        'bad-request',
        `The folder to compare with holds no other image of one frame${unread}`,
        'Choose a folder of DICOM images.',
      )
    : new PathlightError(
        'bad-request',
        `An image of another class is needed, but the model calls all ${sameClass} of the folder '${label}', as it calls this one${unread}`,
        'Choose a folder that holds images of the other class, too.',
      );
}
