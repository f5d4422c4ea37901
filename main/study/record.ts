/** `study.jsonl`: every map and every measured value of a study, known by what they were made of, so that no run makes them twice. */
import { createHash } from 'node:crypto';
import * as v from 'valibot';
import { METRIC_IDS, type MetricId } from '../../core/metrics/metrics.ts';

const maybe = v.nullable(v.number());
const hash = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));

const MadeSchema = v.object({
  target: v.string(),
  prediction: v.string(),
  probability: v.number(),
  evaluations: v.number(),
  seconds: v.number(),
  sum: v.number(),
  expectedSum: maybe,
  gapRelative: maybe,
});

const MeasuredSchema = v.object({ value: maybe, random: maybe, edges: maybe });

const LineSchema = v.union([
  v.object({ map: hash, made: MadeSchema }),
  v.object({ map: hash, context: hash, metric: v.picklist(METRIC_IDS), measured: MeasuredSchema }),
]);

/** What is known of a map besides its pixels. */
export type Made = v.InferOutput<typeof MadeSchema>;
/** What a metric says of a map, and of the maps that know nothing. */
export type MeasuredValues = v.InferOutput<typeof MeasuredSchema>;
export type StudyLine = v.InferOutput<typeof LineSchema>;

/** A line of the file, or undefined where it is none. */
export function parseLine(line: string): StudyLine | undefined {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), LineSchema), line);
  return parsed.success ? parsed.output : undefined;
}

/** Names what was made of these parts, whatever files are called and wherever they stand. */
export function keyOf(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

/** What is known already. */
export class Known {
  readonly #made = new Map<string, Made>();
  readonly #measured = new Map<string, MeasuredValues>();

  constructor(lines: readonly StudyLine[]) {
    for (const line of lines) this.add(line);
  }

  add(line: StudyLine): void {
    if ('made' in line) this.#made.set(line.map, line.made);
    else this.#measured.set(`${line.map} ${line.context} ${line.metric}`, line.measured);
  }

  made(map: string): Made | undefined {
    return this.#made.get(map);
  }

  measured(map: string, context: string, metric: MetricId): MeasuredValues | undefined {
    return this.#measured.get(`${map} ${context} ${metric}`);
  }
}
