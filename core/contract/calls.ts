/**
 * Everything the renderer may ask of main. Calls answer once; streams answer with frames, each a JSON header and,
 * where it says so, one Float32 array. Both hosts serve exactly this, over different transports.
 */
import * as v from 'valibot';
import { BASELINE_IDS, type BaselineId } from '../attribution/baseline-kinds.ts';
import type { Choice } from '../attribution/choices.ts';
import { METHOD_IDS } from '../attribution/methods.ts';
import type { Agreement } from '../metrics/agreement.ts';
import { type DeviceInfo, type DeviceOffer, PROVIDERS } from './device.ts';
import type { FolderListing, LibraryEvent } from './library.ts';
import type { ModelCard } from './model-card.ts';
import type { Convergence, ExplanationResult, Flag, LungCheck, MapSummary, Prediction } from './result.ts';

const id = v.pipe(v.string(), v.maxLength(200));
const path = v.pipe(v.string(), v.minLength(1), v.maxLength(4096));
const image = v.object({ image: id, frame: v.pipe(v.number(), v.integer(), v.minValue(0)) });
const parameters = v.record(v.string(), v.unknown());
/** What is left out of the parameters takes its default; main answers `bad-request` to what does not fit (core/attribution/choices.ts). */
const baseline = v.object({ id: v.picklist(BASELINE_IDS), parameters });
const asked = {
  method: v.object({ id: v.picklist(METHOD_IDS), parameters }),
  /** DICOM to compare with, for methods and baselines that need other images. */
  cohort: v.nullable(v.object({ folder: path })),
  /** For the baseline `image`. */
  baselineImage: v.nullable(image),
};
const subject = v.object({ ...image.entries, model: id });
const target = v.object({
  /** Label explained; null: the card's positive label. */
  target: v.nullable(id),
  scalar: v.picklist(['logit', 'probability', 'log-probability']),
});
const explanation = v.object({
  ...subject.entries,
  ...target.entries,
  ...asked,
  /** null where the method needs none; there any other is ignored. */
  baseline: v.nullable(baseline),
});

/** Request schemas, by name: every message is parsed with its schema before a handler sees it. */
export const callSchemas = {
  'app.info': v.undefined(),
  'models.list': v.undefined(),
  /** Looks for every device, each in a process of its own; takes seconds at the first time. */
  'devices.list': v.undefined(),
  /** Computes on that device from now on, in this session and the next; rejects with `device-refused` and stays where it was. */
  'devices.use': v.object({ provider: v.picklist(PROVIDERS) }),
  /** Electron: the system's folder dialog. null: dismissed. The browser host answers `unsupported`; it has `files.list`. */
  'files.choose': v.undefined(),
  'files.list': v.object({ path: v.nullable(path) }),
  'review.predict': subject,
  /** Writes the PDF of an explanation made before in this session; answers where to fetch it: `GET /reports/ID`. */
  'report.create': v.object({
    ...explanation.entries,
    /** Baselines whose maps stand beside it, where they were made in this session; by default the four plain ones. */
    compared: v.optional(v.array(baseline)),
    maskPatient: v.boolean(),
  }),
  /** Electron: the system's save dialog for that report. */
  'report.save': v.object({ report: id }),
} as const;

export const streamSchemas = {
  /** null: what the host was started with (the samples, or the paths on its command line). */
  'library.open': v.object({ paths: v.nullable(v.array(path)) }),
  'review.explain': explanation,
  'review.compare': v.object({
    ...subject.entries,
    ...target.entries,
    ...asked,
    baselines: v.array(baseline),
  }),
} as const;

export interface ModelListing {
  models: (ModelCard & { explainable: boolean })[];
  /** Folders that hold no usable model, and why. */
  refused: { folder: string; reason: string }[];
}

export interface AppInfo {
  host: 'electron' | 'browser';
  version: string;
  commit: string;
  device: DeviceInfo;
  /** Why it is not the device that was chosen; null where it is. */
  deviceRefused: string | null;
}

interface CallResults {
  'app.info': AppInfo;
  'models.list': ModelListing;
  'devices.list': { devices: DeviceOffer[] };
  'devices.use': DeviceInfo;
  'files.choose': { paths: string[] } | null;
  'files.list': FolderListing;
  'review.predict': Prediction;
  'report.create': { report: string; fileName: string; bytes: number };
  'report.save': { saved: boolean };
}

/** Before the first map, where other images are read, or a baseline takes gradients. `total` is null while it is not known. */
export interface PreparationHeader {
  type: 'preparation';
  step: 'cohort' | 'baseline';
  baseline: Choice<BaselineId> | null;
  done: number;
  total: number | null;
  /** Files of the cohort found since the header before that cannot be read, or are of several frames: they are left out. */
  unreadable: string[];
}

/** A map on its way. Data: Float32 [height, width], channels summed; signed. */
export interface MapHeader extends Convergence, MapSummary {
  type: 'map';
  /** As it was asked for; null where the method needs none. */
  baseline: Choice<BaselineId> | null;
  height: number;
  width: number;
  /** Nodes of the level under way; null of a method without levels. */
  nodes: number | null;
  final: boolean;
  seconds: number;
  /** Estimate of the seconds to convergence; null before there is a basis for one. */
  secondsLeft: number | null;
}

/** Sent once after the final map. Data: Float32 [height, width], lung probability at the map's size (empty without a lungs model). */
export interface AssessmentHeader {
  type: 'assessment';
  height: number;
  width: number;
  lungs: LungCheck | null;
  flags: Flag[];
  result: ExplanationResult;
}

/** Sent once when all baselines are done. */
export interface AgreementHeader {
  type: 'agreement';
  agreement: Agreement;
}

interface StreamHeaders {
  'library.open': LibraryEvent;
  'review.explain': PreparationHeader | MapHeader | AssessmentHeader;
  'review.compare': PreparationHeader | MapHeader | AssessmentHeader | AgreementHeader;
}

export type CallName = keyof typeof callSchemas;
export type StreamName = keyof typeof streamSchemas;
export type Calls = { [N in CallName]: [v.InferOutput<(typeof callSchemas)[N]>, CallResults[N]] };
export type Streams = { [N in StreamName]: [v.InferOutput<(typeof streamSchemas)[N]>, StreamHeaders[N]] };

export interface Frame<H> {
  header: H;
  data?: Float32Array;
}

/** What main/app implements; hosts only carry it. */
export type CallHandlers = { [N in CallName]: (request: Calls[N][0]) => Promise<Calls[N][1]> };
export type StreamHandlers = {
  [N in StreamName]: (request: Streams[N][0], signal: AbortSignal) => AsyncIterable<Frame<Streams[N][1]>>;
};

/** What the renderer holds. Errors are `PathlightError`s; breaking out of a stream's loop cancels it. */
export interface Client {
  call<N extends CallName>(name: N, request: Calls[N][0]): Promise<Calls[N][1]>;
  stream<N extends StreamName>(
    name: N,
    request: Streams[N][0],
    signal?: AbortSignal,
  ): AsyncIterableIterator<Frame<Streams[N][1]>>;
}
