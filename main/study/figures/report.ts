/** What the figures and the summary of a study are made of. Everything is measured before; here it is only shown. */
import type { ModelCard } from '../../../core/contract/model-card.ts';
import type { RefusedFile } from '../../../core/contract/library.ts';
import type { AgreementRow, StatisticsRow, StepsRow, StudyImage, StudyRow } from '../row.ts';

/** What a model saw of an image, at its input's size. */
export interface StudyPicture {
  height: number;
  width: number;
  /** [height, width] display values, 0 black to 1 white. */
  display: Float32Array;
  /** [height, width] 1 inside; null: no mask. */
  mask: Uint8Array | null;
}

/** A method or a baseline as it was run: its name, and all its parameters, seeds included, as they should be printed. */
export interface StudySetting {
  name: string;
  parameters: string;
}

export interface StudyReport {
  /** The studied folder as it should be printed. */
  folder: string;
  models: readonly ModelCard[];
  /** The model that drew the masks; null: none was asked. */
  lungsCard: ModelCard | null;
  /** What images were compared with; null: nothing was. */
  cohort: {
    /** SHA-256 of each file, sorted. */
    images: readonly string[];
    /** Of `images`, a line each without an end of the last: hexadecimal. */
    sha256: string;
    /** Files left out: they cannot be read, or have several frames. */
    unreadable: number;
  } | null;
  methods: readonly StudySetting[];
  baselines: readonly StudySetting[];
  /** What pixels become where a metric takes them away. */
  blank: string;
  /** Of what is drawn beside what the parameters say: images, random maps, resamples. */
  seed: number;
  /** What was found amiss with labels and masks. */
  notes: readonly string[];
  /** What ran it: provider, name and threads. */
  device: string;
  statistics: readonly StatisticsRow[];
  agreement: readonly AgreementRow[];
  steps: readonly StepsRow[];
  /** The rows of results.csv; read twice, from the beginning. */
  rows: () => Iterable<StudyRow> | AsyncIterable<StudyRow>;
  /** Asked for one image at a time; null: it can no longer be read. */
  picture: (image: StudyImage, model: string) => Promise<StudyPicture | null>;
  /** [height, width] a map of maps/ by its name; null: it can no longer be read. */
  map: (name: string) => Promise<Float32Array | null>;
  /** Files refused and images that failed, each with its reason. */
  failures: readonly RefusedFile[];
  /** Names of the files that were passed over. */
  passedOver: readonly string[];
  /** Wall time of this run. */
  seconds: number;
  app: { version: string; commit: string };
  createdAt: Date;
}
