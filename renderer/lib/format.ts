/** Text as a reader expects it: DICOM dates and names, numbers with a fixed number of figures. */
import type { Patient } from '../../core/contract/library.ts';

const MINUS = '\u2212';

/** PS3.5 6.2 DA "20260914" -> "2026-09-14"; anything else as it is. */
export function formatDate(date: string): string {
  const match = /^(\d{4})\.?(\d{2})\.?(\d{2})$/.exec(date.trim());
  return match === null ? date : `${match[1] ?? ''}-${match[2] ?? ''}-${match[3] ?? ''}`;
}

/** PS3.5 6.2 AS "004Y" -> "4 y". */
export function formatAge(age: string): string {
  const match = /^(\d{3})([DWMY])$/.exec(age.trim());
  return match === null ? age : `${Number(match[1])} ${(match[2] ?? '').toLowerCase()}`;
}

/** PS3.5 6.2.1 PN "Family^Given^Middle^Prefix^Suffix" -> "Prefix Given Middle Family, Suffix", family in front for ideographs. */
export function formatName(group: string): string {
  const [family = '', given = '', middle = '', prefix = '', suffix = ''] = group
    .split('^')
    .map((part) => part.trim());
  const first = [prefix, given, middle].filter(Boolean).join(' ');
  const name = [family, first].filter(Boolean).join(', ');
  return suffix ? `${name} ${suffix}` : name;
}

/** All groups present: "Yamada, Tarou (山田, 太郎 · やまだ, たろう)". */
export function formatPatientName(name: Patient['name']): string {
  const [first = '', ...others] = [name.alphabetic, name.ideographic, name.phonetic]
    .map(formatName)
    .filter(Boolean);
  return others.length > 0 ? `${first} (${others.join(' · ')})` : first;
}

/** A true minus sign, so that columns of signed numbers stand under each other. */
export function formatFixed(value: number, digits: number): string {
  return value.toFixed(digits).replace('-', MINUS);
}

/** With its sign in front, always. */
export function formatSigned(value: number, digits: number): string {
  const text = formatFixed(value, digits);
  return text.startsWith(MINUS) ? text : `+${text}`;
}

/** 0.0123 -> "1.2 %"; below 0.1 % with a figure more. */
export function formatPercent(share: number, digits = 1): string {
  const percent = share * 100;
  const shown = percent !== 0 && Math.abs(percent) < 10 ** -digits ? digits + 1 : digits;
  return `${formatFixed(percent, shown)}\u00a0%`;
}

/** Two significant figures in plain notation where that is short, else with an exponent. */
export function formatSmall(value: number): string {
  if (value === 0) return '0';
  const magnitude = Math.abs(value);
  const text =
    magnitude >= 1e-3 && magnitude < 1e4
      ? String(Number(value.toPrecision(2)))
      : value.toExponential(1).replace('e', '\u00b710^').replace('+', '');
  return superscript(text).replace(/^-/, MINUS);
}

/** By how much a sum misses; what is no more than rounding is told as that. */
export function formatGap(gap: number): string {
  return Math.abs(gap) < 1e-6 ? '<\u00a010⁻⁶' : formatSmall(gap);
}

const SUPERSCRIPTS: Record<string, string> = {
  '-': '⁻',
  '0': '⁰',
  '1': '¹',
  '2': '²',
  '3': '³',
  '4': '⁴',
  '5': '⁵',
  '6': '⁶',
  '7': '⁷',
  '8': '⁸',
  '9': '⁹',
};

function superscript(text: string): string {
  return text.replace(/\^(-?\d+)/, (_, digits: string) =>
    Array.from(digits, (digit) => SUPERSCRIPTS[digit] ?? digit).join(''),
  );
}

export function formatSeconds(seconds: number): string {
  if (seconds < 10) return `${formatFixed(seconds, 1)} s`;
  if (seconds < 60) return `${formatFixed(seconds, 0)} s`;
  return `${Math.floor(seconds / 60)} min ${formatFixed(Math.floor(seconds % 60), 0).padStart(2, '0')} s`;
}

/** Group separator: a thin space, as in SI. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

/** Closed by a full stop, where nothing closes it yet. */
export function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
