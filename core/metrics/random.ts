/** Seeded random numbers: the same seed gives the same numbers on every machine, so that a null can be computed again. */

/**
 * sfc32 (Chris Doty-Humphrey, PractRand): 128 bits of state, seeded with SplitMix32.
 * @param seed any whole number; its low 32 bits count
 * @returns a function whose calls are uniform in [0, 1), in steps of 2^-32
 */
export function randomSource(seed: number): () => number {
  let state = seed | 0;
  const split = (): number => {
    state = (state + 0x9e3779b9) | 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return z ^ (z >>> 15);
  };
  let [a, b, c, counter] = [split(), split(), split(), 1];
  const next = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return (sum >>> 0) / 2 ** 32;
  };
  // The first outputs still show the seed's structure.
  for (let i = 0; i < 12; i++) next();
  return next;
}

/** @returns [count] standard normal numbers (Box and Muller 1958) */
export function normalNumbers(count: number, random: () => number): Float32Array {
  const values = new Float32Array(count);
  for (let i = 0; i < count; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - random()));
    const angle = 2 * Math.PI * random();
    values[i] = radius * Math.cos(angle);
    if (i + 1 < count) values[i + 1] = radius * Math.sin(angle);
  }
  return values;
}
