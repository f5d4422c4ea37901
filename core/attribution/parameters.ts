/** What methods and baselines have in common in what they take. */
import * as v from 'valibot';
import { PathlightError } from '../contract/errors.ts';
import { type Field, fieldsOf, limitsOf } from './fields.ts';

/**
 * A parameter's name and, where the name is not enough, what it means: kept in its schema, where forms and reports find them.
 * @param unit what its number is of, as it stands behind it: "10 px"
 */
export const called = <Schema extends v.GenericSchema>(
  title: string,
  schema: Schema,
  meaning = '',
  unit = '',
) => v.pipe(schema, v.title(title), v.description(meaning), v.metadata({ unit }));

export const integer = (least: number, greatest: number) =>
  v.pipe(v.number(), v.integer(), v.minValue(least), v.maxValue(greatest));
/** A share, 0 excluded. */
export const share = v.pipe(v.number(), v.gtValue(0), v.maxValue(1));
export const positive = v.pipe(v.number(), v.finite(), v.gtValue(0));
export const seed = v.optional(
  called('Seed', v.pipe(v.number(), v.safeInteger()), 'The same seed draws the same numbers.'),
  0,
);

/** Of IG2's path to a counterfactual. */
export const gradPathParameters = {
  steps: v.optional(called('Steps', integer(1, 4096)), 201),
  step: v.optional(
    called(
      'Length of a step',
      positive,
      'L2; 1 is a change of one element from the display\u2019s black to its white.',
    ),
    1,
  ),
};

const needed = {
  baseline: 'a baseline',
  references: 'at least one reference image',
  image: 'an image',
  entropy: 'the entropy of what the model says',
  representation: "the model's representation of images",
} as const;

/** What a method or a baseline may need besides the image. */
export type Need = keyof typeof needed;

export type Given<Request, Needs extends keyof Request> = Request & {
  [Key in Needs]-?: NonNullable<Request[Key]>;
};

/** @throws PathlightError `bad-request`: all that is needed, where something of it is missing */
export function given<Request extends Partial<Record<Need, unknown>>, Needs extends Need & keyof Request>(
  request: Request,
  needs: readonly Needs[],
  name: string,
): Given<Request, Needs> {
  const isGiven = (complete: Request): complete is Given<Request, Needs> =>
    needs.every((need) => {
      const value: unknown = complete[need];
      return value !== undefined && !(Array.isArray(value) && value.length === 0);
    });
  if (isGiven(request)) return request;
  throw new PathlightError('bad-request', `${name} needs: ${needs.map((need) => needed[need]).join(', ')}`);
}

/** @throws PathlightError `bad-request`: which parameter does not fit, and why */
export function parseParameters<Schema extends v.GenericSchema>(
  schema: Schema,
  parameters: unknown,
  name: string,
): v.InferOutput<Schema> {
  const parsed = v.safeParse(schema, parameters ?? {});
  if (parsed.success) return parsed.output;
  const [{ path = [], input, expected }] = parsed.issues;
  const keys = path.map(({ key }) => String(key));
  const fields = fieldsOf(schema);
  const field = fields.find(({ key }) => key === keys[0]);
  // What a strict object does not know, valibot expects never.
  if (expected === 'never') {
    const known = fields.map(({ key }) => key).join(', ') || 'none';
    throw misfit(`There is no parameter '${keys.join('.')}'; ${name} has ${known}`);
  }
  if (field === undefined) throw misfit(`${name} takes its parameters by name, not ${shown(input)}`);
  throw misfit(`${name}: ${keys.join('.')} is ${wanted(field, keys.length > 1)}, not ${shown(input)}`);
}

function misfit(message: string): PathlightError {
  return new PathlightError('bad-request', message, 'Leave a parameter out to take its default.');
}

/** @param within the value stands within that of the field */
function wanted(field: Field, within: boolean): string {
  if (field.kind === 'number') return limitsOf(field);
  if (field.kind === 'method' && !within)
    return `another method, as in ${field.key}.method=${field.options[0] ?? ''}`;
  return `one of ${field.options.join(', ')}`;
}

function shown(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : JSON.stringify(value);
}
