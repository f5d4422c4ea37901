/** What may be said on the command line, parsed into one typed command. */
import path from 'node:path';
import { parseArgs, type ParseArgsConfig } from 'node:util';
import {
  BASELINE_IDS,
  type BaselineId,
  type BaselineKind,
  baselineKinds,
} from '../../core/attribution/baseline-kinds.ts';
import { type Choice, completeMethod, needsOf } from '../../core/attribution/choices.ts';
import { METHOD_IDS, type MethodId } from '../../core/attribution/methods.ts';
import type { Scalar } from '../../core/attribution/model.ts';
import { type Need, parseParameters } from '../../core/attribution/parameters.ts';
import { type Provider, PROVIDERS } from '../../core/contract/device.ts';
import { BASELINES, DEFAULT_BASELINE, type BaselineName } from '../../core/contract/result.ts';
import { METRIC_IDS, type MetricId } from '../../core/metrics/metrics.ts';
import { DEFAULT_METRICS, DESIGN_IDS, type Grid, gridsOf, STUDY_BASELINES } from '../study/plan.ts';
import type { TransformChoice } from '../app/contrast.ts';

/** A mistake in what was typed: the message says which, and the command ends with exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Absolute paths; null: not named. */
interface OtherImages {
  cohort: string | null;
  baselineImage: string | null;
}

/** What an explanation is to be of. */
export interface ExplanationChoices {
  model: string;
  method: Choice<MethodId>;
  /** null: the method needs none. */
  baseline: Choice<BaselineId> | null;
  /** null: the card's positive label. */
  target: string | null;
  scalar: Scalar;
}

export type Command =
  | { command: 'help'; topic: CommandName | null }
  | { command: 'version' }
  | {
      command: 'explain';
      paths: string[];
      choices: ExplanationChoices;
      /** Counted from 0. */
      frame: number;
      /** Explains from the four plain baselines, so that the report compares them. */
      compare: boolean;
      /** Absolute, as is the file. */
      cohort: string | null;
      baselineImage: string | null;
      out: string;
      models: string | null;
      device: Provider;
      json: boolean;
    }
  | {
      command: 'compare';
      file: string;
      /** Another file, or a change of the same one. */
      other: string | TransformChoice;
      choices: ExplanationChoices;
      /** Counted from 0. */
      frame: number;
      out: string;
      models: string | null;
      device: Provider;
      json: boolean;
    }
  | {
      command: 'audit';
      folder: string;
      choices: ExplanationChoices;
      out: string;
      models: string | null;
      device: Provider;
      json: boolean;
    }
  | {
      command: 'study';
      folder: string;
      /** Absolute, as are the other files and folders. null: every image counts alike. */
      labels: string | null;
      masks: string | null;
      cohort: string | null;
      modelIds: readonly string[];
      grids: readonly Grid[];
      metrics: readonly MetricId[];
      /** null: what the model decides on each image. */
      target: string | null;
      scalar: Scalar;
      blank: BaselineName;
      /** null: all images. */
      limit: number | null;
      seed: number;
      out: string;
      models: string | null;
      device: Provider;
      json: boolean;
    }
  /** The browser host reads its own options. */
  | { command: 'serve'; args: string[] }
  | { command: 'methods'; json: boolean }
  | { command: 'devices'; json: boolean }
  | { command: 'model check'; file: string; json: boolean };

const COMMANDS = [
  'explain',
  'compare',
  'audit',
  'study',
  'serve',
  'methods',
  'devices',
  'model check',
] as const;
export type CommandName = (typeof COMMANDS)[number];

const SCALARS: readonly Scalar[] = ['logit', 'probability', 'log-probability'];
const DEFAULT_MODEL = 'pneumonia';
const DEFAULT_OUT = 'pathlight-out';

const help = { help: { type: 'boolean', short: 'h' } } as const;
const explanation = {
  ...help,
  model: { type: 'string' },
  method: { type: 'string' },
  set: { type: 'string', multiple: true },
  baseline: { type: 'string' },
  'baseline-set': { type: 'string', multiple: true },
  target: { type: 'string' },
  scalar: { type: 'string' },
  out: { type: 'string' },
  models: { type: 'string' },
  device: { type: 'string' },
  json: { type: 'boolean' },
} as const;

const studied = {
  ...help,
  labels: { type: 'string' },
  masks: { type: 'string' },
  cohort: { type: 'string' },
  model: { type: 'string' },
  design: { type: 'string' },
  methods: { type: 'string' },
  baselines: { type: 'string' },
  steps: { type: 'string' },
  metrics: { type: 'string' },
  target: { type: 'string' },
  scalar: { type: 'string' },
  blank: { type: 'string' },
  limit: { type: 'string' },
  seed: { type: 'string' },
  out: { type: 'string' },
  models: { type: 'string' },
  device: { type: 'string' },
  json: { type: 'boolean' },
} as const;

/** @throws UsageError */
export function parseCommand(words: readonly string[]): Command {
  const [first, second] = words;
  if (first === undefined || first === '--help' || first === '-h' || first === 'help') {
    return { command: 'help', topic: null };
  }
  if (first === '--version' || first === '-v' || first === 'version') return { command: 'version' };
  switch (first) {
    case 'explain':
      return parseExplain(words.slice(1));
    case 'compare':
      return parseCompare(words.slice(1));
    case 'audit':
      return parseAudit(words.slice(1));
    case 'study':
      return parseStudy(words.slice(1));
    case 'serve':
      return { command: 'serve', args: words.slice(1) };
    case 'methods':
    case 'devices':
      return parseListing(first, words.slice(1));
    case 'model':
      if (second === 'check') return parseModelCheck(words.slice(2));
      if (second === '--help' || second === '-h') return { command: 'help', topic: 'model check' };
      throw new UsageError("'model' is followed by 'check' and a model");
    default:
      throw new UsageError(`There is no command '${first}': the commands are ${COMMANDS.join(', ')}`);
  }
}

function parseExplain(words: string[]): Command {
  const options = {
    ...explanation,
    frame: { type: 'string' },
    compare: { type: 'boolean' },
    cohort: { type: 'string' },
    'baseline-image': { type: 'string' },
  } as const;
  const { values, positionals } = parse(words, options);
  if (values.help === true) return { command: 'help', topic: 'explain' };
  if (positionals.length === 0) throw new UsageError("'explain' wants a DICOM file or a folder");
  const others = { cohort: pathOf(values.cohort), baselineImage: pathOf(values['baseline-image']) };
  return {
    command: 'explain',
    paths: positionals,
    ...runOf(values, others),
    frame: frameOf(values.frame),
    compare: values.compare === true,
    ...others,
    out: path.resolve(values.out ?? DEFAULT_OUT),
  };
}

function parseCompare(words: string[]): Command {
  const change = { zoom: { type: 'string' }, shift: { type: 'string' }, window: { type: 'string' } } as const;
  const options = { ...explanation, ...change, frame: { type: 'string' } } as const;
  const { values, positionals } = parse(withNegativeValues(words), options);
  if (values.help === true) return { command: 'help', topic: 'compare' };
  const [file, second, third] = positionals;
  if (file === undefined || third !== undefined) {
    throw new UsageError("'compare' wants one DICOM file and a change of it, or two files");
  }
  const changed = [values.zoom, values.shift, values.window].some((value) => value !== undefined);
  if (second !== undefined && changed) {
    throw new UsageError('--zoom, --shift and --window change one file: name one, or two without them');
  }
  if (second === undefined && !changed) {
    throw new UsageError("'compare' wants a second file, or --zoom, --shift or --window");
  }
  return {
    command: 'compare',
    file,
    other: second ?? transformOf(values),
    ...runOf(values),
    frame: frameOf(values.frame),
    out: path.resolve(values.out ?? DEFAULT_OUT),
  };
}

/** `--shift -8,0` as `--shift=-8,0`: a value that begins with a dash is taken for an option otherwise. */
function withNegativeValues(words: readonly string[]): string[] {
  const negative = (at: number): boolean =>
    /^--(shift|window)$/.test(words[at] ?? '') && /^-[\d.]/.test(words[at + 1] ?? '');
  return words.flatMap((word, i) => {
    if (negative(i)) return [`${word}=${words[i + 1] ?? ''}`];
    return negative(i - 1) ? [] : [word];
  });
}

/** Magnifications beyond these leave next to nothing of the picture, or next to nothing to see. */
const ZOOMS = [0.1, 10] as const;

function transformOf({
  zoom,
  shift,
  window,
}: {
  zoom?: string | undefined;
  shift?: string | undefined;
  window?: string | undefined;
}): TransformChoice {
  const factor = zoom === undefined ? 1 : numbers('--zoom', zoom, 1, 'a factor such as 1.1')[0];
  if (factor === undefined || factor < ZOOMS[0] || factor > ZOOMS[1]) {
    throw new UsageError(`--zoom is a factor from ${ZOOMS[0]} to ${ZOOMS[1]}, not '${zoom ?? ''}'`);
  }
  const [columns = 0, rows = 0] =
    shift === undefined ? [] : numbers('--shift', shift, 2, 'columns and rows, such as 8,0 or -4.5,2');
  const [center = NaN, width = NaN] =
    window === undefined ? [] : numbers('--window', window, 2, 'centre and width, such as 2020,3800');
  return { zoom: factor, shift: { columns, rows }, window: window === undefined ? null : { center, width } };
}

function numbers(option: string, text: string, count: number, wanted: string): number[] {
  const values = text.split(',').map((part) => (part.trim() === '' ? NaN : Number(part)));
  if (values.length === count && values.every((value) => Number.isFinite(value))) return values;
  throw new UsageError(`${option} is ${wanted}, not '${text}'`);
}

function parseAudit(words: string[]): Command {
  const { values, positionals } = parse(words, explanation);
  if (values.help === true) return { command: 'help', topic: 'audit' };
  const folder = only(positionals, "'audit' wants one folder of DICOM files");
  if (values.model === undefined) throw new UsageError("'audit' wants --model ID");
  if (values.out === undefined) throw new UsageError("'audit' wants --out DIR");
  return {
    command: 'audit',
    folder,
    ...runOf(values),
    out: path.resolve(values.out),
  };
}

function parseStudy(words: string[]): Command {
  const { values, positionals } = parse(words, studied);
  if (values.help === true) return { command: 'help', topic: 'study' };
  const folder = only(positionals, "'study' wants one folder of DICOM files");
  if (values.out === undefined) throw new UsageError("'study' wants --out DIR");
  const design = values.design === undefined ? null : oneOf('--design', values.design, DESIGN_IDS);
  const chosen = {
    methods: severalOf('--methods', values.methods, METHOD_IDS),
    baselines: severalOf('--baselines', values.baselines, STUDY_BASELINES),
    steps: listOf(values.steps)?.map((steps) => integer('--steps', steps, 2, 2048)) ?? null,
  };
  return {
    command: 'study',
    folder,
    labels: pathOf(values.labels),
    masks: pathOf(values.masks),
    cohort: pathOf(values.cohort),
    modelIds: listOf(values.model) ?? [DEFAULT_MODEL],
    grids: gridsOf(design, chosen),
    metrics: severalOf('--metrics', values.metrics, METRIC_IDS) ?? DEFAULT_METRICS,
    target: values.target ?? null,
    scalar: oneOf('--scalar', values.scalar ?? 'logit', SCALARS),
    blank: oneOf('--blank', values.blank ?? DEFAULT_BASELINE, BASELINES),
    limit: values.limit === undefined ? null : integer('--limit', values.limit, 1, 1_000_000),
    seed: values.seed === undefined ? 1 : integer('--seed', values.seed, 0, 2 ** 31 - 1),
    out: path.resolve(values.out),
    models: pathOf(values.models),
    device: oneOf('--device', values.device ?? 'cpu', PROVIDERS),
    json: values.json === true,
  };
}

function parseListing(command: 'methods' | 'devices', words: string[]): Command {
  const { values, positionals } = parse(words, { ...help, json: { type: 'boolean' } } as const);
  if (values.help === true) return { command: 'help', topic: command };
  if (positionals.length > 0) throw new UsageError(`'${command}' takes no names`);
  return { command, json: values.json === true };
}

function parseModelCheck(words: string[]): Command {
  const { values, positionals } = parse(words, { ...help, json: { type: 'boolean' } } as const);
  if (values.help === true) return { command: 'help', topic: 'model check' };
  const file = only(positionals, "'model check' wants one ONNX file, or the folder of a TensorFlow.js model");
  return { command: 'model check', file: path.resolve(file), json: values.json === true };
}

function parse<T extends NonNullable<ParseArgsConfig['options']>>(args: string[], options: T) {
  try {
    return parseArgs({ args, options, allowPositionals: true, strict: true });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const [, option] = /^Option '(?:-\w, )?(--[\w-]+).*' argument is ambiguous/.exec(message) ?? [];
    throw new UsageError(
      option === undefined
        ? message
        : `${option} wants a value; one that begins with a dash is written ${option}=-1`,
    );
  }
}

/** What every command that explains takes. @param others what to compare with; null: the command takes no other images */
function runOf(
  values: Parameters<typeof choicesOf>[0] & {
    models?: string | undefined;
    device?: string | undefined;
    json?: boolean | undefined;
  },
  others: OtherImages | null = null,
): { choices: ExplanationChoices; models: string | null; device: Provider; json: boolean } {
  return {
    choices: choicesOf(values, others),
    models: pathOf(values.models),
    device: oneOf('--device', values.device ?? 'cpu', PROVIDERS),
    json: values.json === true,
  };
}

/** Counted from 0, as the code does; the user counts from 1. */
function frameOf(given: string | undefined): number {
  return given === undefined ? 0 : integer('--frame', given, 1, 1_000_000) - 1;
}

/** @param others what to compare with; null: the command takes no other images */
function choicesOf(
  values: {
    model?: string | undefined;
    method?: string | undefined;
    set?: string[] | undefined;
    baseline?: string | undefined;
    'baseline-set'?: string[] | undefined;
    target?: string | undefined;
    scalar?: string | undefined;
  },
  others: OtherImages | null,
): ExplanationChoices {
  const scalar = oneOf('--scalar', values.scalar ?? 'logit', SCALARS);
  const id = oneOf('--method', values.method ?? 'integrated-gradients', METHOD_IDS);
  const method = completeMethod({ id, parameters: settings('--set', values.set) }, scalar);
  const needs = new Set(needsOf(method));
  const baseline = needs.has('baseline') ? baselineOf(values, others) : null;
  if (baseline === null) {
    const named = ['baseline', 'baseline-set'].find((option) => Object.hasOwn(values, option));
    if (named !== undefined) throw new UsageError(`${id} needs no baseline: leave out --${named}`);
  } else {
    const kind: BaselineKind = baselineKinds[baseline.id];
    for (const need of kind.needs) needs.add(need);
  }
  checkOthers(baseline === null ? id : `${id} from the baseline ${baseline.id}`, needs, others);
  return { model: values.model ?? DEFAULT_MODEL, method, baseline, target: values.target ?? null, scalar };
}

/** @throws UsageError: other images are needed and not named, or named and not needed */
function checkOthers(name: string, needs: ReadonlySet<Need>, others: OtherImages | null): void {
  const kinds = [
    {
      need: 'references',
      given: others?.cohort,
      option: '--cohort DIR',
      elsewhere: "other images to compare with: 'explain' and 'study' take them",
    },
    {
      need: 'image',
      given: others?.baselineImage,
      option: '--baseline-image FILE',
      elsewhere: "an image of your own: 'explain' takes one",
    },
  ] as const;
  for (const { need, given, option, elsewhere } of kinds) {
    if (others === null && needs.has(need)) throw new UsageError(`${name} needs ${elsewhere}`);
    if (needs.has(need) && given === null) throw new UsageError(`${name} needs ${option}`);
    if (!needs.has(need) && given != null) throw new UsageError(`${name} makes no use of ${option}`);
  }
}

function baselineOf(
  values: { baseline?: string | undefined; 'baseline-set'?: string[] | undefined },
  others: OtherImages | null,
): Choice<BaselineId> {
  const usual = others?.baselineImage == null ? DEFAULT_BASELINE : 'image';
  const id = oneOf('--baseline', values.baseline ?? usual, BASELINE_IDS);
  const parameters = settings('--baseline-set', values['baseline-set']);
  const kind: BaselineKind = baselineKinds[id];
  // Only checked: a default may follow from the size of the model's input.
  parseParameters(kind.parameters, parameters, kind.name);
  return { id, parameters };
}

/** "steps=50", "around.method=guided-ig": what is a number becomes one; names within names become objects within objects. */
function settings(option: string, pairs: readonly string[] = []): Record<string, unknown> {
  const all: Record<string, unknown> = {};
  for (const pair of pairs) {
    const [, name = '', value = ''] = /^([\w.-]+)=(.+)$/.exec(pair) ?? [];
    const path = name.split('.');
    const last = path.pop() ?? '';
    if (last === '' || path.includes('') || [...path, last].includes('__proto__')) {
      throw new UsageError(`${option} wants name=value, not '${pair}'`);
    }
    let within = all;
    for (const part of path) {
      const inner: unknown = within[part] ?? {};
      if (!isRecord(inner)) throw new UsageError(`${option} sets '${part}' twice`);
      within[part] = inner;
      within = inner;
    }
    if (last in within) throw new UsageError(`${option} sets '${last}' twice`);
    within[last] = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(value) ? Number(value) : value;
  }
  return all;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function oneOf<T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((each) => each === value);
  if (found === undefined) throw new UsageError(`${option} is one of ${allowed.join(', ')}, not '${value}'`);
  return found;
}

/** "a,b,c" */
function listOf(text: string | undefined): string[] | null {
  return text?.split(',').map((part) => part.trim()) ?? null;
}

function severalOf<T extends string>(
  option: string,
  text: string | undefined,
  allowed: readonly T[],
): T[] | null {
  return listOf(text)?.map((part) => oneOf(option, part, allowed)) ?? null;
}

function integer(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new UsageError(`${option} is a whole number from ${least} to ${most}, not '${text}'`);
}

function only(positionals: readonly string[], wanted: string): string {
  const [one, another] = positionals;
  if (one === undefined || another !== undefined) throw new UsageError(wanted);
  return one;
}

function pathOf(given: string | undefined): string | null {
  return given === undefined ? null : path.resolve(given);
}
