/** The sentences that both documents must say the same way. */
import type { DeviceInfo, SelfTest } from '../../core/contract/device.ts';
import type { ModelCard } from '../../core/contract/model-card.ts';
import { baselineKinds } from '../../core/attribution/baseline-kinds.ts';
import { criterionOf, type Parameters } from '../../core/attribution/choices.ts';
import { methods } from '../../core/attribution/methods.ts';
import type { ExplanationResult } from '../../core/contract/result.ts';
import type { Scalar } from '../../core/attribution/model.ts';
import { percent, significant } from './numbers.ts';

export const notADevice = 'Not a medical device; not for diagnosis.';

/** At the foot of every page. */
export function noticeOf(card: ModelCard): string {
  const demonstration = [card.intendedUse, ...card.limits].some((said) => /demonstration model/i.test(said));
  return `${demonstration ? 'Demonstration model \u2013 not for clinical use' : 'Not for clinical use'}. ${notADevice}`;
}

/** "blurred baseline" */
export function baselineName({ baseline }: Pick<ExplanationResult, 'baseline'>): string {
  return baseline === null ? 'no baseline' : `${baseline} baseline`;
}

export function methodLimits({ method, baseline }: Pick<ExplanationResult, 'method' | 'baseline'>): string {
  if (method === 'integrated-gradients') {
    return `Integrated Gradients show what changed the score relative to the ${baseline ?? 'chosen'} baseline; they do not localise disease.`;
  }
  const from = baseline === null ? '' : ` from the ${baseline} baseline`;
  return `${methods[method].name}${from}: the map does not localise disease. Its sum should equal: ${methods[method].sum}.`;
}

/** What the integral stops at, where there is one. */
export function criterion({ method, parameters }: Pick<ExplanationResult, 'method' | 'parameters'>): {
  gapTolerance: number | null;
  mapTolerance: number | null;
} {
  return criterionOf({ id: method, parameters }) ?? { gapTolerance: null, mapTolerance: null };
}

export function parametersText({
  method,
  parameters,
  baselineParameters,
}: Pick<ExplanationResult, 'method' | 'parameters' | 'baselineParameters'>): string {
  const stops = method === 'integrated-gradients' ? criterionOf({ id: method, parameters }) : null;
  const own =
    stops === null
      ? listed(parameters)
      : [
          `gap tolerance ${percent(stops.gapTolerance)}`,
          `map tolerance ${percent(stops.mapTolerance)}`,
          `at most ${stops.maxEvaluations} evaluations`,
        ];
  const { sigma, ...further } = baselineParameters;
  const start = [
    ...(typeof sigma === 'number' ? [`blur \u03c3 ${sigma} input pixels`] : []),
    ...listed(further).map((each) => `baseline ${each}`),
  ];
  return [...own, ...start].join(', ') || 'none';
}

/** "steps 100, around.method gradient" */
function listed(parameters: Parameters, within = ''): string[] {
  return Object.entries(parameters).flatMap(([name, value]) =>
    typeof value === 'object' && value !== null
      ? listed({ ...value }, `${within}${name}.`)
      : [`${within}${name} ${String(value)}`],
  );
}

export const lungCheckLimits =
  'A check that can fail, never a proof: attribution outside the lungs shows that something else moved the score; ' +
  'attribution inside them does not show that the model looked at disease, or that it is right ' +
  '(Viviano et al., \u201cSaliency is a possible red herring when diagnosing poor generalization\u201d, ICLR 2021).';

export const lungMaskLimits =
  'The masks include the heart and the retro-cardiac lung: \u201cin the lungs\u201d means in that region.';

/** What f is. */
export function scalarName(scalar: Scalar, card: ModelCard): string {
  const { activation } = card.output;
  const names: Record<Scalar, string> = {
    logit: `logit: the model\u2019s output before the ${activation === 'none' ? 'activation' : activation}`,
    probability: `probability, after the ${activation === 'none' ? 'activation' : activation}`,
    'log-probability': 'natural logarithm of the probability',
  };
  return names[scalar];
}

export function baselineDefinition({
  baseline,
  baselineParameters,
}: Pick<ExplanationResult, 'baseline' | 'baselineParameters'>): string {
  const through = 'carried through the same preprocessing as the image';
  switch (baseline) {
    case null:
      return 'none: the method needs none';
    case 'black':
      return `${baseline}: display value 0 at every pixel, ${through}`;
    case 'white':
      return `${baseline}: display value 1 at every pixel, ${through}`;
    case 'grey':
      return `${baseline}: display value 0.5 at every pixel, ${through}`;
    case 'blurred': {
      const { sigma } = baselineParameters;
      const width = typeof sigma === 'number' ? `${sigma} input pixels` : 'a width not stated';
      return `${baseline}: the model\u2019s input blurred by a Gaussian of \u03c3 = ${width}`;
    }
    default:
      return `${baseline}: ${baselineKinds[baseline].meaning}`;
  }
}

/** @param missing code points as U+XXXX */
export function missingCharacters(missing: readonly string[]): string {
  return `No font holds ${missing.join(', ')}: printed as the code in brackets.`;
}

export function deviceText({ provider, name, threads }: DeviceInfo): string {
  const called = name === '' ? provider : `${provider} (${name})`;
  return `${called}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
}

/** How far the device's gradient of this model was from the CPU's, before the map was computed on it. */
export function selfTestText(test: SelfTest): string {
  const { error, tolerance, rounding, roundingTolerance, nodes, fallbackNodes } = test;
  const elsewhere = fallbackNodes === 0 ? 'all on the device' : `${fallbackNodes} of them on the CPU`;
  return (
    `passed: its gradient of this model differed from the CPU\u2019s by ${significant(100 * error, 2)}\u00a0%, ` +
    `where ${percent(tolerance)} is allowed; where they agree best by ${significant(100 * rounding, 2)}\u00a0%, ` +
    `where ${percent(roundingTolerance)} is allowed; ${nodes} nodes, ${elsewhere}. The score and the lungs are the CPU\u2019s.`
  );
}
