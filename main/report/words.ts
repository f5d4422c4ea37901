/** The sentences that both documents must say the same way. */
import type { BackendTest, DeviceInfo, DeviceTest } from '../../core/contract/device.ts';
import type { ModelCard } from '../../core/contract/model-card.ts';
import type { BaselineId } from '../../core/attribution/baseline-kinds.ts';
import { criterionOf, mapScale, type MapScale } from '../../core/attribution/choices.ts';
import {
  baselineKindOf,
  baselineName,
  limitsText,
  settingsText,
  statedBaseline,
  statedMethod,
} from '../../core/attribution/stated.ts';
import type { ExplanationResult } from '../../core/contract/result.ts';
import type { Scalar } from '../../core/attribution/model.ts';
import { percent, significant } from './numbers.ts';

export const notADevice = 'Not a medical device; not for diagnosis.';

/** At the foot of every page. */
export function noticeOf(card: ModelCard): string {
  const demonstration = [card.intendedUse, ...card.limits].some((said) => /demonstration model/i.test(said));
  return `${demonstration ? 'Demonstration model \u2013 not for clinical use' : 'Not for clinical use'}. ${notADevice}`;
}

/** What of a result says how its map was made. */
export type Made = Pick<ExplanationResult, 'method' | 'parameters' | 'baseline' | 'baselineParameters'>;

export function methodLimits({ method, baseline }: Pick<Made, 'method' | 'baseline'>): string {
  return limitsText(method, baseline);
}

export function scaleOf({ method, parameters, scalar }: Made & { scalar: Scalar }): MapScale {
  return mapScale({ id: method, parameters }, scalar);
}

/** What the colours of a map stand for. */
export function mapMeaning(result: ExplanationResult, { input }: ModelCard): string {
  const { unit, slope, signed } = scaleOf(result);
  const of = `the ${result.scalar} of ${result.target}`;
  const where = `of the model\u2019s ${input.width} \u00d7 ${input.height} input`;
  if (!signed)
    return `Without sign, in ${unit}, at each pixel ${where}: how much, not whether for or against ${of}.`;
  return slope
    ? `Slope of ${of}, per unit of the input, at each pixel ${where}. Blue: a higher value lowers it; orange: raises it.`
    : `Contribution to ${of}, per pixel ${where}. Blue lowered it, orange raised it.`;
}

/** What the integral stops at, where there is one. */
export function criterion({ method, parameters }: Made): {
  gapTolerance: number | null;
  mapTolerance: number | null;
} {
  return criterionOf({ id: method, parameters }) ?? { gapTolerance: null, mapTolerance: null };
}

/** Every parameter of the method, seeds among them. */
export function methodParameters({ method, parameters }: Made): string {
  return settingsText(statedMethod({ id: method, parameters })) || 'none';
}

/** Every parameter of the baseline; empty where there is none. */
export function baselineSettings({ baseline, baselineParameters }: Made): string {
  return baseline === null
    ? ''
    : settingsText(statedBaseline({ id: baseline, parameters: baselineParameters }));
}

/** Of method and baseline. */
export function parametersText(made: Made): string {
  const own = baselineSettings(made);
  return `${methodParameters(made)}${own === '' ? '' : `; baseline: ${own}`}`;
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

export function baselineDefinition(made: Made): string {
  const { baseline } = made;
  if (baseline === null) return 'none: the method takes none';
  const through = 'carried through the same preprocessing as the image';
  const { sigma } = made.baselineParameters;
  const width = typeof sigma === 'number' ? `${sigma} input pixels` : 'a width not stated';
  const definitions: Partial<Record<BaselineId, string>> = {
    black: `display value 0 at every pixel, ${through}`,
    white: `display value 1 at every pixel, ${through}`,
    grey: `display value 0.5 at every pixel, ${through}`,
    blurred: `the model\u2019s input blurred by a Gaussian of \u03c3 = ${width}`,
  };
  return `${baselineName(baseline)}: ${definitions[baseline] ?? baselineKindOf(baseline).meaning}`;
}

/** @param missing code points as U+XXXX */
export function missingCharacters(missing: readonly string[]): string {
  return `No font holds ${missing.join(', ')}: printed as the code in brackets.`;
}

export function deviceText({ provider, name, threads }: DeviceInfo): string {
  const called = name === '' ? provider : `${provider} (${name})`;
  return `${called}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
}

/** How far the device's gradient of this model was from the reference's, before the map was computed on it. */
export function selfTestText(test: DeviceTest | BackendTest): string {
  if ('p99' in test) {
    return (
      `passed: its outputs and gradient of this model differed from those in plain JavaScript (tfjs-cpu) by ${significant(100 * test.error, 2)}\u00a0%, ` +
      `where ${percent(test.tolerance)} is allowed. The lungs are ONNX Runtime\u2019s, on the CPU.`
    );
  }
  const { error, tolerance, rounding, roundingTolerance, nodes, fallbackNodes } = test;
  const elsewhere = fallbackNodes === 0 ? 'all on the device' : `${fallbackNodes} of them on the CPU`;
  return (
    `passed: its gradient of this model differed from the CPU\u2019s by ${significant(100 * error, 2)}\u00a0%, ` +
    `where ${percent(tolerance)} is allowed; where they agree best by ${significant(100 * rounding, 2)}\u00a0%, ` +
    `where ${percent(roundingTolerance)} is allowed; ${nodes} nodes, ${elsewhere}. The score and the lungs are the CPU\u2019s.`
  );
}
