/** The machine-readable result of one explanation: `result.json`, a line of `results.jsonl`, what `--json` prints. */
import type { Scalar } from '../attribution/model.ts';
import type { DeviceInfo } from './device.ts';

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

/** How far an integral has come. `null` where it is not known yet. */
export interface Convergence {
  /** f(x) and f(baseline), in units of the scalar. */
  fx: number | null;
  fb: number | null;
  /** sum(map) - (f(x) - f(b)), in units of the scalar. */
  gap: number | null;
  /** |gap| / |f(x) - f(b)|; null where the denominator is under the floor of `gapBound`. */
  gapRelative: number | null;
  /** What |gap| must not exceed, in units of the scalar: gapTolerance * max(|f(x)-f(b)|, floor). */
  gapBound: number | null;
  /** Relative L2 distance between the maps of the last two complete levels. */
  mapChange: number | null;
  /** Gradient evaluations done. */
  evaluations: number;
  /** Both stopping criteria hold. */
  converged: boolean;
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

export interface ExplanationResult extends Convergence {
  image: { file: string; frame: number; sopInstanceUid: string; sha256: string };
  model: { id: string; sha256: string };
  prediction: Prediction;
  target: string;
  scalar: Scalar;
  method: 'integrated-gradients';
  quadrature: 'nested-trapezoid';
  baseline: BaselineName;
  parameters: {
    gapTolerance: number;
    mapTolerance: number;
    maxEvaluations: number;
    blurSigma: number | null;
  };
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
