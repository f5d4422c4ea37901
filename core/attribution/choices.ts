/** A method or a baseline as it is asked for: by its name and what differs from the defaults. */
import * as v from 'valibot';
import { type BaselineId, type BaselineKind, baselineKinds } from './baseline-kinds.ts';
import { type BaselineInput, blurSigma } from './baselines.ts';
import { differenceFloor } from './convergence.ts';
import { type Method, METHOD_IDS, type MethodId, methods } from './methods.ts';
import type { Scalar } from './model.ts';
import { type Need, parseParameters } from './parameters.ts';

export type Parameters = Readonly<Record<string, unknown>>;

/** By name, with its parameters as the schema of its table says; what is left out takes its default. */
export interface Choice<Id extends string> {
  id: Id;
  parameters: Parameters;
}

const record = v.record(v.string(), v.unknown());
const beneath = v.object({ around: v.object({ method: v.picklist(METHOD_IDS), parameters: record }) });

/** The method that a method is put around, or null. @param parameters complete ones */
function methodBeneath(parameters: Parameters): Choice<MethodId> | null {
  const { success, output } = v.safeParse(beneath, parameters);
  return success ? { id: output.around.method, parameters: output.around.parameters } : null;
}

/**
 * The same choice with every parameter stated, those of a method beneath included.
 * @param scalar decides the least difference of scores that a gap is held against
 * @throws PathlightError `bad-request`: which parameter does not fit, and why
 */
export function completeMethod({ id, parameters }: Choice<MethodId>, scalar: Scalar): Choice<MethodId> {
  const method: Method = methods[id];
  const floor = id === 'integrated-gradients' ? { differenceFloor: differenceFloor(scalar) } : {};
  const complete = v.parse(
    record,
    parseParameters(method.parameters, { ...floor, ...parameters }, method.name),
  );
  const inner = methodBeneath(complete);
  if (inner === null) return { id, parameters: complete };
  const around = completeMethod(inner, scalar);
  return { id, parameters: { ...complete, around: { method: around.id, parameters: around.parameters } } };
}

/**
 * The same choice with every parameter stated.
 * @throws PathlightError `bad-request`: which parameter does not fit, and why
 */
export function completeBaseline(
  { id, parameters }: Choice<BaselineId>,
  input: Pick<BaselineInput, 'height' | 'width'>,
): Choice<BaselineId> {
  const kind: BaselineKind = baselineKinds[id];
  const own = id === 'blurred' ? { sigma: blurSigma(input) } : {};
  return {
    id,
    parameters: v.parse(record, parseParameters(kind.parameters, { ...own, ...parameters }, kind.name)),
  };
}

/** The method and those beneath it, the outermost first. @param choice a complete one */
function chain(choice: Choice<MethodId>): Choice<MethodId>[] {
  const inner = methodBeneath(choice.parameters);
  return [choice, ...(inner === null ? [] : chain(inner))];
}

/** What a method needs besides the image, with what is beneath it. @param choice a complete one */
export function needsOf(choice: Choice<MethodId>): ReadonlySet<Need> {
  return new Set(chain(choice).flatMap(({ id }) => methods[id].needs));
}

/** What may bring a map's sum nearer to what it should be; null where nothing is known to. @param choice a complete one */
export function nearerBy(choice: Choice<MethodId>): string | null {
  return chain(choice)
    .map(({ id }): Method => methods[id])
    .reduce<string | null>((found, { nearer }) => nearer ?? found, null);
}

/** Whether what it explains are noisy images instead of the image. @param choice a complete one */
export function explainsNoisyImages(choice: Choice<MethodId>): boolean {
  return chain(choice).some(({ id }) => {
    const method: Method = methods[id];
    return method.noisy === true;
  });
}

const Criterion = v.object({
  gapTolerance: v.number(),
  mapTolerance: v.number(),
  maxEvaluations: v.number(),
});

/** When the integral stops that the method is or is put around; null of one that has no criterion. @param choice a complete one */
export function criterionOf(choice: Choice<MethodId>): v.InferOutput<typeof Criterion> | null {
  const own = chain(choice).find(({ id }) => id === 'integrated-gradients');
  const { success, output } = v.safeParse(Criterion, own?.parameters);
  return success ? output : null;
}

/** What the map's values are, summed over the channels of a pixel. */
export interface MapScale {
  unit: string;
  /** What the score would answer to, and not a share of it. */
  slope: boolean;
  /** Whether they tell for from against. */
  signed: boolean;
}

/** @param choice a complete one. @param scalar what is explained, by name */
export function mapScale(choice: Choice<MethodId>, scalar: string): MapScale {
  const steps = chain(choice).map(({ id }): Method['unit'] => methods[id].unit);
  const slope = steps.at(-1) === 'slope';
  const squares = steps.filter((unit) => unit === 'beneath squared').length;
  const unit = slope ? `${scalar} per unit of the input` : `${scalar} per pixel`;
  return {
    unit: squares === 0 ? unit : `(${unit})${squares === 1 ? '\u00b2' : `^${2 ** squares}`}`,
    slope,
    signed: squares === 0,
  };
}
