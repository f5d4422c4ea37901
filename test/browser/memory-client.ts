/** A client without a host, for tests of the window alone: images by formula, and runs that go on when the test says so. */
import { type BaselineId, baselineKinds } from '../../core/attribution/baseline-kinds.ts';
import { type Choice, completeBaseline, completeMethod } from '../../core/attribution/choices.ts';
import { type MethodId, methods } from '../../core/attribution/methods.ts';
import type {
  AgreementHeader,
  AssessmentHeader,
  Client,
  Frame,
  MapHeader,
  ModelListing,
} from '../../core/contract/calls.ts';
import type { DeviceInfo, DeviceOffer } from '../../core/contract/device.ts';
import type { PathlightError } from '../../core/contract/errors.ts';
import type { FrameHeader, ImageEntry, LibraryEvent } from '../../core/contract/library.ts';
import type { Convergence, ExplanationResult, LungCheck } from '../../core/contract/result.ts';

const SIZE = 24;
const ROWS = 60;
const COLUMNS = 80;
const LEVELS = [3, 5, 9, 17, 33];

export const patientName = 'Verysecret^Jane';

export function entry(id: string, changes: Partial<ImageEntry> = {}): ImageEntry {
  return {
    id,
    studyInstanceUid: '1.2',
    seriesInstanceUid: `1.2.3.${id}`,
    sopInstanceUid: `1.2.3.4.${id}`,
    file: `${id}-verysecret.dcm`,
    patient: {
      name: { alphabetic: patientName, ideographic: '', phonetic: '' },
      id: 'SECRET-ID',
      birthDate: '19700102',
      age: '056Y',
      sex: 'F',
    },
    studyDate: '20260304',
    studyDescription: 'Chest',
    accessionNumber: 'SECRET-ACC',
    modality: 'DX',
    seriesNumber: 1,
    instanceNumber: 1,
    rows: ROWS,
    columns: COLUMNS,
    frames: 1,
    bitsStored: 12,
    transferSyntax: { uid: '1.2.840.10008.1.2.1', name: 'Explicit VR Little Endian' },
    viewPosition: 'PA',
    laterality: '',
    orientation: { right: 'L', bottom: 'F' },
    spacing: { row: 0.2, column: 0.2, basis: 'detector' },
    manufacturer: '',
    warnings: [],
    ...changes,
  };
}

const card = {
  schema: 1,
  id: 'pneumonia',
  name: 'Pneumonia (test)',
  version: '1.0.0',
  task: 'classification',
  file: 'model.onnx',
  sha256: '0'.repeat(64),
  intendedUse: 'Tests.',
  input: {
    name: 'image',
    layout: 'NCHW',
    channels: 1,
    height: SIZE,
    width: SIZE,
    fit: 'squeeze',
    filter: 'triangle',
    mean: 0.5,
    std: 0.25,
  },
  output: { name: 'logits', activation: 'softmax', labels: ['NORMAL', 'PNEUMONIA'] },
  decision: { positive: 'PNEUMONIA', negative: 'NORMAL', threshold: 0.5, source: 'Set beforehand.' },
  training: { data: 'None.', procedure: 'None.' },
  performance: [{ data: 'Nothing', images: 1, measures: { AUC: 0.5 } }],
  limits: ['Not a medical device.', 'Knows nothing.'],
  licence: 'CC0',
  attribution: 'Nobody',
  explainable: true,
} satisfies ModelListing['models'][number];

/** What is asked, but for the image. */
interface Asked {
  method: Choice<MethodId>;
  baseline: Choice<BaselineId> | null;
}

/** A bump whose place depends on the baseline. */
function mapOf({ baseline }: Asked): Float32Array {
  const centre = 6 + 3 * Math.max(0, ['black', 'white', 'grey', 'blurred'].indexOf(baseline?.id ?? ''));
  return Float32Array.from({ length: SIZE * SIZE }, (_, i) => {
    const [row, column] = [Math.floor(i / SIZE), i % SIZE];
    return Math.exp(-((row - centre) ** 2 + (column - centre) ** 2) / 12) - 0.1;
  });
}

const prediction = {
  label: 'PNEUMONIA',
  scores: { NORMAL: 0.07, PNEUMONIA: 0.93 },
  logits: { NORMAL: -1.3, PNEUMONIA: 1.3 },
  threshold: 0.5,
};

const lungs: LungCheck = {
  share: 0.31,
  areaShare: 0.42,
  enrichment: 0.738,
  peakInside: false,
  peak: { row: 6, column: 6 },
  null: { random: 0.42, edges: 0.55 },
  model: { id: 'lungs', sha256: '1'.repeat(64) },
};

const offers: readonly DeviceOffer[] = [
  { provider: 'cpu', name: 'Test CPU', available: true, reason: '', selfTest: null },
  {
    provider: 'webgpu',
    name: 'Test GPU',
    available: true,
    reason: '',
    selfTest: {
      error: 2e-7,
      tolerance: 1e-2,
      rounding: 1e-7,
      roundingTolerance: 1e-3,
      nodes: 61,
      fallbackNodes: 2,
    },
  },
  { provider: 'cuda', name: '', available: false, reason: 'its libraries are not installed', selfTest: null },
  { provider: 'dml', name: '', available: false, reason: 'this build does not have it', selfTest: null },
  { provider: 'coreml', name: '', available: false, reason: 'this build does not have it', selfTest: null },
];

export class MemoryClient implements Client {
  /** What the next run does instead of ending well. */
  ending: 'converged' | 'not-converged' | PathlightError = 'converged';
  images: ImageEntry[] = [
    entry('one'),
    ...[3, 1, 2].map((n) =>
      entry(`ct${n}`, { modality: 'CT', seriesInstanceUid: '1.2.9', instanceNumber: n }),
    ),
    entry('unoriented', { orientation: null, spacing: null }),
  ];
  /** What the list of models waits for. */
  checking: Promise<unknown> = Promise.resolve();
  /** Whether runs wait for `advance` before each map. */
  stepwise = false;
  readonly requests: { name: string; request: unknown }[] = [];
  /** What choosing a device fails with. */
  deviceEnding: PathlightError | null = null;
  deviceRefused: string | null = null;
  device: DeviceInfo = { provider: 'cpu', name: 'Test CPU', threads: 2, runtime: 'test', selfTest: null };
  #advance: (() => void) | null = null;

  /** Lets the run under way send its next map. */
  advance(): void {
    this.#advance?.();
    this.#advance = null;
  }

  call: Client['call'] = (name, request) => {
    if (name === 'devices.use') {
      if (this.deviceEnding !== null) return Promise.reject(this.deviceEnding);
      const wanted = request as { provider: DeviceInfo['provider'] };
      this.device = { ...this.device, ...offers.find(({ provider }) => provider === wanted.provider) };
    }
    this.requests.push({ name, request });
    const answers: { [N in Parameters<Client['call']>[0]]: unknown } = {
      'app.info': {
        host: 'browser',
        version: '0',
        commit: '0',
        device: this.device,
        deviceRefused: this.deviceRefused,
      },
      'devices.list': { devices: offers },
      'devices.use': this.device,
      'models.list': {
        models: [card, { ...card, id: 'other', name: 'Other' }],
        refused: [{ folder: 'bad', reason: 'no card' }],
      },
      'files.choose': null,
      'files.list': {
        path: '/studies',
        parent: '/',
        folders: [{ name: 'march', path: '/studies/march' }],
        files: 3,
      },
      'review.predict': prediction,
      'report.create': { report: 'r1', fileName: 'verysecret.pdf', bytes: 1000 },
      'report.save': { saved: true },
    };
    const ready = name === 'models.list' ? this.checking : Promise.resolve();
    return ready.then(() => answers[name] as never);
  };

  stream: Client['stream'] = (name, request, signal) => {
    this.requests.push({ name, request });
    const frames =
      name === 'library.open'
        ? this.#library()
        : name === 'review.explain'
          ? this.#explain(request as Asked, signal)
          : this.#compare(request as Pick<Asked, 'method'> & { baselines: Choice<BaselineId>[] }, signal);
    return frames as never;
  };

  async *#library(): AsyncGenerator<Frame<LibraryEvent>> {
    for (const image of this.images) {
      yield { header: { type: 'image', image } };
      await Promise.resolve();
    }
    yield {
      header: {
        type: 'refused',
        refused: { file: 'verysecret.txt', reason: 'Not a DICOM file.', advice: 'Nothing to do.' },
      },
    };
    yield { header: { type: 'done', images: this.images.length, refused: 1 } };
  }

  async *#maps(asked: Asked, signal?: AbortSignal): AsyncGenerator<Frame<MapHeader>> {
    const map = mapOf(asked);
    for (const [i, nodes] of LEVELS.entries()) {
      if (this.stepwise) {
        await new Promise<void>((resolve) => {
          this.#advance = resolve;
          signal?.addEventListener('abort', () => resolve(), { once: true });
        });
      }
      if (signal?.aborted) return;
      const final = i === LEVELS.length - 1;
      if (final && this.ending instanceof Error) throw this.ending;
      yield { header: headerOf(asked, nodes, final, this.ending === 'converged'), data: map };
    }
  }

  async *#explain(asked: Asked, signal?: AbortSignal): AsyncGenerator<Frame<MapHeader | AssessmentHeader>> {
    yield* this.#maps(asked, signal);
    if (signal?.aborted) return;
    yield this.#assessment(asked);
  }

  #assessment(asked: Asked): Frame<AssessmentHeader> {
    const flags = [
      { id: 'peak-outside-lungs', severity: 'alert', text: 'The maximum lies outside the lungs.' },
    ] as const;
    const header: AssessmentHeader = {
      type: 'assessment',
      height: SIZE,
      width: SIZE,
      lungs,
      flags: [...flags],
      result: resultOf(asked),
    };
    return { header, data: Float32Array.from({ length: SIZE * SIZE }, (_, i) => (i % SIZE) / SIZE) };
  }

  async *#compare(
    { method, baselines }: Pick<Asked, 'method'> & { baselines: Choice<BaselineId>[] },
    signal?: AbortSignal,
  ): AsyncGenerator<Frame<MapHeader | AssessmentHeader | AgreementHeader>> {
    for (const baseline of baselines) {
      yield* this.#maps({ method, baseline }, signal);
      if (signal?.aborted) return;
      yield this.#assessment({ method, baseline });
    }
    if (signal?.aborted) return;
    const matrix = (value: number): number[][] =>
      baselines.map((_, i) => baselines.map((__, j) => (i === j ? 1 : value)));
    const agreement = {
      baselines: baselines.map(({ id }) => id),
      rankCorrelation: matrix(0.64),
      topOverlap: matrix(0.21),
      null: { rankCorrelation: { mean: 0, p95: 0.01 }, topOverlap: { mean: 0.03, p95: 0.04 } },
      stable: false,
    };
    yield { header: { type: 'agreement', agreement } };
  }
}

function convergenceOf(nodes: number, converged: boolean): Convergence {
  const done = nodes === LEVELS.at(-1);
  const gapRelative = done && !converged ? 0.04 : 0.3 / nodes ** 1.5;
  return {
    fx: 1.3,
    fb: -0.7,
    gap: gapRelative * 2,
    gapRelative,
    gapBound: 0.02,
    mapChange: nodes === 3 ? null : 1 / nodes,
    evaluations: nodes,
    converged: done && converged,
  };
}

type State = Omit<MapHeader, 'type' | 'baseline' | 'height' | 'width' | 'final' | 'seconds' | 'secondsLeft'>;

function stateOf({ method, baseline }: Asked, nodes: number, converged: boolean): State {
  const promisesNothing = methods[method.id].sum.startsWith('nothing');
  const several = baseline !== null && baselineKinds[baseline.id].several;
  const summary = {
    sum: 2.02,
    expectedSum: promisesNothing ? null : 2,
    findings: {},
    spread: several ? { runs: 10, share: 0.23, converged: null } : null,
  };
  // Integrated Gradients stop by themselves; the others do what their parameters set.
  if (method.id === 'integrated-gradients') {
    return { ...summary, ...convergenceOf(nodes, converged), nodes, maxEvaluations: 513 };
  }
  return {
    ...summary,
    fx: null,
    fb: null,
    gap: promisesNothing ? null : 0.02,
    gapRelative: null,
    gapBound: null,
    mapChange: null,
    evaluations: nodes,
    converged: null,
    nodes: null,
    maxEvaluations: 33,
  };
}

function headerOf(asked: Asked, nodes: number, final: boolean, converged: boolean): MapHeader {
  return {
    type: 'map',
    baseline: asked.baseline,
    height: SIZE,
    width: SIZE,
    final,
    seconds: nodes / 50,
    secondsLeft: final ? 0 : 1,
    ...stateOf(asked, nodes, converged),
  };
}

function resultOf(asked: Asked): ExplanationResult {
  const method = completeMethod(asked.method, 'logit');
  const baseline = asked.baseline && completeBaseline(asked.baseline, card.input);
  const entropy = { entropy: 0.691, greatestEntropy: Math.LN2 };
  return {
    image: { file: 'one.dcm', frame: 0, sopInstanceUid: '1', sha256: '2'.repeat(64) },
    model: { id: card.id, sha256: card.sha256 },
    prediction,
    target: 'PNEUMONIA',
    scalar: 'logit',
    method: method.id,
    quadrature: null,
    parameters: method.parameters,
    baseline: baseline?.id ?? null,
    baselineParameters: baseline?.parameters ?? {},
    baselineFindings: baseline === null ? [] : [baseline.id === 'maximum-entropy' ? entropy : {}],
    baselineEvaluations: 0,
    cohort: null,
    baselineImage: null,
    device: { provider: 'cpu', name: 'Test CPU', threads: 2, runtime: 'test', selfTest: null },
    lungs,
    flags: [],
    batch: 4,
    notes: [],
    seconds: 1,
    app: { version: '0', commit: '0' },
    ...stateOf(asked, 33, true),
  };
}

/** Serves `/images/ID/frames/N` from memory, in the bytes that hosts send; `broken` images answer as a host refuses, `empty` ones have one value. */
export function serveFrames(broken: readonly string[] = [], empty: readonly string[] = []): () => void {
  const original = window.fetch.bind(window);
  window.fetch = (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input, location.href);
    const image = /^\/images\/([^/]+)\/frames\/\d+$/.exec(url.pathname)?.[1];
    if (image === undefined) return original(input, init);
    if (broken.includes(image)) {
      const report = {
        kind: 'damaged',
        message: 'The pixel data ends early.',
        advice: 'Ask for the file again.',
      };
      return Promise.resolve(Response.json(report, { status: 422 }));
    }
    return Promise.resolve(new Response(frameBytes(!empty.includes(image))));
  };
  return () => {
    window.fetch = original;
  };
}

function frameBytes(varied: boolean): ArrayBuffer {
  const header: FrameHeader = {
    rows: ROWS,
    columns: COLUMNS,
    bitsStored: 12,
    signed: false,
    grayscale: {
      modalityLut: { kind: 'linear', slope: 1, intercept: 0, units: 'US' },
      vois: [
        { kind: 'window', function: 'linear', center: 2000, width: 3000, explanation: 'Normal' },
        { kind: 'window', function: 'linear', center: 1000, width: 800, explanation: 'Lung' },
      ],
      photometricInterpretation: 'MONOCHROME2',
      presentationLutShape: null,
    },
  };
  const text = JSON.stringify(header);
  const json = new TextEncoder().encode(text.padEnd(Math.ceil(text.length / 4) * 4));
  const bytes = new ArrayBuffer(4 + json.length + ROWS * COLUMNS * 2);
  new DataView(bytes).setUint32(0, json.length, true);
  new Uint8Array(bytes, 4).set(json);
  new Uint16Array(bytes, 4 + json.length).set(
    Uint16Array.from({ length: ROWS * COLUMNS }, (_, i) => (varied ? ((i % COLUMNS) / COLUMNS) * 4095 : 700)),
  );
  return bytes;
}
