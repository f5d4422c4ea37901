/** A ruler of a round length, labelled with what the length means. */
import type { PixelSpacing } from '../../core/contract/library.ts';

export interface ScaleBar {
  /** CSS pixels. */
  length: number;
  /** For example "50 mm". */
  label: string;
  /** What a millimetre means here. */
  basis: string;
}

const BASIS: Record<PixelSpacing['basis'], string> = {
  calibrated: 'calibrated',
  patient: 'in the patient',
  detector: 'at the detector',
  'detector-magnification-corrected': 'at the detector, corrected for magnification',
};

/** @param longest CSS pixels that the bar may take */
export function scaleBar(spacing: PixelSpacing | null, zoom: number, longest: number): ScaleBar {
  const perUnit = spacing === null ? zoom : zoom / spacing.column;
  const units = roundDown(longest / perUnit);
  return {
    length: units * perUnit,
    label: `${formatLength(units)} ${spacing === null ? 'px' : 'mm'}`,
    basis: spacing === null ? 'no pixel spacing in the file' : BASIS[spacing.basis],
  };
}

/** The largest of 1, 2 or 5 times a power of ten that is not above the value. */
function roundDown(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const digit = value / power;
  return power * (digit >= 5 ? 5 : digit >= 2 ? 2 : 1);
}

function formatLength(units: number): string {
  return units >= 1 ? units.toFixed(0) : String(Number(units.toPrecision(1)));
}
