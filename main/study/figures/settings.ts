/** The methods and baselines of a plan as a summary prints them: with all parameters, those left to their defaults, too. */
import * as v from 'valibot';
import { baselineKinds } from '../../../core/attribution/baseline-kinds.ts';
import { fieldsOf } from '../../../core/attribution/fields.ts';
import { methods } from '../../../core/attribution/methods.ts';
import { grouped } from '../grouped.ts';
import type { Cell } from '../plan.ts';
import type { StudySetting } from './report.ts';

const Parameters = v.record(v.string(), v.unknown());

export function methodSettings(cells: readonly Cell[]): StudySetting[] {
  return Array.from(
    grouped(cells, ({ method }) => method),
    ([method, of]) => {
      const { name, parameters } = methods[method];
      return {
        name,
        parameters: textOf(
          parameters,
          of.map((cell) => cell.parameters.method),
        ),
      };
    },
  );
}

export function baselineSettings(cells: readonly Cell[]): StudySetting[] {
  return Array.from(grouped(cells, ({ baseline }) => baseline)).flatMap(([baseline, of]) => {
    if (baseline === null) return [];
    const { name, parameters } = baselineKinds[baseline];
    return [
      {
        name,
        parameters: textOf(
          parameters,
          of.map((cell) => cell.parameters.baseline),
        ),
      },
    ];
  });
}

/** "nodes 9, 17, 33; rule trapezoid": every value that a parameter took. */
function textOf(schema: v.GenericSchema, given: readonly Readonly<Record<string, unknown>>[]): string {
  const filled = given.map((parameters) => v.parse(Parameters, v.parse(schema, parameters)));
  return fieldsOf(schema)
    .map(({ key, title }) => {
      const values = [...new Set(filled.map((parameters) => valueText(parameters[key])))];
      return `${title.charAt(0).toLowerCase()}${title.slice(1)} ${values.join(', ')}`;
    })
    .join('; ');
}

/** A parameter that is a method has parameters of its own. */
function valueText(value: unknown): string {
  if (value === undefined) return 'as the image asks for';
  if (typeof value === 'string') return value;
  return JSON.stringify(value);
}
