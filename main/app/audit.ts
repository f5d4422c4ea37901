/** A run over many images, one explanation each, that picks up where an earlier run of the same kind stopped. */
import { isDeepStrictEqual } from 'node:util';
import { throwIfCancelled } from '../../core/attribution/path.ts';
import type { Provider } from '../../core/contract/device.ts';
import { PathlightError, toErrorReport } from '../../core/contract/errors.ts';
import type { RefusedFile } from '../../core/contract/library.ts';
import type { ModelCard } from '../../core/contract/model-card.ts';
import type { ExplanationResult } from '../../core/contract/result.ts';
import { type Analysis, askedOf, type Explanation, type ExplanationRequest, returned } from './analysis.ts';
import type { Journal } from './journal.ts';
import type { LibraryImage } from './library.ts';
import { modelSha256 } from './model-sha256.ts';

export interface AuditRequest {
  images: readonly LibraryImage[];
  /** The same for every image, without a cohort; of images with several frames the first one is explained. */
  choices: Omit<ExplanationRequest, 'image' | 'frame'>;
  card: ModelCard;
  lungsCard: ModelCard | null;
  /** `results.jsonl`. */
  journal: Journal<ExplanationResult>;
  /** What computes: results of another device do not stand in the same folder. */
  provider: Provider;
}

export type AuditOutcome =
  | { type: 'result'; image: LibraryImage; result: ExplanationResult; explanation: Explanation }
  /** Taken over: from an earlier run, or from another file of this one with the same content. */
  | { type: 'resumed' | 'copied'; result: ExplanationResult }
  | { type: 'failed'; failure: RefusedFile };

/** Errors after which the next image would fail the same way. */
export const FATAL: ReadonlySet<string> = new Set([
  'cancelled',
  'write-failed',
  'model-refused',
  'device-refused',
]);

/**
 * Yields one outcome an image, in their order; every result stands in the journal before it is yielded.
 * @throws PathlightError `bad-request` where the journal holds results of another model, other choices or another device
 */
export async function* audit(
  analysis: Analysis,
  { images, choices, card, lungsCard, journal, provider }: AuditRequest,
  signal?: AbortSignal,
): AsyncGenerator<AuditOutcome, void, undefined> {
  const wanted = wantedResults({ choices, card, lungsCard, provider }, analysis.app.version);
  const stranger = journal.entries.find((result) => !wanted.sameRun(result));
  if (stranger !== undefined) {
    throw new PathlightError(
      'bad-request',
      `The folder already holds an audit of '${stranger.model.id}' (${stranger.model.sha256.slice(0, 12)}…), ${stranger.method}, ${stranger.baseline === null ? 'without a baseline' : `baseline ${stranger.baseline}`}, target ${stranger.target}, ${stranger.scalar}, computed on ${stranger.device.provider}`,
      'Name another folder with --out: the results of different runs are not mixed.',
    );
  }
  // A result is known by the content that it is of; the journal has a line for every file with that content.
  const done = new Map<string, ExplanationResult>();
  const lines = new Set<string>();
  const remember = (result: ExplanationResult): void => {
    done.set(contentKey(result.image), result);
    lines.add(`${contentKey(result.image)} ${result.image.file}`);
  };
  journal.entries.filter((result) => wanted.current(result)).forEach(remember);
  const earlier = new Set(done.keys());

  for (const [index, image] of images.entries()) {
    throwIfCancelled(signal);
    const request: ExplanationRequest = { ...choices, image, frame: 0 };
    try {
      const sha256 = await analysis.images.sha256(image);
      const before = done.get(contentKey({ sha256, frame: 0 }));
      if (before !== undefined) {
        const { file, sopInstanceUid } = image.entry;
        const result = { ...before, image: { ...before.image, file, sopInstanceUid } };
        if (!lines.has(`${contentKey(result.image)} ${file}`)) await journal.append(result);
        remember(result);
        yield { type: earlier.has(contentKey(result.image)) ? 'resumed' : 'copied', result };
        continue;
      }
      const next = images[index + 1];
      if (next !== undefined) analysis.prefetch({ image: next, frame: 0 }, card.input);
      const explanation = await returned(analysis.explain(request, signal));
      const { result } = explanation;
      await journal.append(result);
      remember(result);
      yield { type: 'result', image, result, explanation };
    } catch (error) {
      const { kind, message, advice } = toErrorReport(error);
      if (FATAL.has(kind)) throw error;
      yield { type: 'failed', failure: { file: image.entry.file, reason: message, advice } };
    }
  }
}

function contentKey({ sha256, frame }: { sha256: string; frame: number }): string {
  return `${sha256} ${frame}`;
}

function wantedResults(
  { choices, card, lungsCard, provider }: Pick<AuditRequest, 'choices' | 'card' | 'lungsCard' | 'provider'>,
  version: string,
): { sameRun(result: ExplanationResult): boolean; current(result: ExplanationResult): boolean } {
  const { method, baseline } = askedOf(choices, card);
  const { format = 'onnx' } = card;
  return {
    /** Of this model, these choices and this kind of device: may stand in the same folder. */
    sameRun: (result) =>
      result.model.sha256 === modelSha256(card) &&
      // TensorFlow.js chooses its backend by itself.
      (format !== 'onnx' || result.device.provider === provider) &&
      result.scalar === choices.scalar &&
      result.method === method.id &&
      result.baseline === (baseline?.id ?? null) &&
      result.target === (choices.target ?? card.decision?.positive ?? result.prediction.label),
    /** Need not be computed again. */
    current: (result) =>
      isDeepStrictEqual(result.parameters, method.parameters) &&
      isDeepStrictEqual(result.baselineParameters, baseline?.parameters ?? {}) &&
      result.lungs?.model.sha256 === (lungsCard === null ? undefined : modelSha256(lungsCard)) &&
      result.app.version === version,
  };
}
