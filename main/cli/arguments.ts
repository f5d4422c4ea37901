/** What may be said on the command line, parsed into one typed command. */
import path from 'node:path';
import { parseArgs, type ParseArgsConfig } from 'node:util';
import type { Scalar } from '../../core/attribution/model.ts';
import { type Provider, PROVIDERS } from '../../core/contract/device.ts';
import { BASELINES, DEFAULT_BASELINE, type BaselineName } from '../../core/contract/result.ts';

/** A mistake in what was typed: the message says which, and the command ends with exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What an explanation is to be of. */
export interface ExplanationChoices {
  model: string;
  baseline: BaselineName;
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
      /** Explains from every baseline, so that the report compares them. */
      compare: boolean;
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
  /** The browser host reads its own options. */
  | { command: 'serve'; args: string[] }
  | { command: 'devices'; json: boolean }
  | { command: 'model check'; file: string; json: boolean };

const COMMANDS = ['explain', 'audit', 'serve', 'devices', 'model check'] as const;
export type CommandName = (typeof COMMANDS)[number];

const SCALARS: readonly Scalar[] = ['logit', 'probability', 'log-probability'];
const DEFAULT_MODEL = 'pneumonia';
const DEFAULT_OUT = 'pathlight-out';

const help = { help: { type: 'boolean', short: 'h' } } as const;
const explanation = {
  ...help,
  model: { type: 'string' },
  baseline: { type: 'string' },
  target: { type: 'string' },
  scalar: { type: 'string' },
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
    case 'audit':
      return parseAudit(words.slice(1));
    case 'serve':
      return { command: 'serve', args: words.slice(1) };
    case 'devices':
      return parseDevices(words.slice(1));
    case 'model':
      if (second === 'check') return parseModelCheck(words.slice(2));
      if (second === '--help' || second === '-h') return { command: 'help', topic: 'model check' };
      throw new UsageError("'model' is followed by 'check' and an ONNX file");
    default:
      throw new UsageError(`There is no command '${first}': the commands are ${COMMANDS.join(', ')}`);
  }
}

function parseExplain(words: string[]): Command {
  const options = { ...explanation, frame: { type: 'string' }, compare: { type: 'boolean' } } as const;
  const { values, positionals } = parse(words, options);
  if (values.help === true) return { command: 'help', topic: 'explain' };
  if (positionals.length === 0) throw new UsageError("'explain' wants a DICOM file or a folder");
  return {
    command: 'explain',
    paths: positionals,
    choices: choicesOf(values),
    frame: values.frame === undefined ? 0 : integer('--frame', values.frame, 1, 1_000_000) - 1,
    compare: values.compare === true,
    out: path.resolve(values.out ?? DEFAULT_OUT),
    models: folderOf(values.models),
    device: oneOf('--device', values.device ?? 'cpu', PROVIDERS),
    json: values.json === true,
  };
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
    choices: choicesOf(values),
    out: path.resolve(values.out),
    models: folderOf(values.models),
    device: oneOf('--device', values.device ?? 'cpu', PROVIDERS),
    json: values.json === true,
  };
}

function parseDevices(words: string[]): Command {
  const { values, positionals } = parse(words, { ...help, json: { type: 'boolean' } } as const);
  if (values.help === true) return { command: 'help', topic: 'devices' };
  if (positionals.length > 0) throw new UsageError("'devices' takes no names");
  return { command: 'devices', json: values.json === true };
}

function parseModelCheck(words: string[]): Command {
  const { values, positionals } = parse(words, { ...help, json: { type: 'boolean' } } as const);
  if (values.help === true) return { command: 'help', topic: 'model check' };
  const file = only(positionals, "'model check' wants one ONNX file");
  return { command: 'model check', file: path.resolve(file), json: values.json === true };
}

function parse<T extends NonNullable<ParseArgsConfig['options']>>(args: string[], options: T) {
  try {
    return parseArgs({ args, options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function choicesOf(values: {
  model?: string | undefined;
  baseline?: string | undefined;
  target?: string | undefined;
  scalar?: string | undefined;
}): ExplanationChoices {
  return {
    model: values.model ?? DEFAULT_MODEL,
    baseline: oneOf('--baseline', values.baseline ?? DEFAULT_BASELINE, BASELINES),
    target: values.target ?? null,
    scalar: oneOf('--scalar', values.scalar ?? 'logit', SCALARS),
  };
}

function oneOf<T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((each) => each === value);
  if (found === undefined) throw new UsageError(`${option} is one of ${allowed.join(', ')}, not '${value}'`);
  return found;
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

function folderOf(given: string | undefined): string | null {
  return given === undefined ? null : path.resolve(given);
}
