import { describe, expect, test } from 'vitest';
import * as v from 'valibot';
import { type BaselineId, type BaselineKind, baselineKinds } from '../../core/attribution/baseline-kinds.ts';
import { fieldsOf, limitsOf, type Field } from '../../core/attribution/fields.ts';
import { completeMethod, mapScale, needsOf } from '../../core/attribution/choices.ts';
import {
  baselineName,
  findingTexts,
  limitsText,
  settingsText,
  statedBaseline,
  statedMethod,
} from '../../core/attribution/stated.ts';
import { type Method, type MethodId, methods } from '../../core/attribution/methods.ts';

const everything = [
  ...Object.entries<Method | BaselineKind>(methods),
  ...Object.entries<Method | BaselineKind>(baselineKinds),
];

describe.each(everything)('%s', (_, { parameters, family }) => {
  const fields = fieldsOf(parameters);
  test('names each of its parameters, and stands under a heading', () => {
    expect(family).toMatch(/^[A-Z]/);
    for (const { key, title } of fields) {
      expect(title).not.toBe(key);
      expect(title).toMatch(/^[A-Z][^.]*$/);
    }
  });

  test('gives the defaults that the schema fills in', () => {
    const usual = fields.flatMap((field) =>
      field.usual === undefined ? [] : [[field.key, field.usual] as const],
    );
    expect(v.parse(parameters, {})).toEqual(Object.fromEntries(usual));
  });

  test('has the limits that the schema holds parameters to', () => {
    const takes = (field: Field, value: unknown) => v.is(parameters, { [field.key]: value });
    for (const field of fields) {
      if (field.kind === 'number') {
        const { least, greatest, above, whole, word } = field;
        if (least !== null) expect(takes(field, least)).toBe(!above);
        if (least !== null) expect(takes(field, least - (whole ? 1 : 1e-9))).toBe(false);
        if (greatest !== null) expect(takes(field, greatest)).toBe(true);
        if (greatest !== null) expect(takes(field, greatest + (whole ? 1 : 1e-9))).toBe(false);
        expect(takes(field, (least ?? 0) + 0.5)).toBe(!whole);
        if (word !== null) expect(takes(field, word)).toBe(true);
      } else {
        expect(field.options.length).toBeGreaterThan(1);
        for (const option of field.options) {
          expect(takes(field, field.kind === 'method' ? { method: option } : option)).toBe(true);
        }
      }
    }
  });
});

test('limits are said in words', () => {
  const words = (schema: v.GenericSchema) =>
    fieldsOf(schema).flatMap((field) =>
      field.kind === 'number' ? [`${field.key}: ${limitsOf(field)}`] : [],
    );
  expect(words(methods['smooth-taylor'].parameters)).toEqual([
    'roots: a whole number from 1 to 4096',
    'deviation: a number above 0, or adaptive',
    'seed: a whole number',
  ]);
  expect(words(methods['guided-ig'].parameters)).toEqual([
    'steps: a whole number from 1 to 4096',
    'fraction: a number above 0 and at most 1',
    'maxDistance: a number from 0 to 1',
  ]);
});

test('parameters are told with their defaults, and those of a method beneath', () => {
  const told = (id: MethodId, parameters = {}) => settingsText(statedMethod({ id, parameters }));
  expect(told('blur-ig', { steps: 12 })).toBe(
    'Steps 12 · Largest blur 50 px · Even steps of sigma · Beyond the border reflect · Rule of the sum trapezoid',
  );
  expect(told('gradient')).toBe('');
  expect(told('xrai', { around: { method: 'idgi-ig', parameters: { steps: 8 } } })).toBe(
    'Of the method IDGI on Integrated Gradients (Steps 8) · Order of the regions full',
  );
  expect(settingsText(statedBaseline({ id: 'uniform', parameters: { seed: -7 } }))).toBe(
    'Seed −7 · Count 10',
  );
});

test('baselines and what was found are told within sentences', () => {
  const limits = (id: BaselineId) => limitsText('integrated-gradients', id);
  expect(limits('image')).toContain('relative to an image of your own;');
  expect(limits('cohort-mean')).toContain('relative to the mean of a cohort;');
  expect(limits('blurred')).toContain('relative to the blurred baseline;');
  expect(baselineName('gaussian')).toBe('Gaussian noise');
  expect(baselineName('cohort-mean')).toBe('mean of a cohort');
  expect(findingTexts({ deviation: 0.125, roughness: 2 })).toEqual([
    'noise of 0.125 of the range',
    'roughness 2',
  ]);
});

const asked = (id: MethodId, parameters = {}) => completeMethod({ id, parameters }, 'logit');

test('a method needs what it is put around needs, too', () => {
  expect([...needsOf(asked('smoothgrad'))]).toEqual([]);
  expect([...needsOf(asked('smoothgrad', { around: { method: 'integrated-gradients' } }))]).toEqual([
    'baseline',
  ]);
  const twice = { around: { method: 'smoothgrad', parameters: { around: { method: 'ig2' } } } };
  expect([...needsOf(asked('xrai', twice))]).toEqual(['references', 'representation']);
});

test('squares have no sign and a unit of their own, whatever stands around them', () => {
  const scale = (id: MethodId, parameters = {}) => mapScale(asked(id, parameters), 'logit');
  expect(scale('integrated-gradients')).toEqual({ unit: 'logit per pixel', slope: false, signed: true });
  expect(scale('smoothgrad')).toEqual({ unit: 'logit per unit of the input', slope: true, signed: true });
  expect(scale('xrai', { around: { method: 'vargrad' } })).toEqual({
    unit: '(logit per unit of the input)²',
    slope: true,
    signed: false,
  });
  const squares = { around: { method: 'vargrad', parameters: { around: { method: 'blur-ig' } } } };
  expect(scale('smoothgrad-squared', squares)).toEqual({
    unit: '(logit per pixel)^4',
    slope: false,
    signed: false,
  });
});
