/**
 * Visual order of mixed left-to-right and right-to-left text, after the Unicode Bidirectional Algorithm (UAX #9) without
 * explicit embeddings and isolates, which names and captions do not hold (their control characters are dropped before).
 */

type Direction = 'left-to-right' | 'right-to-left' | 'number' | 'neutral' | 'mark';

const rightToLeft = /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;
const letter = /[\p{L}\p{Nl}]/u;
const digit = /\p{Nd}/u;
/** W4: a single separator between two numbers belongs to them. */
const separator = /^[.,:/+\-\u00a0\u2212]$/u;

function directionOf(character: string): Direction {
  if (/\p{M}/u.test(character)) return 'mark';
  if (digit.test(character)) return 'number';
  if (!letter.test(character)) return 'neutral';
  return rightToLeft.test(character) ? 'right-to-left' : 'left-to-right';
}

/**
 * Embedding levels: even is left to right, odd right to left.
 * @param characters one code point each
 * @returns one level each
 */
export function embeddingLevels(characters: readonly string[]): Uint8Array {
  const levels = new Uint8Array(characters.length);
  const directions = characters.map(directionOf);
  if (!directions.includes('right-to-left')) return levels;

  directions.forEach((direction, i) => {
    if (direction === 'mark') directions[i] = directions[i - 1] ?? 'neutral';
  });
  characters.forEach((character, i) => {
    const between = directions[i - 1] === 'number' && directions[i + 1] === 'number';
    if (between && directions[i] === 'neutral' && separator.test(character)) directions[i] = 'number';
  });

  const base =
    directions.find((d) => d === 'left-to-right' || d === 'right-to-left') === 'right-to-left' ? 1 : 0;
  const evenLevel = base === 1 ? 2 : 0;
  let strong = base;
  directions.forEach((direction, i) => {
    if (direction === 'left-to-right') {
      strong = 0;
      levels[i] = evenLevel;
    } else if (direction === 'right-to-left') {
      strong = 1;
      levels[i] = 1;
    } else if (direction === 'number') {
      levels[i] = strong === 1 ? 2 : evenLevel;
    }
  });

  // N1, N2: neutrals take the direction both sides agree on (a number among right-to-left text counts as such), else the base's.
  const sideAt = (i: number): number => {
    const direction = directions[i];
    if (direction === undefined) return base;
    if (direction === 'number') return levels[i] === 2 ? 1 : 0;
    return direction === 'right-to-left' ? 1 : 0;
  };
  for (let start = 0; start < directions.length; start++) {
    if (directions[start] !== 'neutral') continue;
    let end = start;
    while (directions[end] === 'neutral') end++;
    const side = sideAt(start - 1) === sideAt(end) ? sideAt(end) : base;
    levels.fill(side === 1 ? 1 : evenLevel, start, end);
    start = end - 1;
  }
  return levels;
}

/** Rule L2: from the highest level down to 1, reverse every stretch of items at that level or above. */
export function visualOrder<T extends { readonly level: number }>(items: readonly T[]): T[] {
  const order = [...items];
  const highest = Math.max(0, ...items.map((item) => item.level));
  for (let level = highest; level >= 1; level--) {
    for (let start = 0; start < order.length; start++) {
      let end = start;
      while ((order[end]?.level ?? -1) >= level) end++;
      if (end > start) {
        order.splice(start, end - start, ...order.slice(start, end).reverse());
        start = end;
      }
    }
  }
  return order;
}

const mirrored: Readonly<Record<string, string>> = {
  '(': ')',
  ')': '(',
  '[': ']',
  ']': '[',
  '{': '}',
  '}': '{',
  '<': '>',
  '>': '<',
  '«': '»',
  '»': '«',
};

/** Rule L4, and the reversal of neutral text that the shaper would leave as it is. */
export function mirrorNeutrals(text: string): string {
  return Array.from(text)
    .reverse()
    .map((character) => mirrored[character] ?? character)
    .join('');
}
