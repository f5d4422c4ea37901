import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  duration,
  fixed,
  percent,
  signed,
  significant,
  stated,
  timestamp,
} from '../../main/report/numbers.ts';

const superscripts = '\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079';

/** What a reader would key in. */
function read(printed: string): number {
  const plain = printed
    .replaceAll('\u2212', '-')
    .replaceAll('\u207b', '-')
    .replace(/ × 10(.*)$/, (_, exponent: string) => `e${exponent}`)
    .replaceAll(/[\u2070\u00b9\u00b2\u00b3\u2074-\u2079]/g, (digit) => String(superscripts.indexOf(digit)));
  return Number(plain);
}

describe('printed numbers', () => {
  it('read back as the number, to the digits printed', () => {
    fc.assert(
      fc.property(fc.double({ min: -1e9, max: 1e9, noNaN: true }), (value) => {
        expect(Math.abs(read(significant(value, 6)) - value)).toBeLessThanOrEqual(1e-5 * Math.abs(value));
      }),
    );
  });

  it('use an exponent only for small and large numbers', () => {
    expect(significant(0.000123, 3)).toBe('1.23 × 10\u207b\u2074');
    expect(significant(0.0123, 3)).toBe('0.0123');
    expect(significant(0, 3)).toBe('0.00');
    expect(significant(-1.5, 2)).toBe('\u22121.5');
  });

  it('never print a negative zero', () => {
    expect(fixed(-0.0003, 3)).toBe('0.000');
    expect(fixed(-0.0006, 3)).toBe('\u22120.001');
  });

  it('say what is not stated', () => {
    expect(significant(null)).toBe('not stated');
    expect(percent(null)).toBe('not stated');
    expect(stated('  ')).toBe('not stated');
  });

  it('carry sign and unit', () => {
    expect(signed(0.5, 2)).toBe('+0.50');
    expect(percent(0.1234)).toBe('12.3\u00a0%');
    expect(duration(59.94)).toBe('59.9 s');
    expect(duration(3725)).toBe('1 h 2 min');
  });

  it('give the time with its zone', () => {
    const time = new Date('2026-11-22T09:30:15Z');
    const printed = timestamp(time);
    const [, local, offset] = /^(\S+ \S+) UTC([+\u2212]\d\d:\d\d)$/.exec(printed) ?? [];
    expect(new Date(`${local?.replace(' ', 'T') ?? ''}${offset?.replace('\u2212', '-') ?? ''}`)).toEqual(
      time,
    );
  });
});
