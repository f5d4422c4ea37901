/** Integrated Gradients from a plain baseline, as they are asked for and as a result states them. */
import type { BaselineName, ExplanationResult } from '../../core/contract/result.ts';

export const asked = {
  method: { id: 'integrated-gradients', parameters: {} },
  cohort: null,
  baselineImage: null,
} as const;

export const from = <Id extends BaselineName>(id: Id) => ({ id, parameters: {} }) as const;

/** f(x) - f(b) is 2. */
export const stated = {
  method: 'integrated-gradients',
  quadrature: 'nested-trapezoid',
  parameters: { gapTolerance: 0.01, mapTolerance: 0.05, differenceFloor: 1, maxEvaluations: 513 },
  baseline: 'black',
  baselineParameters: {},
  baselineFindings: [{}],
  baselineEvaluations: 0,
  cohort: null,
  baselineImage: null,
  sum: 2.01,
  expectedSum: 2,
  findings: {},
  spread: null,
  maxEvaluations: 513,
} satisfies Partial<ExplanationResult>;
