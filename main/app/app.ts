/** What the window may ask, answered: the contract's calls and streams, and the bulk data beside them. */
import { randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { CallHandlers, StreamHandlers } from '../../core/contract/calls.ts';
import { type ErrorKind, PathlightError, toErrorReport } from '../../core/contract/errors.ts';
import type { FolderListing, FrameHeader } from '../../core/contract/library.ts';
import type { DecodedFrame } from '../dicom/types.ts';
import { EngineClient } from '../engine/client.ts';
import { writeReport } from '../report/image-report.ts';
import { openResultStore } from '../store/results.ts';
import { Analysis, type ExplanationRequest } from './analysis.ts';
import type { App, AppOptions } from './app-interface.ts';
import { ByteCache } from './byte-cache.ts';
import { createLibrary } from './library.ts';
import { openLog } from './log.ts';
import { createModelCatalogue, modelFolders } from './models.ts';
import { thumbnailPng } from './pictures.ts';
import { reportData } from './report.ts';
import { applicationVersion } from './root.ts';

const THUMBNAIL_HEIGHT = 160;
/** Finished PDFs wait here for their download. */
const REPORTS_BUDGET = 64 * 2 ** 20;

interface FinishedReport {
  fileName: string;
  bytes: Uint8Array;
}

export function createApp(options: AppOptions): App {
  const { host, initialPaths, modelsFolder, dataFolder, spawnEngine } = options;
  const log = openLog(dataFolder);
  const version = applicationVersion();
  const engine = spawnEngine === undefined ? new EngineClient() : new EngineClient(spawnEngine);
  const models = createModelCatalogue(modelFolders(modelsFolder));
  const store = openResultStore(dataFolder, { warn: (message) => log.warn(message) });
  const analysis = new Analysis({ engine, models, store, app: version });
  const library = createLibrary();
  const reports = new ByteCache<FinishedReport>(REPORTS_BUDGET);
  log.info({ host: host.kind, ...version }, 'started');

  const requestOf = (request: Omit<ExplanationRequest, 'image'> & { image: string }): ExplanationRequest => ({
    ...request,
    image: library.find(request.image),
  });

  function reportCalled(id: string): FinishedReport {
    const report = reports.get(id);
    if (report !== undefined) return report;
    throw new PathlightError('not-found', 'That report is no longer at hand', 'Write it again.');
  }

  const calls: CallHandlers = {
    'app.info': async () => ({ host: host.kind, ...version, device: await engine.device() }),

    'models.list': async () => {
      const { models: usable, refused } = await models.read();
      const listed = await Promise.all(
        usable.map(async ({ card, engine: { file } }) => ({
          ...card,
          explainable: card.task === 'classification' && (await engine.check(file)).explainable,
        })),
      );
      return { models: listed, refused };
    },

    'files.choose': async () => {
      const paths = await host.chooseFiles();
      return paths === null ? null : { paths };
    },

    'files.list': ({ path: folder }) => listFolder(folder ?? os.homedir()),

    'review.predict': async ({ image, frame, model }) =>
      analysis.predict({ image: library.find(image), frame }, model),

    'report.create': async ({ maskPatient, ...request }) => {
      const data = await reportData(analysis, models, requestOf(request), maskPatient);
      const { bytes, warnings } = await writeReport(data);
      if (warnings.length > 0) log.warn('a report holds characters that no font has');
      const report = randomUUID();
      const name = maskPatient ? 'pathlight-report' : path.parse(data.entry.file).name;
      const fileName = `${name}-${request.model}.pdf`;
      reports.set(report, { fileName, bytes }, bytes.byteLength);
      return { report, fileName, bytes: bytes.byteLength };
    },

    'report.save': async ({ report }) => {
      const { fileName, bytes } = reportCalled(report);
      return { saved: await host.saveReport(fileName, bytes) };
    },
  };

  const streams: StreamHandlers = {
    async *'library.open'({ paths }, signal) {
      for await (const header of library.open(paths ?? initialPaths, { signal })) yield { header };
    },
    'review.explain': (request, signal) =>
      logged('explain', request, analysis.explain(requestOf(request), signal)),
    'review.compare': ({ baselines, ...request }, signal) => {
      const { image, ...rest } = request;
      const subject = { ...rest, image: library.find(image) };
      return logged('compare', request, analysis.compare(subject, baselines, signal));
    },
  };

  /** Writes how a computation ended; the image is named by its opaque identifier. */
  async function* logged<T>(
    what: string,
    { image, frame, model }: { image: string; frame: number; model: string },
    frames: AsyncIterable<T>,
  ): AsyncGenerator<T, void, undefined> {
    const began = performance.now();
    let outcome: ErrorKind | 'done' | 'left' = 'left';
    try {
      yield* frames;
      outcome = 'done';
    } catch (error) {
      outcome = toErrorReport(error).kind;
      throw error;
    } finally {
      log.info({ image, frame, model, outcome, seconds: (performance.now() - began) / 1000 }, what);
    }
  }

  async function fetchData(request: Request): Promise<Response | null> {
    const [kind, id, part, number, ...rest] = new URL(request.url).pathname.split('/').slice(1);
    if (id === undefined || rest.length > 0) return null;
    if (kind === 'reports' && part === undefined) return answered(() => reportResponse(reportCalled(id)));
    if (kind !== 'images') return null;
    const image = decodeURIComponent(id);
    if (part === 'thumbnail' && number === undefined) {
      return answered(async () => {
        const decoded = await analysis.images.decoded({ image: library.find(image), frame: 0 });
        return new Response(own(thumbnailPng(decoded, THUMBNAIL_HEIGHT)), {
          headers: { 'content-type': 'image/png' },
        });
      });
    }
    if (part === 'frames' && number !== undefined && /^\d{1,9}$/.test(number)) {
      return answered(async () => {
        const of = { image: library.find(image), frame: Number(number) };
        return frameResponse(await analysis.images.decoded(of));
      });
    }
    return null;
  }

  return {
    calls,
    streams,
    fetch: fetchData,
    async close() {
      await engine.close();
      store.close();
      log.info('closed');
    },
  };
}

async function answered(make: () => Response | Promise<Response>): Promise<Response> {
  try {
    return await make();
  } catch (error) {
    const report = toErrorReport(error);
    const missing = report.kind === 'not-found' || report.kind === 'bad-request';
    return Response.json(report, { status: missing ? 404 : 422 });
  }
}

/** As `FrameHeader` says. */
function frameResponse({ frame, grayscale }: DecodedFrame): Response {
  const { rows, columns, bitsStored, signed, values } = frame;
  const header: FrameHeader = { rows, columns, bitsStored, signed, grayscale };
  const json = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(json.length / 4) * 4;
  const bytes = new Uint8Array(4 + padded + values.byteLength);
  // JSON ignores the spaces that bring the values to an aligned offset.
  bytes.fill(0x20, 4, 4 + padded);
  new DataView(bytes.buffer).setUint32(0, padded, true);
  bytes.set(json, 4);
  // Every platform that Node and Electron run on is little-endian, as the answer is to be.
  bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), 4 + padded);
  return new Response(bytes, { headers: { 'content-type': 'application/octet-stream' } });
}

function reportResponse({ fileName, bytes }: FinishedReport): Response {
  return new Response(own(bytes), {
    headers: {
      'content-type': 'application/pdf',
      // RFC 6266 and 8187: names beyond ASCII travel percent-encoded.
      'content-disposition': `attachment; filename*=UTF-8''${encodeURIComponent(fileName).replaceAll("'", '%27')}`,
    },
  });
}

/** A body must not stand on shared memory, which the type of bytes from elsewhere leaves open. */
function own(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

async function listFolder(folder: string): Promise<FolderListing> {
  const absolute = path.resolve(folder);
  let entries;
  try {
    entries = await readdir(absolute, { withFileTypes: true });
  } catch (cause) {
    throw new PathlightError('not-found', `The folder '${folder}' cannot be read`, 'Choose another one.', {
      cause,
    });
  }
  const shown = entries.filter(({ name }) => !name.startsWith('.'));
  const parent = path.dirname(absolute);
  return {
    path: absolute,
    parent: parent === absolute ? null : parent,
    folders: shown
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => ({ name, path: path.join(absolute, name) }))
      .sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true })),
    files: shown.filter((entry) => entry.isFile()).length,
  };
}
