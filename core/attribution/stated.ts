/** How a method, a baseline and what came of them are told: the window and the report say the same. */
import { type BaselineId, type BaselineKind, baselineKinds } from './baseline-kinds.ts';
import type { CohortUse, ExplanationResult } from '../contract/result.ts';
import { type Choice, explainsNoisyImages } from './choices.ts';
import { type Stated, stateParameters } from './fields.ts';
import { type Method, METHOD_IDS, type MethodId, methods } from './methods.ts';

export function methodOf(id: MethodId): Method {
  return methods[id];
}

export function baselineKindOf(id: BaselineId): BaselineKind {
  return baselineKinds[id];
}

/** A method by the name that stands among parameters. */
const beneath = (name: string): Method => methodOf(METHOD_IDS.find((id) => id === name) ?? 'gradient');

/** Every parameter, defaults as well, those of a method beneath included. */
export function statedMethod({ id, parameters }: Choice<MethodId>): readonly Stated[] {
  return stateParameters(methodOf(id).parameters, parameters, beneath);
}

export function statedBaseline({ id, parameters }: Choice<BaselineId>): readonly Stated[] {
  return stateParameters(baselineKindOf(id).parameters, parameters, beneath);
}

/** "Steps 100 · Seed 0" */
export function settingsText(stated: readonly Stated[]): string {
  return stated.map(({ title, value }) => `${title} ${value}`).join(' \u00b7 ');
}

/** For the middle of a sentence; an abbreviation keeps its capitals, and so does Gauss. */
export function lowerFirst(name: string): string {
  return /^\p{Lu}\p{Ll}+(?!\p{L})/u.test(name) && !name.startsWith('Gauss')
    ? name.charAt(0).toLowerCase() + name.slice(1)
    : name;
}

/** "black", after a colon. */
export function baselineName(id: BaselineId): string {
  return lowerFirst(baselineKindOf(id).name);
}

/** "Guided IG, baseline: black": what a map is of. */
export function mapName(method: MethodId, baseline: BaselineId | null): string {
  const { name } = methodOf(method);
  return baseline === null ? name : `${name}, baseline: ${baselineName(baseline)}`;
}

/** What a map's sum should equal, with a true minus. */
export function sumPromise(id: MethodId): string {
  return methodOf(id).sum.replace(' - ', ' \u2212 ');
}

/** What f(x) and f(b) are of. @param method a complete one. @param baselines how many there were */
export function endsText(method: Choice<MethodId>, baselines: number): { x: string; b: string } {
  return {
    x: explainsNoisyImages(method) ? 'mean of noisy images' : 'of the image',
    b: baselines > 1 ? `mean of ${baselines} baselines` : 'of the baseline',
  };
}

/** What its map does not show, and what none does. */
export function limitsText(method: MethodId, baseline: BaselineId | null): string {
  if (method === 'integrated-gradients' && baseline !== null) {
    return `Integrated Gradients show what changed the score relative to ${baselineKindOf(baseline).phrase}; they do not localise disease.`;
  }
  return `${methodOf(method).limits} It does not localise disease.`;
}

/** Which images of a folder took part, and why the others did not. @param drawn how many of them a baseline drew; null: all */
export function cohortText(
  { images, unreadable, sameClass, beyond }: CohortUse,
  drawn: number | null,
): string {
  const others = [
    [unreadable, 'could not be read'],
    [sameClass, 'are called as this image is'],
    [beyond, 'were not looked at: enough had been found'],
  ] as const;
  const left = others.flatMap(([count, why]) => (count === 0 ? [] : [`; ${count} ${why}`]));
  const of = drawn === null || drawn === images.length ? '' : `${drawn} drawn of `;
  return `${of}${images.length} ${images.length === 1 ? 'image' : 'images'} of the folder${left.join('')}`;
}

/** How many images of the cohort were drawn as baselines; null where every one took part, or every one might. */
export function drawnOf({
  baseline,
  baselineFindings,
}: Pick<ExplanationResult, 'baseline' | 'baselineFindings'>): number | null {
  return baseline === 'cohort-sample' ? baselineFindings.length : null;
}

/** What was found on the way, in words for what is known, by its name for the rest. */
export function findingTexts(findings: Readonly<Record<string, number>>): string[] {
  const { entropy, greatestEntropy, deviation, ...others } = findings;
  const share =
    entropy === undefined || greatestEntropy === undefined ? [] : [(100 * entropy) / greatestEntropy];
  return [
    ...share.map(
      (percent) =>
        `entropy reached ${(entropy ?? 0).toFixed(4)} of at most ${(greatestEntropy ?? 0).toFixed(4)} (${percent.toFixed(1)}\u00a0%)`,
    ),
    ...(deviation === undefined ? [] : [`noise of ${Number(deviation.toPrecision(4))} of the range`]),
    ...Object.entries(others).map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`),
  ];
}
