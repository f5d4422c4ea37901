/** Measuring a map beside its nulls, and a folder of maps together. */
import { edgeMap } from './edges.ts';
import { bootstrapMean, type BootstrapOptions, type Interval, wilsonProportion } from './interval.ts';
import { type Metric, type MetricId, metrics } from './metrics.ts';
import { nullMaps } from './nulls.ts';
import type { Explain } from './sensitivity.ts';
import type { MapOfImage, MethodProbe, Subject, Value } from './subject.ts';

/** What maps that know nothing of the model get; for what asks the method, methods that make such maps. */
export interface NullValues {
  /** The mean over ten random maps; where the model is asked, that of one. */
  random: Value;
  edges: Value;
}

export interface Measured {
  value: Value;
  null: NullValues;
}

/**
 * Measures a map beside its nulls.
 * @param map [height, width] signed contributions
 * @param method the method that made the map, for the metrics that ask it
 * @returns null where what the metric needs is not at hand
 * @throws PathlightError as the metric
 */
export async function measureMap(
  id: MetricId,
  map: Float32Array,
  subject: Subject,
  method: MethodProbe | null = null,
): Promise<Measured | null> {
  const metric: Metric = metrics[id];
  if (metric.needs === 'method') {
    if (method === null) return null;
    const value = await metric.measure(mapOf(map, subject), method);
    return { value, null: await nullsOfMethod(metric.measure, subject, method) };
  }
  const measure = measureOf(metric, subject);
  if (measure === null) return null;
  const value = await measure(mapOf(map, subject));
  return { value, null: await nullsOf(id, metric.needs === 'model' ? 1 : randomMaps, measure, subject) };
}

/** Random maps that a null is the mean of, where measuring one takes no model. */
const randomMaps = 10;

type Measure = (map: MapOfImage) => Value | Promise<Value>;

function measureOf(metric: Exclude<Metric, { needs: 'method' }>, { mask, model }: Subject): Measure | null {
  switch (metric.needs) {
    case 'map':
      return metric.measure;
    case 'mask':
      return mask === null ? null : (map) => metric.measure(map, mask);
    case 'model':
      return model === null ? null : (map) => metric.measure(map, model);
  }
}

const mapOf = (map: Float32Array, { height, width }: Subject): MapOfImage => ({ map, height, width });

/** Of each subject: its null maps, and what metrics made of them. */
const known = new WeakMap<
  Subject,
  { maps: { random: MapOfImage[]; edges: MapOfImage }; values: Map<MetricId, NullValues> }
>();

function knownOf(subject: Subject) {
  const before = known.get(subject);
  if (before !== undefined) return before;
  const { display, height, width, seed } = subject;
  const { random, edges } = nullMaps(display, height, width, randomMaps, seed);
  const maps = { random: random.map((map) => mapOf(map, subject)), edges: mapOf(edges, subject) };
  const now = { maps, values: new Map<MetricId, NullValues>() };
  known.set(subject, now);
  return now;
}

async function nullsOf(id: MetricId, count: number, measure: Measure, subject: Subject): Promise<NullValues> {
  const { maps, values } = knownOf(subject);
  const before = values.get(id);
  if (before !== undefined) return before;
  const random: Value[] = [];
  for (const map of maps.random.slice(0, count)) random.push(await measure(map));
  const nulls = { random: meanOf(random), edges: await measure(maps.edges) };
  values.set(id, nulls);
  return nulls;
}

function meanOf(values: readonly Value[]): Value {
  const present = values.filter((value) => value !== null);
  return present.length === 0 ? null : present.reduce((sum, value) => sum + value, 0) / present.length;
}

/** Methods that do not ask the model: one that gives the same random map whatever the image, and an edge detector. */
async function nullsOfMethod(
  measure: Extract<Metric, { needs: 'method' }>['measure'],
  subject: Subject,
  method: MethodProbe,
): Promise<NullValues> {
  const { random, edges } = knownOf(subject).maps;
  const [one = edges] = random;
  return {
    random: await measure(
      one,
      ignoring(method, () => Promise.resolve(one.map)),
    ),
    edges: await measure(
      edges,
      ignoring(method, (x) => Promise.resolve(edgesOfInput(x, subject))),
    ),
  };
}

/** The same probe of a method that does not ask the model. */
function ignoring(method: MethodProbe, explain: Explain): MethodProbe {
  const { randomised, finer, x } = method;
  return {
    ...method,
    explain,
    finer: finer === null ? null : explain,
    randomised:
      randomised === null
        ? null
        : async function* () {
            yield { layer: 'all', map: await explain(x) };
          },
  };
}

/** Edges of the mean over channels. */
function edgesOfInput(x: Float32Array, { height, width }: Subject): Float32Array {
  const pixels = height * width;
  const mean = new Float32Array(pixels);
  x.forEach((value, i) => (mean[i % pixels] = (mean[i % pixels] ?? 0) + (value * pixels) / x.length));
  return edgeMap(mean, height, width);
}

/**
 * What a folder's values of one metric say together: a mean with its bootstrap interval, or a proportion with Wilson's.
 * @param values one an image, null where it has none
 * @returns null without any value
 */
export function overFolder(
  id: MetricId,
  values: readonly Value[],
  options: BootstrapOptions = {},
): Interval | null {
  return metrics[id].kind === 'hit' ? wilsonProportion(values) : bootstrapMean(values, options);
}
