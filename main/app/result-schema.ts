/** The shape of a result that comes back from a file. */
import * as v from 'valibot';
import { PROVIDERS, TFJS_PROVIDERS } from '../../core/contract/device.ts';
import { BASELINE_IDS } from '../../core/attribution/baseline-kinds.ts';
import { METHOD_IDS } from '../../core/attribution/methods.ts';
import type { ExplanationResult } from '../../core/contract/result.ts';

const numbers = v.record(v.string(), v.number());
const maybe = v.nullable(v.number());
const hash = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const modelReference = v.object({ id: v.string(), sha256: hash });

const parameters = v.record(v.string(), v.unknown());

/** How far the map has come, and what there is to say of it. */
export const attributionEntries = {
  fx: maybe,
  fb: maybe,
  gap: maybe,
  gapRelative: maybe,
  gapBound: maybe,
  mapChange: maybe,
  evaluations: v.number(),
  converged: v.nullable(v.boolean()),
  // Results of versions that knew Integrated Gradients alone have none of these: they are not taken over.
  sum: v.number(),
  expectedSum: maybe,
  findings: numbers,
  // Results of earlier versions do not say how many converged.
  spread: v.nullable(v.object({ runs: v.number(), share: maybe, converged: v.optional(maybe, null) })),
  maxEvaluations: v.number(),
  baselineFindings: v.array(numbers),
  baselineEvaluations: v.number(),
};

const deviceTest = v.object({
  error: v.number(),
  tolerance: v.number(),
  rounding: v.number(),
  roundingTolerance: v.number(),
  nodes: v.number(),
  fallbackNodes: v.number(),
});
const backendTest = v.object({ error: v.number(), p99: v.number(), tolerance: v.number() });

const schema = v.object({
  image: v.object({ file: v.string(), frame: v.number(), sopInstanceUid: v.string(), sha256: hash }),
  model: modelReference,
  prediction: v.object({ label: v.string(), scores: numbers, logits: numbers, threshold: maybe }),
  target: v.string(),
  scalar: v.picklist(['logit', 'probability', 'log-probability']),
  method: v.picklist(METHOD_IDS),
  quadrature: v.nullable(v.literal('nested-trapezoid')),
  parameters,
  baseline: v.nullable(v.picklist(BASELINE_IDS)),
  baselineParameters: parameters,
  cohort: v.nullable(
    v.object({
      images: v.array(hash),
      unreadable: v.number(),
      sameClass: v.number(),
      beyond: v.number(),
    }),
  ),
  baselineImage: v.nullable(v.object({ file: v.string(), frame: v.number(), sha256: hash })),
  ...attributionEntries,
  device: v.object({
    provider: v.picklist([...PROVIDERS, ...TFJS_PROVIDERS]),
    name: v.optional(v.string(), ''),
    threads: v.number(),
    runtime: v.string(),
    selfTest: v.optional(v.nullable(v.union([deviceTest, backendTest])), null),
  }),
  lungs: v.nullable(
    v.object({
      share: v.number(),
      areaShare: v.number(),
      enrichment: v.number(),
      peakInside: v.boolean(),
      peak: v.object({ row: v.number(), column: v.number() }),
      null: v.object({ random: v.number(), edges: v.number() }),
      model: modelReference,
    }),
  ),
  flags: v.array(
    v.object({ id: v.string(), severity: v.picklist(['info', 'warning', 'alert']), text: v.string() }),
  ),
  // Results of earlier versions have neither.
  batch: v.optional(v.nullable(v.number()), null),
  notes: v.optional(v.array(v.string()), []),
  seconds: v.number(),
  app: v.object({ version: v.string(), commit: v.string() }),
});

/** One line of `results.jsonl`, or undefined where it is not a result. */
export function parseResult(line: string): ExplanationResult | undefined {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), schema), line);
  return parsed.success ? parsed.output : undefined;
}
