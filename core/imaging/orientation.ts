/** Where the patient's sides lie in the picture. Unknown stays unknown: a guessed letter is worse than none. */

/** Directions in the patient, as PS3.3 C.7.6.1.1.1 writes them: up to three of A, P, R, L, H, F, the strongest first. */
export interface Orientation {
  /** Where the row points, to the right of the picture. */
  right: string;
  /** Where the column points, downwards. */
  bottom: string;
}

export interface Sides extends Orientation {
  left: string;
  top: string;
}

/** What a view does to the picture: it is flipped first, then turned clockwise. */
export interface ViewTransform {
  flipHorizontal: boolean;
  flipVertical: boolean;
  quarterTurns: 0 | 1 | 2 | 3;
}

const opposites: Readonly<Record<string, string>> = { A: 'P', P: 'A', R: 'L', L: 'R', H: 'F', F: 'H' };
const axes: Readonly<Record<string, number>> = { R: 0, L: 0, A: 1, P: 1, H: 2, F: 2 };

function axesOf(direction: string): Set<number> | null {
  const named = Array.from(direction).map((letter) => axes[letter]);
  const distinct = new Set(named.filter((axis) => axis !== undefined));
  return direction.length > 0 && distinct.size === direction.length ? distinct : null;
}

/**
 * Patient Orientation (0020,0020).
 * @param values its values, as in the file
 * @returns null where it is absent, not one of the standard's directions, or names one axis for both rows and columns
 */
export function parsePatientOrientation(values: readonly string[]): Orientation | null {
  const [right, bottom, ...rest] = values.map((value) => value.trim());
  if (right === undefined || bottom === undefined || rest.length > 0) return null;
  const across = axesOf(right);
  const down = axesOf(bottom);
  if (across === null || down === null || axes[right.charAt(0)] === axes[bottom.charAt(0)]) return null;
  return { right, bottom };
}

/** Components of a unit vector below this (10 degrees off a plane) get no letter. */
const smallestComponent = Math.sin((10 * Math.PI) / 180);

function directionOf(cosines: readonly number[]): string {
  // DICOM's patient axes point to the left, to the back and to the head (PS3.3 C.7.6.2.1.1).
  const letters = [
    ['L', 'R'],
    ['P', 'A'],
    ['H', 'F'],
  ] as const;
  return cosines
    .map((cosine, axis) => ({ size: Math.abs(cosine), letter: letters[axis]?.[cosine > 0 ? 0 : 1] ?? '' }))
    .filter(({ size }) => size >= smallestComponent)
    .sort((a, b) => b.size - a.size)
    .map(({ letter }) => letter)
    .join('');
}

/**
 * Image Orientation (Patient) (0020,0037), for images that carry no Patient Orientation.
 * @returns null unless the six cosines are two perpendicular unit vectors (PS3.3 C.7.6.2.1.1)
 */
export function orientationOfCosines(cosines: readonly number[]): Orientation | null {
  const row = cosines.slice(0, 3);
  const column = cosines.slice(3, 6);
  const dot = (a: readonly number[], b: readonly number[]) =>
    a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
  const near = (value: number, wanted: number) => Math.abs(value - wanted) < 1e-2;
  if (
    cosines.length !== 6 ||
    !near(dot(row, row), 1) ||
    !near(dot(column, column), 1) ||
    !near(dot(row, column), 0)
  ) {
    return null;
  }
  return { right: directionOf(row), bottom: directionOf(column) };
}

/** Also where neither is stated. */
export function sameOrientation(a: Orientation | null, b: Orientation | null): boolean {
  return a?.right === b?.right && a?.bottom === b?.bottom;
}

export function oppositeDirection(direction: string): string {
  return Array.from(direction)
    .map((letter) => opposites[letter] ?? letter)
    .join('');
}

/** The letters of the picture's four sides as a view shows it. */
export function sides({ right, bottom }: Orientation, view: ViewTransform): Sides {
  let shown: Sides = { right, bottom, left: oppositeDirection(right), top: oppositeDirection(bottom) };
  if (view.flipHorizontal) shown = { ...shown, left: shown.right, right: shown.left };
  if (view.flipVertical) shown = { ...shown, top: shown.bottom, bottom: shown.top };
  for (let turn = 0; turn < view.quarterTurns; turn++) {
    shown = { top: shown.left, right: shown.top, bottom: shown.right, left: shown.bottom };
  }
  return shown;
}
