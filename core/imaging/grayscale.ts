/**
 * The grayscale chain of PS3.3 C.11 and PS3.4 N.2.1 as one pure function: stored value -> modality LUT -> VOI ->
 * presentation LUT shape -> display value. Screen, report and model input all come from here, and from nowhere else.
 */
import type { GrayscaleAttributes, LookupTable, ModalityLut, StoredFrame, Voi } from './frame.ts';

export interface Range {
  min: number;
  max: number;
}

type StoredFormat = Pick<StoredFrame, 'bitsStored' | 'signed'>;

/** The stored value that a code of `bitsStored` bits stands for: two's complement where the frame is signed. */
export function storedValue(code: number, { bitsStored, signed }: StoredFormat): number {
  const states = 2 ** bitsStored;
  return signed && code >= states / 2 ? code - states : code;
}

/** Smallest and largest stored value of the frame, bits above `bitsStored` ignored. */
export function storedRange(frame: StoredFrame): Range {
  let min = Infinity;
  let max = -Infinity;
  const mask = 2 ** frame.bitsStored - 1;
  // The sign bit flipped turns two's complement into an order that unsigned comparison follows.
  const flip = frame.signed ? 2 ** (frame.bitsStored - 1) : 0;
  for (let i = 0; i < frame.values.length; i++) {
    const ordered = ((frame.values[i] ?? 0) & mask) ^ flip;
    if (ordered < min) min = ordered;
    if (ordered > max) max = ordered;
  }
  return { min: min - flip, max: max - flip };
}

/** PS3.3 C.11.1.1: input values outside the table take its first or last entry. */
function lookUp({ firstValue, values }: LookupTable, input: number): number {
  const index = Math.min(Math.max(Math.round(input) - firstValue, 0), values.length - 1);
  return values[index] ?? 0;
}

/** PS3.3 C.11.1: one stored value in modality units. */
export function modalityValue(lut: ModalityLut, stored: number): number {
  return lut.kind === 'linear' ? stored * lut.slope + lut.intercept : lookUp(lut.table, stored);
}

function clampUnit(value: number): number {
  return Math.min(Math.max(value, 0), 1);
}

/** PS3.3 C.11.2: one value in modality units, through the VOI, in [0, 1]. */
export function voiValue(voi: Voi, x: number): number {
  if (voi.kind === 'table') {
    return clampUnit(lookUp(voi.table, x) / (2 ** voi.table.bits - 1));
  }
  const { center, width } = voi;
  switch (voi.function) {
    case 'linear':
      // C.11.2.1.2.1. A width of 1 is a threshold at center - 0.5.
      if (x <= center - 0.5 - (width - 1) / 2) return 0;
      if (x > center - 0.5 + (width - 1) / 2) return 1;
      return clampUnit((x - (center - 0.5)) / (width - 1) + 0.5);
    case 'linear-exact':
      // C.11.2.1.3.2
      if (x <= center - width / 2) return 0;
      if (x > center + width / 2) return 1;
      return clampUnit((x - center) / width + 0.5);
    case 'sigmoid':
      // C.11.2.1.3.1
      return 1 / (1 + Math.exp((-4 * (x - center)) / width));
  }
}

/**
 * Whether the display value is inverted, which is the chain's last step.
 *
 * MONOCHROME1 means that the minimum is shown white "after any VOI gray scale transformations" (PS3.3 C.7.6.3.1.2), and
 * Presentation LUT Shape INVERSE that the output "after inversion" is the P-value. The DX module prescribes INVERSE for
 * MONOCHROME1 and IDENTITY for MONOCHROME2 (C.8.11.3): the pair names one and the same inversion twice, so the two do
 * not cancel out. MONOCHROME1 with IDENTITY contradicts the standard; its photometric interpretation, which every
 * viewer follows, decides.
 */
export function isInverted(
  attributes: Pick<GrayscaleAttributes, 'photometricInterpretation' | 'presentationLutShape'>,
): boolean {
  return (
    attributes.photometricInterpretation === 'MONOCHROME1' || attributes.presentationLutShape === 'INVERSE'
  );
}

/**
 * The grayscale chain for every possible code of the frame.
 * @param voi null: the full range of the values in the frame
 * @returns [2^bitsStored] display values in [0, 1], 0 is black; indexed by the code's low `bitsStored` bits, also where
 *   the frame is signed
 */
export function displayLut(
  frame: StoredFrame,
  attributes: GrayscaleAttributes,
  voi: Voi | null,
): Float32Array {
  const applied = voi ?? fullRangeWindow(frame, attributes.modalityLut);
  const inverted = isInverted(attributes);
  return Float32Array.from({ length: 2 ** frame.bitsStored }, (_, code) => {
    const value = voiValue(applied, modalityValue(attributes.modalityLut, storedValue(code, frame)));
    return inverted ? 1 - value : value;
  });
}

/** Display values of the frame, [rows, columns], by a table from `displayLut`. Bits above `bitsStored` are ignored. */
export function applyLut(frame: StoredFrame, lut: Float32Array): Float32Array {
  const mask = lut.length - 1;
  const display = new Float32Array(frame.values.length);
  for (let i = 0; i < display.length; i++) {
    display[i] = lut[(frame.values[i] ?? 0) & mask] ?? 0;
  }
  return display;
}

/** Display values of the frame as its file says: its first VOI, or the full range where it has none. */
export function displayValues(frame: StoredFrame, attributes: GrayscaleAttributes): Float32Array {
  return applyLut(frame, displayLut(frame, attributes, attributes.vois[0] ?? null));
}

/** The window that shows [min, max], in modality units, from black to white. */
export function windowOfRange({ min, max }: Range, explanation: string): Voi {
  return {
    kind: 'window',
    function: 'linear-exact',
    center: (min + max) / 2,
    // A frame of one value only is shown mid-grey.
    width: max > min ? max - min : 1,
    explanation,
  };
}

/**
 * Modality values below which the shares `low` and `high` of the frame's pixels lie.
 * @param low @param high shares in [0, 1]; 0 and 1 are the minimum and the maximum
 */
export function modalityRange(frame: StoredFrame, lut: ModalityLut, low = 0, high = 1): Range {
  const counts = new Uint32Array(2 ** frame.bitsStored);
  const mask = counts.length - 1;
  for (let i = 0; i < frame.values.length; i++) {
    const code = (frame.values[i] ?? 0) & mask;
    counts[code] = (counts[code] ?? 0) + 1;
  }
  const present: { value: number; count: number }[] = [];
  counts.forEach((count, code) => {
    if (count > 0) present.push({ value: modalityValue(lut, storedValue(code, frame)), count });
  });
  // A table need not be monotone, and a slope may be negative.
  present.sort((a, b) => a.value - b.value);
  const at = (share: number) => {
    const target = Math.max(1, Math.ceil(share * frame.values.length));
    let seen = 0;
    for (const { value, count } of present) {
      seen += count;
      if (seen >= target) return value;
    }
    return present.at(-1)?.value ?? 0;
  };
  return { min: at(low), max: at(high) };
}

/** The window from the smallest to the largest value in the frame. */
export function fullRangeWindow(frame: StoredFrame, lut: ModalityLut): Voi {
  return windowOfRange(modalityRange(frame, lut), 'Full range');
}

/** The window from the 1st to the 99th percentile of the frame. */
export function percentileWindow(frame: StoredFrame, lut: ModalityLut): Voi {
  return windowOfRange(modalityRange(frame, lut, 0.01, 0.99), '1–99 percentile');
}
