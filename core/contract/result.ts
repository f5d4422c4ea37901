/** The machine-readable result of one explanation: `result.json`, a line of `results.jsonl`, what `--json` prints. */
import type { BaselineId } from '../attribution/baseline-kinds.ts';
import type { Parameters } from '../attribution/choices.ts';
import type { MethodId } from '../attribution/methods.ts';
import type { Scalar } from '../attribution/model.ts';
import type { DeviceInfo } from './device.ts';

/** Those that ask nothing of the model or of other images; compared with each other by default. */
export type BaselineName = 'black' | 'white' | 'grey' | 'blurred';
export const BASELINES: readonly BaselineName[] = ['black', 'white', 'grey', 'blurred'];

/**
 * Blurred, because black, the customary choice, shows least: on 12 real normal radiographs with the shortcut's marker
 * stamped in, the shortcut model's peak on the marker is found from the blurred baseline on 11, from black on 5.
 */
export const DEFAULT_BASELINE: BaselineName = 'blurred';

export interface Prediction {
  /** The card's decision at its threshold; for cards without one the label of the highest probability. */
  label: string;
  /** label -> probability. */
  scores: Record<string, number>;
  /** label -> the model's raw output. */
  logits: Record<string, number>;
  threshold: number | null;
}

/** How far a map has come. `null` where it is not known yet, and where the method has no such thing. */
export interface Convergence {
  /** f(x) and f(baseline), in units of the scalar, of Integrated Gradients that stop by themselves; of several runs, on noisy images or from several baselines, the means. */
  fx: number | null;
  fb: number | null;
  /** The map's sum less what it should be (for Integrated Gradients f(x) - f(b)), in units of the scalar. */
  gap: number | null;
  /** |gap| / |f(x) - f(b)|; null where the denominator is under the floor of `gapBound`. */
  gapRelative: number | null;
  /** What |gap| must not exceed, in units of the scalar: gapTolerance * max(|f(x)-f(b)|, floor). */
  gapBound: number | null;
  /** Relative L2 distance between the maps of the last two complete levels. */
  mapChange: number | null;
  /** Gradient evaluations done. */
  evaluations: number;
  /** Both stopping criteria hold, of several runs for each; null: the method has none. */
  converged: boolean | null;
}

export interface LungCheck {
  /** Share of |attribution| inside the lungs, 0..1. */
  share: number;
  /** Share of the image's area inside the lungs, 0..1. */
  areaShare: number;
  /** share / areaShare; 1 is what a map that knows nothing gets. */
  enrichment: number;
  /** Whether the map's maximum lies in the lungs. */
  peakInside: boolean;
  /** Where the maximum is, in model-input pixels. */
  peak: { row: number; column: number };
  /** The same share for maps that know nothing of the model. */
  null: { random: number; edges: number };
  /** The segmentation model that drew the lungs. */
  model: { id: string; sha256: string };
}

export interface Flag {
  id: string;
  severity: 'info' | 'warning' | 'alert';
  /** One sentence for the reader, with its numbers. */
  text: string;
}

/** The images of a folder that took part. */
export interface CohortUse {
  /** SHA-256 of each file, sorted. The explained image is never among them. */
  images: string[];
  /** Of the folder's others: not readable as single frames. */
  unreadable: number;
  /** Called as the explained image is, where images of another class were asked for. */
  sameClass: number;
  /** Not looked at: as many as are taken had been found. */
  beyond: number;
}

/** What there is to say of a map besides its convergence. */
export interface MapSummary {
  /** Of the map, before rounding to float32. */
  sum: number;
  /** What the sum should equal, in units of the scalar; null while it is not known, and where nothing is promised. */
  expectedSum: number | null;
  /** Numbers that the method found on its way, by name. */
  findings: Readonly<Record<string, number>>;
  /**
   * Of a mean over several runs (baselines, noise, references): how far a run's map is from it, as a share of its norm, and how many runs
   * converged (null: they have no criterion for it, or the result is of an earlier version).
   */
  spread: { runs: number; share: number | null; converged: number | null } | null;
  /** The most gradients that the method would have evaluated. */
  maxEvaluations: number;
}

export interface ExplanationResult extends Convergence, MapSummary {
  image: { file: string; frame: number; sopInstanceUid: string; sha256: string };
  model: { id: string; sha256: string };
  prediction: Prediction;
  target: string;
  scalar: Scalar;
  method: MethodId;
  /** Of Integrated Gradients that stop by themselves; the rules of others stand among their parameters. */
  quadrature: 'nested-trapezoid' | null;
  /** Every parameter of the method, those of a method beneath it and seeds included. */
  parameters: Parameters;
  /** null: the method needs none. */
  baseline: BaselineId | null;
  /** Every parameter of the baseline. */
  baselineParameters: Parameters;
  /** What was found while each baseline was made: the entropy reached, say. */
  baselineFindings: Readonly<Record<string, number>>[];
  /** Gradients that making the baselines took; not among `evaluations`. */
  baselineEvaluations: number;
  /** null: no other images were asked for. */
  cohort: CohortUse | null;
  /** The image that was the baseline, where one was chosen. */
  baselineImage: { file: string; frame: number; sha256: string } | null;
  /** What computed the map. The score and the lungs are always the CPU's. */
  device: DeviceInfo;
  /** Points evaluated together: the last bits of the map depend on it. null in results of earlier versions. */
  batch: number | null;
  lungs: LungCheck | null;
  flags: Flag[];
  /** What to know of how the model was read and computed (in another number format than its own): one sentence each. */
  notes: string[];
  seconds: number;
  app: { version: string; commit: string };
}
