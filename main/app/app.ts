/** What the window may ask, answered: the contract's calls and streams, and the bulk data beside them. */
import { randomUUID } from 'node:crypto';
import os from 'node:os';
import type { CallHandlers, Frame, StreamHandlers, Streams } from '../../core/contract/calls.ts';
import type { DeviceInfo } from '../../core/contract/device.ts';
import { type ErrorKind, PathlightError, toErrorReport } from '../../core/contract/errors.ts';
import { EngineClient } from '../engine/client.ts';
import { Devices } from '../engine/devices.ts';
import { writeReport } from '../report/image-report.ts';
import { preparedFolder } from '../store/data-folder.ts';
import { openResultStore } from '../store/results.ts';
import { readSettings, writeSettings } from '../store/settings.ts';
import { Analysis, type ExplanationRequest } from './analysis.ts';
import type { App, AppOptions } from './app-interface.ts';
import { type FinishedReport, fetchBulk } from './bulk.ts';
import { ByteCache } from './byte-cache.ts';
import { DeviceChoice } from './device-choice.ts';
import { listFolder } from './folders.ts';
import { createLibrary } from './library.ts';
import { openLog } from './log.ts';
import { createModelCatalogue, modelFolders } from './models.ts';
import { reportData } from './report.ts';
import { applicationVersion } from './root.ts';

/** Finished PDFs wait here for their download. */
const REPORTS_BUDGET = 64 * 2 ** 20;

export function createApp(options: AppOptions): App {
  const { host, initialPaths, modelsFolder, dataFolder, spawnEngine } = options;
  const log = openLog(dataFolder);
  const version = applicationVersion();
  const engine = new EngineClient(spawnEngine, preparedFolder(dataFolder));
  const models = createModelCatalogue(modelFolders(modelsFolder));
  const warn = (message: string): void => log.warn(message);
  const store = openResultStore(dataFolder, { warn });
  const devices = new Devices(spawnEngine);
  const choice = new DeviceChoice(devices, options.device ?? readSettings(dataFolder, warn).device);
  const analysis = new Analysis({ engine, models, provider: () => choice.current(), store, app: version });
  const library = createLibrary();
  const reports = new ByteCache<FinishedReport>(REPORTS_BUDGET);
  log.info({ host: host.kind, ...version }, 'started');

  /** The images of a request by their identifiers. */
  function requestOf<R extends { image: string; baselineImage: { image: string; frame: number } | null }>(
    request: R,
  ): Omit<R, 'image' | 'baselineImage'> & Pick<ExplanationRequest, 'image' | 'baselineImage'> {
    const { image, baselineImage, ...rest } = request;
    return {
      ...rest,
      image: library.find(image),
      baselineImage:
        baselineImage === null
          ? null
          : { image: library.find(baselineImage.image), frame: baselineImage.frame },
    };
  }

  async function currentDevice(): Promise<DeviceInfo> {
    const provider = await choice.current();
    const [device, { selfTest }] = await Promise.all([engine.device(provider), devices.offer(provider)]);
    return { ...device, selfTest };
  }

  function reportCalled(id: string): FinishedReport {
    const report = reports.get(id);
    if (report !== undefined) return report;
    throw new PathlightError('not-found', 'That report is no longer at hand', 'Write it again.');
  }

  const calls: CallHandlers = {
    'app.info': async () => {
      const device = await currentDevice();
      return { host: host.kind, ...version, device, deviceRefused: choice.refused };
    },

    'models.list': async () => {
      const { models: usable, refused } = await models.read();
      const listed = await Promise.all(
        usable.map(async ({ card, engine: described }) => {
          if (card.task !== 'classification') return { ...card, explainable: false };
          try {
            return { ...card, explainable: (await engine.check(described)).explainable };
          } catch (error) {
            // One model that cannot be read must not take the others away.
            refused.push({ folder: card.id, reason: toErrorReport(error).message });
            return [];
          }
        }),
      );
      return { models: listed.flat(), refused };
    },

    'devices.list': async () => ({ devices: await devices.list() }),

    'devices.use': async ({ provider }) => {
      await choice.use(provider);
      writeSettings(dataFolder, { device: provider }, warn);
      const device = await currentDevice();
      log.info({ device }, 'device chosen');
      return device;
    },

    'files.choose': async () => {
      const paths = await host.chooseFiles();
      return paths === null ? null : { paths };
    },

    'files.list': ({ path: folder }) => listFolder(folder ?? os.homedir()),

    'review.predict': async ({ image, frame, model }) =>
      analysis.predict({ image: library.find(image), frame }, model),

    'report.create': async ({ maskPatient, compared, ...request }) => {
      const data = await reportData(analysis, models, requestOf(request), maskPatient, compared);
      const { bytes, warnings } = await writeReport(data);
      if (warnings.length > 0) log.warn('a report holds characters that no font has');
      const report = randomUUID();
      // Files are often named after patients; the image's hash names it to whoever has the image, and to nobody else.
      const fileName = `pathlight-${request.model}-${data.result.image.sha256.slice(0, 8)}.pdf`;
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
      for await (const header of library.open(paths ?? initialPaths, { signal })) {
        // Those of a system are many, and nobody looks for them.
        if (!('hidden' in header)) yield { header };
      }
    },
    'review.explain': (request, signal) =>
      logged('explain', request, analysis.explain(requestOf(request), signal)),
    'review.compare': ({ baselines, ...request }, signal) =>
      logged('compare', request, analysis.compare(requestOf(request), baselines, signal)),
  };

  /** Writes how a computation ended, and what computed it; the image is named by its opaque identifier. */
  async function* logged<H extends Streams['review.explain' | 'review.compare'][1]>(
    what: string,
    { image, frame, model }: { image: string; frame: number; model: string },
    frames: AsyncIterable<Frame<H>>,
  ): AsyncGenerator<Frame<H>, void, undefined> {
    const began = performance.now();
    let outcome: ErrorKind | 'done' | 'left' = 'left';
    let device: DeviceInfo | undefined;
    try {
      for await (const each of frames) {
        if (each.header.type === 'assessment') ({ device } = each.header.result);
        yield each;
      }
      outcome = 'done';
    } catch (error) {
      outcome = toErrorReport(error).kind;
      throw await choice.afterFailure(error);
    } finally {
      const seconds = (performance.now() - began) / 1000;
      log.info({ image, frame, model, outcome, seconds, device, deviceRefused: choice.refused }, what);
    }
  }

  return {
    calls,
    streams,
    fetch: (request) =>
      fetchBulk(
        {
          frame: async (image, frame) => analysis.images.decoded({ image: library.find(image), frame }),
          report: reportCalled,
        },
        request,
      ),
    async close() {
      await Promise.all([engine.close(), devices.close()]);
      store.close();
      log.info('closed');
    },
  };
}
