/**
 * Gradient graphs kept on disk, so that a model is differentiated once and not at every start. Nothing of any image is in them. What is
 * missing, damaged or of another version is made anew; a folder that cannot be written is done without.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { crc32 } from 'node:zlib';
import * as v from 'valibot';
import { buildGradientModel, type GradientModel } from '../../core/autodiff/index.ts';
import type { Objective } from '../../core/autodiff/objective.ts';
import type { DeviceInfo } from '../../core/contract/device.ts';
import { codeIdentity } from '../app/root.ts';
import { writeFilesAtomically } from '../app/write-files.ts';
import type { EngineModel, RandomisedLayers } from './engine.ts';
import { readCheckedModel } from './model-file.ts';
import { randomisedLayers } from './randomised.ts';

export type GraphDescription = Omit<GradientModel, 'bytes'>;

export interface PreparedGraph {
  readonly graph: GraphDescription;
  /** The ONNX file, or its bytes where there is no folder for it. */
  readonly source: string | Uint8Array;
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
  /** Of a model that no longer is the one of the file, nothing is kept. */
  readonly randomised?: RandomisedLayers | undefined;
}

/**
 * The gradient graph of a model, that of a score with a path inside, from the folder or made anew and put there.
 * @throws PathlightError as `readCheckedModel`, `randomisedLayers` and `buildGradientModel` say
 */
export async function prepareGraph(
  model: EngineModel,
  objective: Objective,
  { folder, device, randomised }: Keeping,
): Promise<PreparedGraph> {
  const kept =
    folder === null || randomised !== undefined ? null : new Shelf(folder, keyOf(model, objective, device));
  const found = await kept?.read();
  // The model itself is read either way, for it must still be the one that its card describes.
  const file = await readCheckedModel(model);
  if (kept !== null && found != null) return kept.graph(found);

  const { bytes, ends } = randomised === undefined ? file : randomisedLayers(file, randomised);
  const { bytes: source, ...graph } = buildGradientModel(bytes, {
    ...ends,
    objective,
    activation: model.output.activation,
    kernels: device.provider === 'cpu' ? 'cpu' : 'gpu',
    path: objective !== 'negative-entropy' && objective !== 'distance',
  });
  if (kept !== null) {
    const written = await kept.write(graph, source);
    if (written !== null) {
      collectGarbage();
      return kept.graph(written);
    }
  }
  return { graph, source, batch: null, keepBatch: () => Promise.resolve() };
}

/** Everything on which the graph and the best batch depend: the model, the code that differentiates it, the machine. */
function keyOf(model: EngineModel, objective: Objective, device: Keeping['device']): string {
  // Whatever it is called and wherever it lies.
  const own = { ...model, id: '', file: '' };
  return createHash('sha256')
    .update(JSON.stringify([own, objective, codeIdentity(), device, process.arch]))
    .digest('hex')
    .slice(0, 32);
}

/** Two files of one graph: KEY.onnx, and KEY.json, written last, that describes it. */
class Shelf {
  readonly #folder: string;
  readonly #key: string;

  constructor(folder: string, key: string) {
    this.#folder = folder;
    this.#key = key;
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

  /** @returns null where nothing can be written */
  async write(graph: GraphDescription, bytes: Uint8Array): Promise<Description | null> {
    const description: Description = {
      checksum: crc32(bytes),
      batch: null,
      graph: { ...graph, inputShape: [...graph.inputShape], notes: [...graph.notes] },
    };
    const files = [{ name: `${this.#key}.onnx`, bytes }, this.#descriptionFile(description)];
    if (!(await this.#put(files))) return null;
    await this.#clear();
    return description;
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

  /** Takes away what was used longest ago, beyond the budget. */
  async #clear(): Promise<void> {
    try {
      const names = (await readdir(this.#folder)).filter((name) => name.endsWith('.json'));
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
