/**
 * Gradient graphs kept on disk, so that a model is differentiated once and not at every start. Nothing of any image is in them. What is
 * missing, damaged or of another version is made anew; a folder that cannot be written is done without.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { crc32 } from 'node:zlib';
import type { InferenceSession } from 'onnxruntime-node';
import * as v from 'valibot';
import { buildGradientModel, type GradientModel } from '../../core/autodiff/index.ts';
import type { Objective } from '../../core/autodiff/objective.ts';
import type { DeviceInfo, Provider } from '../../core/contract/device.ts';
import { readModel, withNodes } from '../../core/onnx/file.ts';
import { withoutNeedlessReorders } from '../../core/autodiff/reorders.ts';
import { codeIdentity } from '../app/root.ts';
import { writeFilesAtomically } from '../app/write-files.ts';
import type { EngineModel } from './engine.ts';
import { type CheckedModel, readCheckedModel } from './model-file.ts';
import { fixtureModel } from './self-test-fixture.ts';
import { openSession } from './sessions.ts';

export type GraphDescription = Omit<GradientModel, 'bytes'>;

export interface PreparedGraph {
  readonly graph: GraphDescription;
  /** The ONNX file, or its bytes where there is no folder for it. */
  readonly source: string | Uint8Array;
  /** The runtime has rewritten the source for this processor already (`SessionChoices`). */
  readonly rewritten: boolean;
  /** Points of a batch as they were measured to be best here; null before that. */
  readonly batch: number | null;
  /** Keeps the measured batch with the graph. */
  readonly keepBatch: (batch: number) => Promise<void>;
}

/** Least recently used graphs beyond it go; the one in use stays. */
const folderBudget = 2 * 2 ** 30;

const count = v.pipe(v.number(), v.integer(), v.minValue(1));
const size = v.pipe(v.number(), v.minValue(0));
const DescriptionSchema = v.object({
  /** CRC-32 of the ONNX file: against a damaged disk. Who could forge the file could change the application. */
  checksum: v.number(),
  batch: v.nullable(count),
  graph: v.object({
    inputName: v.string(),
    path: v.nullable(
      v.object({
        imageName: v.string(),
        baselineName: v.string(),
        alphasName: v.string(),
        weightsName: v.string(),
        sumName: v.string(),
      }),
    ),
    seedName: v.string(),
    scalarName: v.string(),
    outputName: v.string(),
    gradientName: v.string(),
    batch: v.union([v.literal('dynamic'), count]),
    inputShape: v.array(count),
    outputCount: count,
    cost: v.object({ weights: size, perImage: size, multiplyAdds: size }),
    notes: v.array(v.string()),
  }),
});
type Description = v.InferOutput<typeof DescriptionSchema>;

export interface Keeping {
  /** null: nothing is kept. */
  readonly folder: string | null;
  /** The graph and its best batch are for this one. */
  readonly device: Omit<DeviceInfo, 'selfTest'>;
}

/**
 * The gradient graph of a model, that of a score with a path inside, from the folder or made anew and put there.
 * @param read by default the model's file; what it reads otherwise is not that of the key, and belongs in no folder
 * @throws PathlightError as `read` and `buildGradientModel` say
 */
export async function prepareGraph(
  model: EngineModel,
  objective: Objective,
  { folder, device }: Keeping,
  read: (model: EngineModel) => Promise<CheckedModel> = readCheckedModel,
): Promise<PreparedGraph> {
  const onCpu = device.provider === 'cpu';
  const derived = async (): Promise<Derived> =>
    derive(await read(model), model, objective, onCpu ? 'cpu' : 'gpu');
  const key = folder === null ? null : await keyOf(model, objective, device);
  if (folder === null || key === null) return { ...(await derived()), ...inMemory };
  const kept = new Shelf(folder, key, onCpu);
  const found = await kept.read();
  if (found !== null) {
    // It must still be the model that its card describes.
    await readCheckedModel(model);
    return kept.graph(found);
  }
  const draft = await kept.draft(await derived());
  collectGarbage();
  const written = draft === null ? null : await kept.keep(draft);
  return written === null ? { ...(await derived()), ...inMemory } : kept.graph(written);
}

const inMemory = { rewritten: false, batch: null, keepBatch: () => Promise.resolve() };

interface Derived {
  readonly graph: GraphDescription;
  readonly source: Uint8Array;
}

function derive(
  { bytes, ends }: CheckedModel,
  model: EngineModel,
  objective: Objective,
  kernels: 'cpu' | 'gpu',
): Derived {
  const { bytes: source, ...graph } = buildGradientModel(bytes, {
    ...ends,
    objective,
    activation: model.output.activation,
    kernels,
    path: objective !== 'negative-entropy' && objective !== 'distance',
  });
  return { graph, source };
}

/** @throws PathlightError `unsupported` as `openSession` says */
export function openPrepared(
  { source, rewritten }: PreparedGraph,
  name: string,
  provider: Provider,
): Promise<InferenceSession> {
  return openSession(source, name, { provider, rewritten });
}

/**
 * Everything on which the graph and the best batch depend: the model, the code that differentiates it, the machine.
 * @returns null where the processor cannot be told from others
 */
async function keyOf(
  model: EngineModel,
  objective: Objective,
  device: Keeping['device'],
): Promise<string | null> {
  // Whatever it is called and wherever it lies.
  const own = { ...model, id: '', file: '' };
  // For another device no graph is rewritten.
  const processor = device.provider === 'cpu' ? await knownProcessor() : '';
  if (processor === null) return null;
  return createHash('sha256')
    .update(JSON.stringify([own, objective, codeIdentity(), device, process.arch, processor]))
    .digest('hex')
    .slice(0, 32);
}

let mark: Promise<string> | undefined;

/** @returns null where no file can be written for it now */
async function knownProcessor(): Promise<string | null> {
  mark ??= processorMark();
  try {
    return await mark;
  } catch {
    mark = undefined;
    return null;
  }
}

/**
 * Tells processors apart for which the runtime rewrites a graph otherwise, whatever the system calls them: blocks of 8 or of 16 channels,
 * say, and a graph of the one would give wrong numbers in the other. It is the hash of what the runtime makes of a small network: its
 * operators and weights, whose order and names differ from time to time.
 */
async function processorMark(): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'pathlight-'));
  try {
    const file = path.join(folder, 'rewritten.onnx');
    await rewrite(fixtureModel(), file);
    const { nodes, constants } = readModel(await readFile(file)).graph;
    const operators = nodes.map(({ domain, operator }) => `${domain} ${operator}`);
    const weights = [...constants.values()].map(({ shape, data }) => `${shape.join()}: ${data.join()}`);
    return createHash('sha256')
      .update(JSON.stringify([...operators, ...weights].sort()))
      .digest('hex');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Writes a graph into a file as the runtime rewrites it for this processor. */
async function rewrite(source: Uint8Array | string, file: string): Promise<void> {
  const session = await openSession(source, 'the gradient graph', { keepRewritten: file });
  await session.release();
}

/** Finishes what the runtime has written, which opens it as it is. */
async function spareReorders(file: string): Promise<void> {
  const bytes = withNodes(await readFile(file), withoutNeedlessReorders);
  if (bytes !== null) await writeFile(file, bytes);
}

interface Draft {
  readonly graph: GraphDescription;
  readonly file: string;
}

/** Two files of one graph: KEY.onnx, and KEY.json, written last, that describes it. */
class Shelf {
  readonly #folder: string;
  readonly #key: string;
  /** What a provider compiles for its device cannot be written. */
  readonly #rewritten: boolean;

  constructor(folder: string, key: string, rewritten: boolean) {
    this.#folder = folder;
    this.#key = key;
    this.#rewritten = rewritten;
  }

  get #model(): string {
    return path.join(this.#folder, `${this.#key}.onnx`);
  }

  get #description(): string {
    return path.join(this.#folder, `${this.#key}.json`);
  }

  graph(description: Description): PreparedGraph {
    return {
      graph: description.graph,
      source: this.#model,
      rewritten: this.#rewritten,
      batch: description.batch,
      keepBatch: async (batch) => {
        await this.#put([this.#descriptionFile({ ...description, batch })]);
      },
    };
  }

  /** @returns null where there is none, or not as it was written */
  async read(): Promise<Description | null> {
    try {
      const parsed = v.parse(DescriptionSchema, JSON.parse(await readFile(this.#description, 'utf8')));
      if ((await checksumOf(this.#model)) !== parsed.checksum) return null;
      const now = new Date();
      await utimes(this.#description, now, now);
      return parsed;
    } catch {
      return null;
    }
  }

  /**
   * Puts a graph into the folder, under a name of its own.
   * @returns null where nothing can be written
   */
  async draft({ graph, source }: Derived): Promise<Draft | null> {
    const name = this.#temporary('draft');
    return (await this.#put([{ name, bytes: source }]))
      ? { graph, file: path.join(this.#folder, name) }
      : null;
  }

  /**
   * Makes a draft the graph of this key.
   * @returns null where nothing can be written, or the runtime cannot open the graph: it says so when it is to be run
   */
  async keep({ graph, file }: Draft): Promise<Description | null> {
    const rewritten = path.join(this.#folder, this.#temporary('rewritten'));
    try {
      if (this.#rewritten) {
        await rewrite(file, rewritten);
        await spareReorders(rewritten);
        await rename(rewritten, file);
      }
      await rename(file, this.#model);
      const description: Description = {
        checksum: await checksumOf(this.#model),
        batch: null,
        graph: { ...graph, inputShape: [...graph.inputShape], notes: [...graph.notes] },
      };
      if (!(await this.#put([this.#descriptionFile(description)]))) return null;
      await this.#clear();
      return description;
    } catch {
      await rm(rewritten, { force: true });
      await rm(file, { force: true });
      return null;
    }
  }

  #temporary(what: string): string {
    return `.${this.#key}.${randomBytes(6).toString('hex')}.${what}`;
  }

  #descriptionFile(description: Description): { name: string; bytes: string } {
    return { name: `${this.#key}.json`, bytes: JSON.stringify(description) };
  }

  async #put(files: { name: string; bytes: Uint8Array | string }[]): Promise<boolean> {
    return writeFilesAtomically(this.#folder, files).then(
      () => true,
      () => false,
    );
  }

  async #clearDrafts(names: readonly string[]): Promise<void> {
    for (const name of names) {
      const file = path.join(this.#folder, name);
      if (Date.now() - (await stat(file)).mtimeMs > oldDraft) await rm(file, { force: true });
    }
  }

  /** Takes away what was used longest ago, beyond the budget. */
  async #clear(): Promise<void> {
    try {
      const all = await readdir(this.#folder);
      await this.#clearDrafts(all.filter((name) => name.startsWith('.')));
      const names = all.filter((name) => name.endsWith('.json') && !name.startsWith('.'));
      const shelves = await Promise.all(
        names.map(async (name) => {
          const key = path.basename(name, '.json');
          const { mtimeMs } = await stat(path.join(this.#folder, name));
          const bytes = await stat(path.join(this.#folder, `${key}.onnx`)).then(
            (stats) => stats.size,
            () => 0,
          );
          return { key, mtimeMs, bytes };
        }),
      );
      let total = 0;
      for (const { key, bytes } of shelves.sort((a, b) => b.mtimeMs - a.mtimeMs)) {
        total += bytes;
        if (total <= folderBudget || key === this.#key) continue;
        await rm(path.join(this.#folder, `${key}.json`), { force: true });
        await rm(path.join(this.#folder, `${key}.onnx`), { force: true });
      }
    } catch {
      // Another process may be clearing, too.
    }
  }
}

/** A draft this old, in milliseconds, is of a process that was ended. */
const oldDraft = 60 * 60 * 1000;

async function checksumOf(file: string): Promise<number> {
  let checksum = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: 2 ** 20 })) {
    checksum = crc32(chunk as Buffer, checksum);
  }
  return checksum;
}

/** Differentiating leaves several times the model behind, which would otherwise still stand when the runtime takes its memory. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (typeof collect === 'function') (collect as () => void)();
}
