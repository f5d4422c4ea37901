/** Numbers as the documents print them: a true minus, no more digits than are meant. */

export const notStated = 'not stated';

/** Rounded to `digits` significant digits, with an exponent only where that is shorter. */
export function significant(value: number | null, digits = 4): string {
  if (value === null) return notStated;
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  const printed =
    size !== 0 && (size < 1e-3 || size >= 1e6)
      ? value.toExponential(digits - 1).replace(/e\+?(-?\d+)$/, ' × 10^$1')
      : value.toPrecision(digits);
  return withMinus(withSuperscript(printed));
}

/** With a sign in front, also when positive. */
export function signed(value: number | null, digits = 4): string {
  return value !== null && value > 0 ? `+${significant(value, digits)}` : significant(value, digits);
}

export function fixed(value: number | null, decimals: number): string {
  if (value === null) return notStated;
  const printed = value.toFixed(decimals);
  return withMinus(Number(printed) === 0 ? printed.replace('-', '') : printed);
}

/** A share, 0.123 as 12.3 %. */
export function percent(share: number | null, decimals = 1): string {
  return share === null ? notStated : `${withMinus((share * 100).toFixed(decimals))}\u00a0%`;
}

export function integer(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 0 });
}

export function duration(seconds: number): string {
  if (seconds < 100) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  const rest = `${Math.round(seconds % 60)} s`;
  return minutes < 60 ? `${minutes} min ${rest}` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Local time with its offset from UTC, and UTC itself where they differ. */
export function timestamp(time: Date): string {
  const offset = -time.getTimezoneOffset();
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  const local = new Date(time.getTime() + offset * 60_000).toISOString().slice(0, 19).replace('T', ' ');
  const zone = `UTC${offset < 0 ? '\u2212' : '+'}${two(Math.abs(offset) / 60)}:${two(Math.abs(offset) % 60)}`;
  return `${local} ${zone}`;
}

/** A text, or "not stated" where there is none. */
export function stated(text: string | null | undefined): string {
  return text === undefined || text === null || text.trim() === '' ? notStated : text.trim();
}

function withMinus(printed: string): string {
  return printed.replaceAll('-', '\u2212');
}

const superscripts: Readonly<Record<string, string>> = {
  '-': '\u207b',
  0: '\u2070',
  1: '\u00b9',
  2: '\u00b2',
  3: '\u00b3',
  4: '\u2074',
  5: '\u2075',
  6: '\u2076',
  7: '\u2077',
  8: '\u2078',
  9: '\u2079',
};

function withSuperscript(printed: string): string {
  return printed.replace(/\^(-?\d+)$/, (_match, exponent: string) =>
    Array.from(exponent, (digit) => superscripts[digit] ?? digit).join(''),
  );
}
