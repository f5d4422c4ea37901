/** What a form or a report needs of parameters, read off their schema: names, defaults, limits, choices. No second list. */
import * as v from 'valibot';

interface Named {
  /** Its key among the parameters. */
  key: string;
  title: string;
  /** What the title does not say; often empty. */
  meaning: string;
  /** What its number is of; often empty. */
  unit: string;
  /** Its default; undefined where that follows from the image. */
  usual: unknown;
}

export interface NumberField extends Named {
  kind: 'number';
  whole: boolean;
  least: number | null;
  greatest: number | null;
  /** `least` itself is left out. */
  above: boolean;
  /** What may stand in the number's place; null: nothing. */
  word: string | null;
}

export interface ChoiceField extends Named {
  kind: 'choice';
  options: readonly string[];
}

/** Another method, with parameters of its own. */
export interface MethodField extends Named {
  kind: 'method';
  options: readonly string[];
}

export type Field = NumberField | ChoiceField | MethodField;

/** What is looked at in a schema, or in a step of its pipe. */
const Part = v.looseObject({
  type: v.string(),
  wrapped: v.optional(v.unknown()),
  default: v.optional(v.unknown()),
  entries: v.optional(v.record(v.string(), v.unknown())),
  options: v.optional(v.array(v.unknown())),
  literal: v.optional(v.string()),
  pipe: v.optional(v.array(v.unknown())),
  requirement: v.optional(v.unknown()),
  title: v.optional(v.string()),
  description: v.optional(v.string()),
  metadata: v.optional(v.object({ unit: v.string() })),
});
type Part = v.InferOutput<typeof Part>;

/** A schema's own pipe begins with the schema without it. */
function steps(part: Part): Part[] {
  return part.pipe === undefined ? [part] : part.pipe.flatMap((step) => steps(v.parse(Part, step)));
}

function numberOf(parts: readonly Part[]): Pick<NumberField, 'whole' | 'least' | 'greatest' | 'above'> {
  const limit = (type: string): number | null => {
    const found = parts.find((part) => part.type === type)?.requirement;
    return typeof found === 'number' ? found : null;
  };
  const above = limit('gt_value');
  return {
    whole: parts.some(({ type }) => type === 'integer' || type === 'safe_integer'),
    least: above ?? limit('min_value'),
    greatest: limit('max_value'),
    above: above !== null,
  };
}

function fieldOf(key: string, entry: unknown): Field {
  const optional = v.parse(Part, entry);
  const parts = steps(v.parse(Part, optional.wrapped));
  const [base] = parts;
  const named: Named = {
    key,
    title: parts.find(({ title }) => title !== undefined)?.title ?? key,
    meaning: parts.find(({ description }) => description !== undefined)?.description ?? '',
    unit: parts.find(({ metadata }) => metadata !== undefined)?.metadata?.unit ?? '',
    usual: optional.default,
  };
  const texts = (options: readonly unknown[] = []): string[] =>
    options.filter((option) => typeof option === 'string');
  switch (base?.type) {
    case 'number':
      return { ...named, kind: 'number', ...numberOf(parts), word: null };
    case 'picklist':
      return { ...named, kind: 'choice', options: texts(base.options) };
    case 'union': {
      const [number, word] = (base.options ?? []).map((option) => v.parse(Part, option));
      return {
        ...named,
        kind: 'number',
        ...numberOf(number === undefined ? [] : steps(number)),
        word: word?.literal ?? null,
      };
    }
    case 'strict_object': {
      const method = v.parse(Part, base.entries?.['method']);
      return { ...named, kind: 'method', options: texts(method.options) };
    }
    default:
      throw new Error(`A parameter of a kind that no form knows: ${key}`);
  }
}

/** The parameters of a method or a baseline, in their order. @param schema a strict object of optional entries */
export function fieldsOf(schema: v.GenericSchema): readonly Field[] {
  return Object.entries(v.parse(Part, schema).entries ?? {}).map(([key, entry]) => fieldOf(key, entry));
}

/** "a whole number from 1 to 4096" */
export function limitsOf({ whole, least, greatest, above, word }: NumberField): string {
  const number = whole ? 'a whole number' : 'a number';
  const range =
    least === null && greatest === null
      ? ''
      : greatest === null
        ? ` ${above ? 'above' : 'from'} ${least ?? 0}${above ? '' : ' on'}`
        : ` ${above ? 'above' : 'from'} ${least ?? 0} ${above ? 'and at most' : 'to'} ${greatest}`;
  return `${number}${range}${word === null ? '' : `, or ${word}`}`;
}

export interface Stated {
  key: string;
  title: string;
  value: string;
}

/**
 * Every parameter with its value, defaults filled in, as text; those of a method beneath follow its name in brackets.
 * @param inner the schema and the name of such a method
 */
export function stateParameters(
  schema: v.GenericSchema,
  parameters: Readonly<Record<string, unknown>>,
  inner: (method: string) => { name: string; parameters: v.GenericSchema },
): readonly Stated[] {
  return fieldsOf(schema).flatMap((field): readonly Stated[] => {
    const { key, title, unit, usual } = field;
    const value = parameters[key] ?? usual;
    if (field.kind !== 'method')
      return value === undefined ? [] : [{ key, title, value: textOf(value, unit) }];
    const { method, parameters: own } = methodIn(value);
    const { name, parameters: innerSchema } = inner(method);
    const beneath = stateParameters(innerSchema, own, inner).map((each) => `${each.title} ${each.value}`);
    return [{ key, title, value: beneath.length === 0 ? name : `${name} (${beneath.join(', ')})` }];
  });
}

const Around = v.object({
  method: v.string(),
  parameters: v.optional(v.record(v.string(), v.unknown()), {}),
});

/** The value of a `MethodField`. */
export function methodIn(value: unknown): { method: string; parameters: Readonly<Record<string, unknown>> } {
  return v.parse(Around, value);
}

function textOf(value: unknown, unit: string): string {
  if (typeof value !== 'number') return String(value);
  return `${String(value).replace('-', '\u2212')}${unit === '' ? '' : ` ${unit}`}`;
}
