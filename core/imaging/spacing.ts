/** What a pixel measures, and what that measure means (PS3.3 10.7.1). A length is never called mm silently. */
import type { PixelSpacing } from '../contract/library.ts';

/** Row and column spacing in mm, in that order, as in the file. */
type Pair = readonly number[];

export interface SpacingAttributes {
  modality: string;
  /** (0028,0030) */
  pixelSpacing: Pair;
  /** (0018,1164): at the detector's front plane. */
  imagerPixelSpacing: Pair;
  /** (0018,2010): of a film digitiser. */
  nominalScannedPixelSpacing: Pair;
  /** (0028,0A02) */
  calibrationType: string;
  /** (0018,1114) Estimated Radiographic Magnification Factor. */
  magnification: number | null;
}

/** Modalities that cut: a pixel has one size. Everything else may be a projection, which measures at the detector. */
const crossSections: ReadonlySet<string> = new Set(['CT', 'MR', 'NM', 'OPT', 'PT', 'US']);

function valid(pair: Pair): { row: number; column: number } | null {
  const [row, column, ...rest] = pair;
  const usable = (value: number | undefined): value is number =>
    value !== undefined && Number.isFinite(value) && value > 0;
  return usable(row) && usable(column) && rest.length === 0 ? { row, column } : null;
}

/**
 * - Cross-sections: Pixel Spacing is in the patient.
 * - Projections: Pixel Spacing is calibrated where Pixel Spacing Calibration Type says so (GEOMETRY, FIDUCIAL) or where it
 *   differs from Imager Pixel Spacing (PS3.3 10.7.1.3). Otherwise it, or Imager Pixel Spacing, holds at the detector; divided
 *   by the estimated magnification where the file gives one.
 * - Digitised film: Nominal Scanned Pixel Spacing, at the detector.
 * @returns null where lengths can only be given in pixels
 */
export function decideSpacing(attributes: SpacingAttributes): PixelSpacing | null {
  const pixel = valid(attributes.pixelSpacing);
  if (crossSections.has(attributes.modality)) {
    return pixel === null ? null : { ...pixel, basis: 'patient' };
  }
  const imager = valid(attributes.imagerPixelSpacing);
  if (pixel !== null) {
    const calibrated = ['GEOMETRY', 'FIDUCIAL'].includes(attributes.calibrationType);
    const corrected = imager !== null && (imager.row !== pixel.row || imager.column !== pixel.column);
    if (calibrated || corrected) return { ...pixel, basis: 'calibrated' };
  }
  const detector = imager ?? pixel ?? valid(attributes.nominalScannedPixelSpacing);
  if (detector === null) return null;
  const { magnification } = attributes;
  // A projection magnifies; a factor below 1 is an error in the file.
  if (imager !== null && magnification !== null && magnification >= 1 && Number.isFinite(magnification)) {
    return {
      row: imager.row / magnification,
      column: imager.column / magnification,
      basis: 'detector-magnification-corrected',
    };
  }
  return { ...detector, basis: 'detector' };
}
