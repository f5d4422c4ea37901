/** What main/dicom gives to the rest of main. */
import type { ImageEntry } from '../../core/contract/library.ts';
import type { GrayscaleAttributes, StoredFrame } from '../../core/imaging/frame.ts';

/** Header-only read: everything of the entry but the identifier and the path, which the library gives. */
export type ImageHeader = Omit<ImageEntry, 'id' | 'file'>;

export interface DecodedFrame {
  frame: StoredFrame;
  grayscale: GrayscaleAttributes;
}
