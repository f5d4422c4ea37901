/** What the figures need of the rows of single images, in two readings of them: never all rows at once. */
import type { MethodId } from '../../../core/attribution/methods.ts';
import { grouped } from '../grouped.ts';
import type { StudyImage, StudyMap } from '../row.ts';
import type { ScoredMap, SheetImage } from './contact-sheet.ts';
import type { StudyReport } from './report.ts';

export interface Gathered {
  images: readonly StudyImage[];
  targets: readonly string[];
  scalars: readonly StudyMap['scalar'][];
  masks: readonly StudyMap['mask'][];
  /** The studied numbers of steps, ascending. */
  steps: readonly number[];
  /** Methods that promise what their maps sum to. */
  promising: ReadonlySet<MethodId>;
  /** The maps of each image and model, one a method and baseline: that of the most steps. */
  finest: readonly (readonly StudyMap[])[];
  /** Of each model the images of the contact sheets, with their scores. */
  sheets: ReadonlyMap<string, readonly SheetImage[]>;
}

/** On the contact sheets of each model. */
const imagesShown = 8;

const keyOf = ({ sha256, frame, image }: StudyImage): string => JSON.stringify([sha256, frame, image]);
const choiceOf = ({ model, method, baseline }: StudyMap): string => JSON.stringify([model, method, baseline]);

export async function gather(rows: StudyReport['rows']): Promise<Gathered> {
  const images = new Map<string, StudyImage>();
  const most = new Map<string, number>();
  const [targets, scalars, masks] = [
    new Set<string>(),
    new Set<StudyMap['scalar']>(),
    new Set<StudyMap['mask']>(),
  ];
  const steps = new Set<number>();
  const promising = new Set<MethodId>();
  for await (const row of rows()) {
    const { image, frame, sha256, group } = row;
    images.set(keyOf(row), { image, frame, sha256, group });
    most.set(choiceOf(row), Math.max(most.get(choiceOf(row)) ?? 0, row.steps ?? 0));
    targets.add(row.target);
    scalars.add(row.scalar);
    masks.add(row.mask);
    if (row.steps !== null) steps.add(row.steps);
    if (row.expectedSum !== null) promising.add(row.method);
  }
  const chosen = new Set(spread([...images.values()], imagesShown).map(keyOf));
  /** By model, then by image, then by method and baseline. */
  const models = new Map<string, Map<string, Map<string, ScoredMap>>>();
  for await (const row of rows()) {
    if ((row.steps ?? 0) !== most.get(choiceOf(row))) continue;
    const ofModel = entry(models, row.model, () => new Map<string, Map<string, ScoredMap>>());
    const ofImage = entry(ofModel, keyOf(row), () => new Map<string, ScoredMap>());
    const map = entry(ofImage, choiceOf(row), () => ({ ...row, scores: new Map() }));
    const { metric, value, random, edges } = row;
    if (chosen.has(keyOf(row))) map.scores.set(metric, { value, random, edges });
  }
  const order = new Map([...chosen].map((key, i) => [key, i]));
  return {
    images: [...images.values()],
    targets: [...targets],
    scalars: [...scalars],
    masks: [...masks],
    steps: [...steps].sort((a, b) => a - b),
    promising,
    finest: [...models.values()].flatMap((ofModel) =>
      Array.from(ofModel.values(), (maps) => [...maps.values()]),
    ),
    sheets: new Map(
      Array.from(models, ([model, ofModel]) => [
        model,
        [...ofModel]
          .filter(([key]) => chosen.has(key))
          .sort(([a], [b]) => (order.get(a) ?? 0) - (order.get(b) ?? 0))
          .flatMap(([key, maps]) => {
            const image = images.get(key);
            return image === undefined ? [] : [{ image, maps: [...maps.values()] }];
          }),
      ]),
    ),
  };
}

/**
 * As many of each group as there is room for, those with the first hashes: a choice that knows nothing of the results.
 * @returns group by group
 */
export function spread(images: readonly StudyImage[], room: number): StudyImage[] {
  const sorted = images.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const groups = [...grouped(sorted, ({ group }) => group)].sort(([a], [b]) => (a < b ? -1 : 1));
  const taken = groups.map(() => 0);
  for (let left = Math.min(room, images.length); left > 0;) {
    for (const [i, [, members]] of groups.entries()) {
      const has = taken[i] ?? 0;
      if (left === 0 || has === members.length) continue;
      taken[i] = has + 1;
      left--;
    }
  }
  return groups.flatMap(([, members], i) => members.slice(0, taken[i]));
}

function entry<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
