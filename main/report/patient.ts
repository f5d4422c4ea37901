/** The patient's banner as text: DICOM value representations made readable (PS3.5 6.2), or withheld. */
import type { ImageEntry, Patient } from '../../core/contract/library.ts';
import { hanFamily, type HanFamily } from './fonts.ts';
import { notStated, stated } from './numbers.ts';

export const masked = 'masked';

/** PN: family^given^middle^prefix^suffix as "FAMILY, given middle, prefix, suffix". */
export function personName(group: string): string {
  const [family = '', given = '', middle = '', prefix = '', suffix = ''] = group
    .split('^')
    .map((part) => part.trim());
  const first = [given, middle].filter((part) => part !== '').join(' ');
  return [family, first, prefix, suffix].filter((part) => part !== '').join(', ');
}

/** DA: YYYYMMDD as YYYY-MM-DD; anything else as it stands. */
export function date(value: string): string {
  const match = /^(\d{4})(\d{2})(\d{2})$/.exec(value.trim());
  return match === null ? stated(value) : `${match[1] ?? ''}-${match[2] ?? ''}-${match[3] ?? ''}`;
}

/** AS: 042Y, 003M, 010W, 005D. */
export function age(value: string): string {
  const match = /^(\d{3})([YMWD])$/.exec(value.trim());
  if (match === null) return stated(value);
  const units: Readonly<Record<string, string>> = { Y: 'year', M: 'month', W: 'week', D: 'day' };
  const count = Number(match[1]);
  return `${count} ${units[match[2] ?? ''] ?? ''}${count === 1 ? '' : 's'}`;
}

export function sex(value: string): string {
  const words: Readonly<Record<string, string>> = { M: 'male', F: 'female', O: 'other' };
  return words[value.trim()] ?? stated(value);
}

/** Regional shapes for the Han characters of a name, by all of its groups together. */
export function nameHan(patient: Patient): HanFamily {
  const { alphabetic, ideographic, phonetic } = patient.name;
  return hanFamily(alphabetic + ideographic + phonetic);
}

/** The identifying facts of an image, every one withheld at once. */
export interface Identity {
  /** Name groups that are there, the alphabetic one first. */
  names: string[];
  id: string;
  sex: string;
  age: string;
  birthDate: string;
  studyDate: string;
  accession: string;
  description: string;
  file: string;
  sopInstanceUid: string;
  seriesInstanceUid: string;
  studyInstanceUid: string;
}

export function identity(entry: ImageEntry, maskPatient: boolean): Identity {
  if (maskPatient) {
    return {
      names: ['Patient masked'],
      id: masked,
      sex: masked,
      age: masked,
      birthDate: masked,
      studyDate: masked,
      accession: masked,
      description: masked,
      file: masked,
      sopInstanceUid: masked,
      seriesInstanceUid: masked,
      studyInstanceUid: masked,
    };
  }
  const { patient } = entry;
  const names = [patient.name.alphabetic, patient.name.ideographic, patient.name.phonetic]
    .map(personName)
    .filter((name) => name !== '');
  return {
    names: names.length === 0 ? [`Name ${notStated}`] : names,
    id: stated(patient.id),
    sex: sex(patient.sex),
    age: age(patient.age),
    birthDate: date(patient.birthDate),
    studyDate: date(entry.studyDate),
    accession: stated(entry.accessionNumber),
    description: stated(entry.studyDescription),
    file: stated(entry.file),
    sopInstanceUid: stated(entry.sopInstanceUid),
    seriesInstanceUid: stated(entry.seriesInstanceUid),
    studyInstanceUid: stated(entry.studyInstanceUid),
  };
}
