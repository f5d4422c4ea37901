/** One frame of stored values and what turns them into display values: the input of the grayscale chain. */

/** Pixels as stored. `values[i]` holds the stored value's low 16 bits; `signed` says how to read them. Row-major. */
export interface StoredFrame {
  rows: number;
  columns: number;
  values: Uint16Array;
  /** 1 to 16. */
  bitsStored: number;
  signed: boolean;
}

/** PS3.3 C.7.6.3.1.5 and C.11.1.1.2: a look-up table, its first input value, and its output's bit depth (8 to 16). */
export interface LookupTable {
  firstValue: number;
  bits: number;
  values: Uint16Array | readonly number[];
  explanation: string;
}

/** PS3.3 C.11.1: stored value -> modality units. */
export type ModalityLut =
  { kind: 'linear'; slope: number; intercept: number; units: string } | { kind: 'table'; table: LookupTable };

/** PS3.3 C.11.2: modality units -> values of interest. */
export type Voi =
  | {
      kind: 'window';
      function: 'linear' | 'linear-exact' | 'sigmoid';
      center: number;
      width: number;
      explanation: string;
    }
  | { kind: 'table'; table: LookupTable };

/** All that PS3.3 says of one grayscale frame's way to the screen. */
export interface GrayscaleAttributes {
  modalityLut: ModalityLut;
  /** In the file's order; the first one is the default. Empty: the full range of the frame is shown. */
  vois: Voi[];
  photometricInterpretation: 'MONOCHROME1' | 'MONOCHROME2';
  presentationLutShape: 'IDENTITY' | 'INVERSE' | null;
}
