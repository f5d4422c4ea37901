/** `pathlight methods`: every method and baseline, from their tables. */
import { type BaselineKind, baselineKinds } from '../../core/attribution/baseline-kinds.ts';
import { type Field, fieldsOf, limitsOf } from '../../core/attribution/fields.ts';
import { type Method, methods } from '../../core/attribution/methods.ts';
import type { Need } from '../../core/attribution/parameters.ts';
import type { Command } from './arguments.ts';
import type { ExitCode, Terminal } from './session.ts';

/** How what is needed is given; what the model gives by itself needs nothing. */
const given: Partial<Record<Need, string>> = {
  baseline: 'a baseline',
  references: '--cohort DIR',
  image: '--baseline-image FILE',
};

export function listMethods({ json }: Extract<Command, { command: 'methods' }>, { out }: Terminal): ExitCode {
  const all = {
    method: Object.entries<Method>(methods),
    baseline: Object.entries<BaselineKind>(baselineKinds),
  };
  if (json) {
    for (const [id, { name, helps, sum, needs, parameters }] of all.method) {
      const line = { kind: 'method', id, name, helps, sum, needs, parameters: fieldsOf(parameters) };
      out.write(`${JSON.stringify(line)}\n`);
    }
    for (const [id, { name, meaning, several, needs, parameters }] of all.baseline) {
      const line = { kind: 'baseline', id, name, meaning, several, needs, parameters: fieldsOf(parameters) };
      out.write(`${JSON.stringify(line)}\n`);
    }
    return 0;
  }
  out.write('Methods (--method ID, --set NAME=VALUE)\n');
  for (const [id, { helps, sum, needs, parameters }] of all.method) {
    out.write(entry(id, [helps, `Sum: ${sum}.`], needs, parameters));
  }
  out.write('\nBaselines (--baseline ID, --baseline-set NAME=VALUE)\n');
  for (const [id, { meaning, several, needs, parameters }] of all.baseline) {
    const many = several ? ['Several: their maps are averaged, and the spread is stated.'] : [];
    out.write(entry(id, [meaning, ...many], needs, parameters));
  }
  return 0;
}

function entry(
  id: string,
  sentences: readonly string[],
  needs: readonly Need[],
  schema: Method['parameters'],
): string {
  const wanted = needs.flatMap((need) => given[need] ?? []);
  const lines = [
    ...sentences,
    ...(wanted.length === 0 ? [] : [`Needs ${wanted.join(' and ')}.`]),
    ...fieldsOf(schema).map((field) => `${field.key}=${usual(field)}  ${values(field)}`),
  ];
  return `\n  ${id}\n${lines.map((line) => `    ${line}\n`).join('')}`;
}

/** The default; '...' where it follows from the image. */
function usual({ usual: value }: Field): string {
  if (typeof value === 'object' && value !== null && 'method' in value) return usualText(value.method);
  return usualText(value);
}

function usualText(value: unknown): string {
  return typeof value === 'number' || typeof value === 'string' ? String(value) : '...';
}

/** "Steps: a whole number from 1 to 4096. What it means." */
function values(field: Field): string {
  const { title, meaning } = field;
  const range = field.kind === 'number' ? limitsOf(field) : field.options.join(', ');
  const limits = field.kind === 'method' ? 'any method, as around.method, with around.parameters' : range;
  return `${title}: ${limits}.${meaning === '' ? '' : ` ${meaning}`}`;
}
