import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { embeddingLevels, mirrorNeutrals, visualOrder } from '../../main/report/bidi.ts';

const levels = (text: string): string => [...embeddingLevels(Array.from(text))].join('');

/** As it would be read off the page from left to right, one character each. */
function visual(text: string): string {
  const characters = Array.from(text);
  const level = embeddingLevels(characters);
  return visualOrder(characters.map((character, i) => ({ character, level: level[i] ?? 0 })))
    .map((item) => item.character)
    .join('');
}

describe('order of mixed text (UAX #9)', () => {
  it('leaves left-to-right text alone', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-zA-Zα-ω0-9 .,()^-]*$/), (text) => {
        expect(visual(text)).toBe(text);
      }),
    );
  });

  it('keeps every character once', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-cא-ו0-3 .,()-]*$/), (text) => {
        expect(Array.from(visual(text)).sort()).toEqual(Array.from(text).sort());
      }),
    );
  });

  it('reverses right-to-left text', () => {
    expect(visual('אבג')).toBe('גבא');
    expect(levels('אבג')).toBe('111');
  });

  it('takes its base direction from the first letter', () => {
    expect(levels('אב, גד')).toBe('111111');
    expect(levels('a אב, גד b')).toBe('0011111100');
  });

  it('keeps numbers in right-to-left text readable, with the separators between them', () => {
    expect(visual('אב 12.5 גד')).toBe('דג 12.5 בא');
    expect(levels('אב 12')).toBe('11122');
  });

  it('keeps Latin words readable within right-to-left text', () => {
    expect(visual('אב xyz גד')).toBe('דג xyz בא');
  });

  it('gives a mark the level of its letter', () => {
    expect(levels('ש\u05c1a')).toBe('112');
  });

  it('mirrors brackets', () => {
    expect(mirrorNeutrals(') (')).toBe(') (');
    expect(mirrorNeutrals('(,')).toBe(',)');
  });
});
