/** What the study list and the banner show of an image. */
import type { Patient } from '../../core/contract/library.ts';
import { orientationOfCosines, parsePatientOrientation } from '../../core/imaging/orientation.ts';
import { decideSpacing } from '../../core/imaging/spacing.ts';
import type { CharacterSet } from './character-set.ts';
import type { Dataset } from './dataset.ts';
import { frameScopes } from './functional-groups.ts';
import { readGrayscale } from './grayscale-attributes.ts';
import type { ImageFile } from './image.ts';
import type { ImageHeader } from './types.ts';

/** Person Name (PS3.5 6.2.1): up to three component groups. */
function readPatient(dataset: Dataset, characterSet: CharacterSet): Patient {
  const [alphabetic = '', ideographic = '', phonetic = ''] = dataset
    .text('x00100010', 'PN', characterSet)
    .split('=')
    // Empty components at the end say nothing.
    .map((group) => group.replace(/[\^ ]+$/, ''));
  return {
    name: { alphabetic, ideographic, phonetic },
    id: dataset.text('x00100020', 'LO', characterSet),
    birthDate: dataset.string('x00100030'),
    age: dataset.string('x00101010'),
    sex: dataset.string('x00100040'),
  };
}

function readOrientation(scopes: readonly Dataset[], warnings: string[]): ImageHeader['orientation'] {
  const find = (tag: string) => scopes.find((scope) => scope.strings(tag).length > 0);
  const named = find('x00200020')?.strings('x00200020');
  if (named !== undefined) {
    const orientation = parsePatientOrientation(named);
    if (orientation !== null) return orientation;
    warnings.push('Patient Orientation is not valid: the orientation is unknown.');
    return null;
  }
  const cosines = find('x00200037')?.numbers('x00200037');
  if (cosines === undefined) return null;
  const orientation = orientationOfCosines(cosines);
  if (orientation === null)
    warnings.push('Image Orientation (Patient) is not valid: the orientation is unknown.');
  return orientation;
}

function readSpacing(scopes: readonly Dataset[], modality: string): ImageHeader['spacing'] {
  const numbers = (tag: string) => scopes.find((scope) => scope.has(tag))?.numbers(tag) ?? [];
  return decideSpacing({
    modality,
    pixelSpacing: numbers('x00280030'),
    imagerPixelSpacing: numbers('x00181164'),
    nominalScannedPixelSpacing: numbers('x00182010'),
    calibrationType: scopes.map((scope) => scope.string('x00280a02')).find((type) => type !== '') ?? '',
    magnification: numbers('x00181114')[0] ?? null,
  });
}

export function headerOf(image: ImageFile, characterSet: CharacterSet): ImageHeader {
  const { dataset, format, syntax, transferSyntaxUid } = image;
  const warnings = [...image.warnings];
  const scopes = frameScopes(dataset, 0);
  const modality = dataset.string('x00080060');
  // For its warnings: what a frame is shown with is read with the frame.
  readGrayscale(dataset, format, 0, characterSet, warnings);
  const header = {
    studyInstanceUid: dataset.string('x0020000d'),
    seriesInstanceUid: dataset.string('x0020000e'),
    sopInstanceUid: dataset.string('x00080018'),
    patient: readPatient(dataset, characterSet),
    studyDate: dataset.string('x00080020'),
    studyDescription: dataset.text('x00081030', 'LO', characterSet),
    accessionNumber: dataset.text('x00080050', 'SH', characterSet),
    modality,
    seriesNumber: dataset.number('x00200011'),
    instanceNumber: dataset.number('x00200013'),
    rows: format.rows,
    columns: format.columns,
    frames: format.frames,
    bitsStored: format.bitsStored,
    transferSyntax: { uid: transferSyntaxUid, name: syntax.name },
    viewPosition: dataset.string('x00185101'),
    laterality: dataset.string('x00200062') || dataset.string('x00200060'),
    orientation: readOrientation(scopes, warnings),
    spacing: readSpacing(scopes, modality),
    manufacturer: dataset.text('x00080070', 'LO', characterSet),
  };
  if (characterSet.problem !== null) warnings.push(characterSet.problem);
  return { ...header, warnings };
}
