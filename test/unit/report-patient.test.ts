import { describe, expect, it } from 'vitest';
import { age, date, identity, nameHan, personName, sex } from '../../main/report/patient.ts';
import { reportData } from '../support/report-data.ts';

describe('the patient as text', () => {
  it('reads the components of a name (PS3.5 6.2.1)', () => {
    expect(personName('Adams^John Robert Quincy^^Rev.^B.A. M.Div.')).toBe(
      'Adams, John Robert Quincy, Rev., B.A. M.Div.',
    );
    expect(personName('山田^太郎')).toBe('山田, 太郎');
    expect(personName('^John')).toBe('John');
    expect(personName('')).toBe('');
  });

  it('reads dates, ages and sexes, and leaves what is none as it stands', () => {
    expect(date('20231105')).toBe('2023-11-05');
    expect(date('2023')).toBe('2023');
    expect(date('')).toBe('not stated');
    expect([age('004Y'), age('001M'), age('42'), age('')]).toEqual([
      '4 years',
      '1 month',
      '42',
      'not stated',
    ]);
    expect([sex('M'), sex('F'), sex('O'), sex(' ')]).toEqual(['male', 'female', 'other', 'not stated']);
  });

  it('chooses regional shapes by all groups of the name', () => {
    const patient = (ideographic: string, phonetic: string) => ({
      ...reportData().entry.patient,
      name: { alphabetic: 'A^B', ideographic, phonetic },
    });
    expect(nameHan(patient('山田^太郎', 'やまだ^たろう'))).toBe('jp');
    expect(nameHan(patient('洪^吉洞', '홍^길동'))).toBe('kr');
    expect(nameHan(patient('王^小東', ''))).toBe('sc');
  });

  it('withholds everything that identifies, at once', () => {
    const { entry } = reportData();
    const open = identity(entry, false);
    const masked = Object.values(identity(entry, true)).flat();
    for (const value of Object.values(open).flat()) expect(masked).not.toContain(value);
  });
});
