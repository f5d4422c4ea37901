/** What the two documents are made of. Everything is computed before; the report only sets it on paper. */
import type { ImageEntry, RefusedFile } from '../../core/contract/library.ts';
import type { ModelCard } from '../../core/contract/model-card.ts';
import type { BaselineId } from '../../core/attribution/baseline-kinds.ts';
import type { Convergence, ExplanationResult, MapSummary } from '../../core/contract/result.ts';
import type { GrayscaleAttributes, Voi } from '../../core/imaging/frame.ts';
import type { Agreement } from '../../core/metrics/agreement.ts';

/** One baseline of the comparison. Arrays are row-major at the model's input size. */
export interface ReportBaseline {
  baseline: BaselineId;
  /** [height * width] attribution, channels summed, signed, in units of the scalar per pixel. */
  map: Float32Array;
  /** [height * width] the baseline as display values, 0 black to 1 white. */
  image: Float32Array;
  convergence: Convergence & Pick<MapSummary, 'sum' | 'expectedSum' | 'spread'>;
}

/** One explained image. `height` and `width` below are those of `card.input`. */
export interface ReportData {
  entry: ImageEntry;
  /** The frame shown, through the grayscale chain: [rows * columns] display values, 0 black to 1 white. */
  display: Float32Array;
  /** How it was shown. */
  grayscale: GrayscaleAttributes;
  /** The VOI applied; null: the full range of the frame. */
  voi: Voi | null;
  result: ExplanationResult;
  card: ModelCard;
  /** [height * width] attribution, channels summed, signed, in units of the scalar per pixel. */
  map: Float32Array;
  /** [height * width] what the model saw, as display values 0 to 1. */
  modelImage: Float32Array;
  /** [height * width] the baseline of `map`, of several the first, as display values 0 to 1; null where the method needs none. */
  baselineImage: Float32Array | null;
  /** The baseline panel and its agreement; empty and null where the comparison was not run. */
  baselines: readonly ReportBaseline[];
  agreement: Agreement | null;
  /** The segmentation model's card and its lung probability, [height * width], 0 to 1; null without a lungs model. */
  lungs: { card: ModelCard; mask: Float32Array } | null;
  createdAt: Date;
  /** Withholds the name, identifiers, dates, UIDs and file name. Text burned into the pixels stays, and the report says so. */
  maskPatient: boolean;
}

/** An opaque picture, 8 bits a channel, row-major. */
export interface RgbImage {
  rows: number;
  columns: number;
  /** [rows * columns * 3] */
  rgb: Uint8Array;
}

/** One run over a folder. */
export interface AuditSummaryData {
  /** The folder as it should be printed. */
  folder: string;
  card: ModelCard;
  lungsCard: ModelCard | null;
  results: readonly ExplanationResult[];
  /** Files refused and images that failed, each with its reason. */
  failures: readonly RefusedFile[];
  /** Names of the files that were passed over: not DICOM, or hidden. */
  passedOver: readonly string[];
  /** Results taken over from an earlier run of the same model and parameters; they are part of `results`. */
  resumed: number;
  /** Results taken over from another file of this run with the same content; part of `results`, too. */
  copied: number;
  /** Wall time of this run. */
  seconds: number;
  /** Draws the overlay of a flagged image, small (about 256 pixels); asked one image at a time. null: not available. */
  thumbnail?: (result: ExplanationResult) => Promise<RgbImage | null>;
  app: { version: string; commit: string };
  createdAt: Date;
}

/** A finished PDF. */
export interface WrittenDocument {
  bytes: Uint8Array;
  pages: number;
  /** What the reader of the app should know, such as characters that no font holds. Holds no patient data. */
  warnings: string[];
}
