/** What the study list shows. Identifiers are opaque; file paths stay on the main side. */
import type { GrayscaleAttributes } from '../imaging/frame.ts';

/** The banner's fields, as in the file; empty string where absent. */
export interface Patient {
  /** Alphabetic, ideographic and phonetic groups, decoded; components still separated by '^'. */
  name: { alphabetic: string; ideographic: string; phonetic: string };
  id: string;
  birthDate: string;
  age: string;
  sex: string;
}

export interface PixelSpacing {
  /** mm between row centres, and between column centres. */
  row: number;
  column: number;
  /** What a length measured with it means. */
  basis: 'calibrated' | 'patient' | 'detector' | 'detector-magnification-corrected';
}

export interface ImageEntry {
  id: string;
  studyInstanceUid: string;
  seriesInstanceUid: string;
  sopInstanceUid: string;
  /** File name relative to the opened folder. */
  file: string;
  patient: Patient;
  studyDate: string;
  studyDescription: string;
  accessionNumber: string;
  modality: string;
  seriesNumber: number | null;
  instanceNumber: number | null;
  rows: number;
  columns: number;
  frames: number;
  bitsStored: number;
  transferSyntax: { uid: string; name: string };
  viewPosition: string;
  laterality: string;
  /** (0020,0020): the directions of the row (to the right) and the column (downwards), or null: never guessed. */
  orientation: { right: string; bottom: string } | null;
  spacing: PixelSpacing | null;
  manufacturer: string;
  warnings: string[];
}

export interface RefusedFile {
  file: string;
  reason: string;
  advice: string;
}

export type LibraryEvent =
  | { type: 'progress'; scanned: number; found: number; total: number | null }
  | { type: 'image'; image: ImageEntry }
  | { type: 'refused'; refused: RefusedFile }
  | { type: 'done'; images: number; refused: number };

/**
 * Header of `GET /images/ID/frames/N`, N counted from 0. The body: the header's length in bytes as little-endian uint32, a
 * multiple of 4; the header as JSON, filled up with spaces; the stored values as little-endian uint16, row-major. Where the
 * frame cannot be had, the answer is 404 or 422 with an `ErrorReport` as JSON; so for `GET /images/ID/thumbnail`, a PNG.
 */
export interface FrameHeader {
  rows: number;
  columns: number;
  bitsStored: number;
  signed: boolean;
  grayscale: GrayscaleAttributes;
}

export interface FolderListing {
  path: string;
  parent: string | null;
  folders: { name: string; path: string }[];
  files: number;
}
