/** What the data set says of a frame's way to the screen: Modality LUT, VOI LUT, Presentation LUT Shape. */
import type { GrayscaleAttributes, LookupTable, ModalityLut, Voi } from '../../core/imaging/frame.ts';
import { modalityValue } from '../../core/imaging/grayscale.ts';
import type { CharacterSet } from './character-set.ts';
import type { Dataset } from './dataset.ts';
import { frameScopes } from './functional-groups.ts';
import type { PixelFormat } from './pixel-format.ts';

/**
 * One item of a Modality or VOI LUT Sequence.
 * @param signedInput whether the values looked up may be negative, which is how the descriptor's second value is then read
 *   (PS3.3 C.11.1.1.1, C.11.2.1.1); its VR may say so by itself
 */
function readTable(item: Dataset, signedInput: boolean, characterSet: CharacterSet): LookupTable | null {
  const [length, first, bits] = item.uint16s('x00283002');
  const data = item.bytes('x00283006');
  if (length === undefined || first === undefined || bits === undefined || data.length === 0) return null;
  const count = length === 0 ? 65536 : length;
  const signed = signedInput || item.vr('x00283002') === 'SS';
  const words = item.uint16s('x00283006');
  // Old files pack two entries of 8 bits into a word.
  const values =
    words.length >= count
      ? Uint16Array.from(words.slice(0, count))
      : data.length >= count
        ? Uint16Array.from(data.subarray(0, count))
        : null;
  if (values === null || bits < 1 || bits > 16) return null;
  return {
    firstValue: signed && first >= 0x8000 ? first - 0x10000 : first,
    bits,
    values,
    explanation: item.text('x00283003', 'LO', characterSet),
  };
}

function readModalityLut(
  scopes: readonly Dataset[],
  format: PixelFormat,
  modality: string,
  characterSet: CharacterSet,
  warnings: string[],
): ModalityLut {
  const scope = scopes.find((candidate) => candidate.has('x00281053') || candidate.has('x00283000'));
  const item = scope?.items('x00283000')[0];
  if (item !== undefined) {
    const table = readTable(item, format.signed, characterSet);
    if (table !== null) return { kind: 'table', table };
    warnings.push('The Modality LUT is damaged and not applied.');
  }
  const slope = scope?.number('x00281053') ?? 1;
  const intercept = scope?.number('x00281052') ?? 0;
  const units = scope?.string('x00281054') ?? '';
  if (slope === 0) {
    warnings.push('Rescale Slope is 0 and not applied.');
    return { kind: 'linear', slope: 1, intercept: 0, units };
  }
  // PS3.3 C.11.1.1.2: CT images without a type are in Hounsfield units.
  return {
    kind: 'linear',
    slope,
    intercept,
    units: units === '' && modality === 'CT' && scope !== undefined ? 'HU' : units,
  };
}

const windowFunctions: Readonly<Record<string, 'linear' | 'linear-exact' | 'sigmoid'>> = {
  '': 'linear',
  LINEAR: 'linear',
  LINEAR_EXACT: 'linear-exact',
  SIGMOID: 'sigmoid',
};

function readVois(
  scope: Dataset,
  signedInput: boolean,
  characterSet: CharacterSet,
  warnings: string[],
): Voi[] {
  const named = scope.string('x00281056');
  const windowFunction = windowFunctions[named];
  if (windowFunction === undefined) warnings.push('The VOI LUT Function is not known; LINEAR is assumed.');
  const shape = windowFunction ?? 'linear';
  const widths = scope.numbers('x00281051');
  const explanations = characterSet.decode(scope.bytes('x00281055'), 'LO').split('\\');

  const windows = scope.numbers('x00281050').map((center, i): Voi | null => {
    const width = widths[i];
    // C.11.2.1.2.1: a linear window is at least 1 wide, the others more than 0.
    if (!Number.isFinite(center) || width === undefined || !(shape === 'linear' ? width >= 1 : width > 0))
      return null;
    if (!Number.isFinite(width)) return null;
    return {
      kind: 'window',
      function: shape,
      center,
      width,
      explanation: (explanations[i] ?? '').replace(/\0/g, '').trim(),
    };
  });
  const tables = scope.items('x00283010').map((item): Voi | null => {
    const table = readTable(item, signedInput, characterSet);
    return table === null ? null : { kind: 'table', table };
  });
  const vois = [...windows, ...tables];
  if (vois.includes(null)) warnings.push('A window or VOI LUT of the file is not valid and left out.');
  return vois.filter((voi) => voi !== null);
}

/** @param index of the frame, from 0: enhanced images say it for each frame (PS3.3 C.7.6.16.2) */
export function readGrayscale(
  dataset: Dataset,
  format: PixelFormat,
  index: number,
  characterSet: CharacterSet,
  warnings: string[],
): GrayscaleAttributes {
  const scopes = frameScopes(dataset, index);
  const modalityLut = readModalityLut(scopes, format, dataset.string('x00080060'), characterSet, warnings);
  const smallest = format.signed ? -(2 ** (format.bitsStored - 1)) : 0;
  const largest = smallest + 2 ** format.bitsStored - 1;
  const signedInput =
    modalityLut.kind === 'linear' &&
    [smallest, largest].some((stored) => modalityValue(modalityLut, stored) < 0);
  const voiScope = scopes.find((scope) => scope.has('x00281050') || scope.has('x00283010'));

  const shape = dataset.string('x20500020');
  const presentationLutShape = shape === 'IDENTITY' || shape === 'INVERSE' ? shape : null;
  if (shape !== '' && presentationLutShape === null)
    warnings.push('The Presentation LUT Shape is not known.');
  const expected = format.photometricInterpretation === 'MONOCHROME1' ? 'INVERSE' : 'IDENTITY';
  if (presentationLutShape !== null && presentationLutShape !== expected) {
    warnings.push(
      `${format.photometricInterpretation} and Presentation LUT Shape ${shape} contradict each other; the image is shown inverted.`,
    );
  }
  return {
    modalityLut,
    vois: voiScope === undefined ? [] : readVois(voiScope, signedInput, characterSet, warnings),
    photometricInterpretation: format.photometricInterpretation,
    presentationLutShape,
  };
}
