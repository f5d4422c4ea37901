/** Other images to compare with: those of a folder of DICOM. */
import type { CohortUse } from '../../core/contract/result.ts';
import { PathlightError, toErrorReport } from '../../core/contract/errors.ts';
import type { ModelCard } from '../../core/contract/model-card.ts';
import type { FrameOf, Images } from './images.ts';
import { createLibrary, type LibraryImage } from './library.ts';

/** The most images that are taken, and the memory that they may fill. */
const MOST = 64;
const BUDGET = 256 * 2 ** 20;

export interface Cohort {
  use: CohortUse;
  /** In the order of `use.images`: each image as the model is given it. */
  references: Float32Array[];
}

export interface CohortQuestion {
  folder: string;
  /** SHA-256 of the image that they are compared with. */
  except: string;
  contract: ModelCard['input'];
  /** The explained image's class, and what tells that of another; null: images of any class are taken. */
  otherThan: { label: string; of: (image: FrameOf) => Promise<string> } | null;
}

/**
 * Takes the single-frame images of a folder and its subfolders, in the order of their SHA-256: a choice that does not hang on names or
 * places, and that repeats. What cannot be read is counted and left out; so is the image itself, and what has been seen under another name.
 * @yields how many files have been looked at, of how many
 * @throws PathlightError `not-found`; `bad-request` where no image is left; `cancelled`
 */
export async function* gatherCohort(
  images: Images,
  { folder, except, contract, otherThan }: CohortQuestion,
  signal: AbortSignal | undefined,
): AsyncGenerator<{ done: number; total: number | null }, Cohort, undefined> {
  const cancelled = (): void => {
    if (signal?.aborted === true) throw new PathlightError('cancelled', 'Cancelled');
  };
  const library = createLibrary();
  const found: LibraryImage[] = [];
  const use: CohortUse = { images: [], unreadable: 0, sameClass: 0, beyond: 0 };
  yield { done: 0, total: null };
  for await (const event of library.open([folder])) {
    cancelled();
    if (event.type === 'image') found.push(library.find(event.image.id));
    if (event.type === 'refused' && !event.foreign) use.unreadable++;
  }

  const distinct = new Map<string, LibraryImage>();
  for (const image of found) {
    cancelled();
    const sha256 = await images.sha256(image);
    if (sha256 === except) continue;
    if (image.entry.frames === 1) distinct.set(sha256, image);
    else use.unreadable++;
  }
  const size = contract.channels * contract.height * contract.width * Float32Array.BYTES_PER_ELEMENT;
  const most = Math.max(1, Math.min(MOST, Math.floor(BUDGET / size)));
  const references: Float32Array[] = [];
  let looked = 0;
  for (const [sha256, image] of [...distinct].sort(([a], [b]) => (a < b ? -1 : 1))) {
    cancelled();
    if (references.length === most) break;
    looked++;
    try {
      const input = await images.input({ image, frame: 0 }, contract);
      if (otherThan !== null && (await otherThan.of({ image, frame: 0 })) === otherThan.label)
        use.sameClass++;
      else {
        references.push(input);
        use.images.push(sha256);
      }
    } catch (error) {
      // A model or an engine that fails is not the image's fault.
      if (['cancelled', 'engine', 'model-refused'].includes(toErrorReport(error).kind)) throw error;
      use.unreadable++;
    }
    yield { done: looked, total: distinct.size };
  }
  use.beyond = distinct.size - looked;
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
