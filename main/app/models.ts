/** Models on disk: a folder each, holding a card and the file that it describes. What does not fit its card is refused. */
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import * as v from 'valibot';
import { PathlightError } from '../../core/contract/errors.ts';
import { type ModelCard, ModelCardSchema } from '../../core/contract/model-card.ts';
import { staysInFolder } from '../../core/onnx/external-data.ts';
import type { EngineModel } from '../engine/engine.ts';
import { readModelJson } from '../engine/tfjs/model-folder.ts';
import { weightFiles } from '../engine/tfjs/model-json.ts';
import { fileSha256 } from './images.ts';
import { applicationRoot } from './root.ts';

/** A model whose card is valid and whose file matches it. */
export interface UsableModel {
  card: ModelCard;
  engine: EngineModel;
}

export interface RefusedModel {
  /** Name of the folder, without its path. */
  folder: string;
  reason: string;
}

export interface ModelCatalogue {
  /** Reads the folders anew (hashes are kept for files that have not changed); ordered by identifier. */
  read(): Promise<{ models: UsableModel[]; refused: RefusedModel[] }>;
  /** Rejects with kind `model-refused` where no usable model has that identifier, saying why. */
  find(id: string): Promise<UsableModel>;
  /** The model that draws the lungs: the first segmentation model whose only label is `lungs`. */
  lungs(): Promise<UsableModel | undefined>;
}

/** The models that Pathlight ships. */
export const shippedModels = path.join(applicationRoot, 'models');

/** Where to look for models: the user's own folder first, then the shipped ones, which hold the lungs model. */
export function modelFolders(own: string | null): string[] {
  return own === null || path.resolve(own) === shippedModels
    ? [shippedModels]
    : [path.resolve(own), shippedModels];
}

/** @param folders each holds one folder a model; where two models share an identifier, the earlier folder wins */
export function createModelCatalogue(folders: readonly string[]): ModelCatalogue {
  const sha256 = cachedSha256();

  async function read(): Promise<{ models: UsableModel[]; refused: RefusedModel[] }> {
    const models = new Map<string, UsableModel>();
    const refused: RefusedModel[] = [];
    for (const folder of folders) {
      for (const name of await foldersIn(folder)) {
        try {
          const model = await readModel(path.join(folder, name), sha256);
          if (models.has(model.card.id)) throw refusal(`another model is already called '${model.card.id}'`);
          models.set(model.card.id, model);
        } catch (error) {
          if (!(error instanceof PathlightError)) throw error;
          refused.push({ folder: name, reason: error.message });
        }
      }
    }
    return { models: [...models.values()].sort((a, b) => (a.card.id < b.card.id ? -1 : 1)), refused };
  }

  async function find(id: string): Promise<UsableModel> {
    const { models, refused } = await read();
    const found = models.find((model) => model.card.id === id);
    if (found !== undefined) return found;
    const why = refused.find((entry) => entry.folder === id);
    if (why !== undefined) {
      throw new PathlightError('model-refused', `The model '${id}' is refused: ${why.reason}`, CARD_ADVICE);
    }
    const known = models.map((model) => model.card.id).join(', ');
    throw new PathlightError(
      'model-refused',
      `There is no model called '${id}'`,
      known === '' ? 'No usable model was found.' : `Known models: ${known}.`,
    );
  }

  async function lungs(): Promise<UsableModel | undefined> {
    const { models } = await read();
    return models.find(
      ({ card }) =>
        card.task === 'segmentation' && card.output.labels.length === 1 && card.output.labels[0] === 'lungs',
    );
  }

  return { read, find, lungs };
}

const CARD_ADVICE = "Put the model's own card.json, with the SHA-256 of the file in use, beside the file.";

function refusal(reason: string): PathlightError {
  return new PathlightError('model-refused', reason, CARD_ADVICE);
}

async function foldersIn(folder: string): Promise<string[]> {
  let entries;
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch (cause) {
    throw new PathlightError(
      'not-found',
      `The models folder '${folder}' cannot be read`,
      'Name a folder that holds one folder a model.',
      { cause },
    );
  }
  const folders: string[] = [];
  for (const entry of entries) {
    if (entry.name.startsWith('.')) continue;
    const linked = entry.isSymbolicLink() && (await isFolder(path.join(folder, entry.name)));
    if (entry.isDirectory() || linked) folders.push(entry.name);
  }
  return folders.sort();
}

async function isFolder(file: string): Promise<boolean> {
  try {
    return (await stat(file)).isDirectory();
  } catch {
    return false;
  }
}

async function readModel(folder: string, sha256: (file: string) => Promise<string>): Promise<UsableModel> {
  const card = await readCard(folder);
  const check = async (name: string, stated: string): Promise<void> => {
    let actual;
    try {
      actual = await sha256(path.join(folder, name));
    } catch {
      throw refusal(`the file that its card names, '${name}', is missing or cannot be read`);
    }
    if (actual !== stated) {
      throw refusal(
        `'${name}' does not match its hash: the card says ${stated.slice(0, 12)}…, the file has ${actual.slice(0, 12)}…`,
      );
    }
  };
  await check(card.file, card.sha256);
  const { externalData, format = 'onnx' } = card;
  for (const [name, stated] of Object.entries(externalData ?? {})) await check(name, stated);
  const file = path.resolve(folder, card.file);
  if (format !== 'onnx') await checkWeightFiles(file, externalData ?? {});
  const { channels, height, width, name, layout } = card.input;
  return {
    card,
    engine: {
      id: card.id,
      file,
      format,
      sha256: card.sha256,
      ...(externalData === undefined ? {} : { externalData }),
      input: { name, shape: [channels, height, width], layout },
      ...(card.heldInputs === undefined ? {} : { heldInputs: card.heldInputs }),
      output: { name: card.output.name, activation: card.output.activation },
      ...(card.representation === undefined ? {} : { representation: card.representation }),
    },
  };
}

/** Every weight file that a TensorFlow.js model reads has its hash in the card. */
async function checkWeightFiles(file: string, externalData: Readonly<Record<string, string>>): Promise<void> {
  const unnamed = weightFiles(await readModelJson(file)).filter((name) => !Object.hasOwn(externalData, name));
  if (unnamed.length > 0) throw refusal(`its card has no hash in externalData for ${unnamed.join(', ')}`);
}

async function readCard(folder: string): Promise<ModelCard> {
  let text;
  try {
    text = await readFile(path.join(folder, 'card.json'), 'utf8');
  } catch {
    throw refusal('no card.json');
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw refusal(`card.json is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const card = v.safeParse(ModelCardSchema, parsed);
  if (!card.success) throw refusal(`card.json ${describeIssue(card.issues[0])}`);
  const contradiction = contradictionIn(card.output);
  if (contradiction !== undefined) throw refusal(`card.json ${contradiction}`);
  return card.output;
}

/** "at input.width: expected number but received "224"". */
function describeIssue(issue: v.InferIssue<typeof ModelCardSchema>): string {
  const at = v.getDotPath(issue) ?? 'its top level';
  if (issue.type === 'strict_object' && issue.received === 'undefined') return `at ${at}: is missing`;
  if (issue.type === 'strict_object' && issue.expected === 'never')
    return `at ${at}: is not a field of a card`;
  if (issue.expected === null) return `at ${at}: ${issue.message}`;
  return `at ${at}: expected ${issue.expected} but received ${issue.received}`;
}

/** What the schema's types cannot say. */
function contradictionIn(card: ModelCard): string | undefined {
  const { labels } = card.output;
  if (!isBareName(card.file)) return `at file: '${card.file}' is not the bare name of a file beside the card`;
  const outside = Object.keys(card.externalData ?? {}).find((name) => !staysInFolder(name));
  if (outside !== undefined) return `at externalData: '${outside}' lies outside the model's own folder`;
  if ((card.format ?? 'onnx') !== 'onnx' && card.heldInputs !== undefined) {
    return 'at heldInputs: a model in TensorFlow.js form is explained by its one input, the image; export one of several inputs as ONNX';
  }
  if (new Set(labels).size !== labels.length) return 'at output.labels: a label stands twice';
  for (const field of ['mean', 'std'] as const) {
    const values = card.input[field];
    if (typeof values !== 'number' && values.length !== card.input.channels) {
      return `at input.${field}: ${values.length} numbers for ${card.input.channels} channel${card.input.channels === 1 ? '' : 's'}`;
    }
  }
  for (const side of ['positive', 'negative'] as const) {
    const label = card.decision?.[side];
    if (label !== undefined && !labels.includes(label)) {
      return `at decision.${side}: '${label}' is not among output.labels`;
    }
  }
  return undefined;
}

function isBareName(name: string): boolean {
  return path.basename(name) === name && !name.includes('\\') && name !== '..' && name !== '.';
}

/** SHA-256 of a file, read once for as long as its size and time of change stay. */
function cachedSha256(): (file: string) => Promise<string> {
  const known = new Map<string, { mtimeMs: number; size: number; digest: string }>();
  return async (file) => {
    const found = await stat(file);
    // Reading a pipe would wait forever.
    if (!found.isFile()) throw new PathlightError('model-refused', 'Not a plain file');
    const { mtimeMs, size } = found;
    const before = known.get(file);
    if (before?.mtimeMs === mtimeMs && before.size === size) return before.digest;
    const digest = await fileSha256(file);
    known.set(file, { mtimeMs, size, digest });
    return digest;
  };
}
