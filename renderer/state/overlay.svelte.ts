/** How the map is laid over the image: scale, threshold and opacity are three controls, never one. */
import {
  defaultRangeQuantile,
  overlayLevels,
  type OverlaySign,
  type OverlayStyle,
} from '../../core/imaging/blend.ts';
import type { Run } from './review.svelte.ts';

export const SIGNS: readonly { sign: OverlaySign; label: string }[] = [
  { sign: 'all', label: '± both' },
  { sign: 'positive', label: '+ for' },
  { sign: 'negative', label: '− against' },
  { sign: 'absolute', label: '| | size' },
];

const OPACITY_STEP = 0.1;
const TOP_STEP = 0.05;

export class Overlay {
  visible = $state(true);
  /** Held down: the map is off while the key is. */
  peeking = $state(false);
  /** 0 to 1. */
  opacity = $state(0.7);
  /** Share of the pixels with the largest |attribution| that is fully shown; the rest fades. */
  top = $state(0.1);
  sign = $state<OverlaySign>('all');
  outline = $state(true);
  /** One scale over all baselines, or each its own. */
  sharedScale = $state(true);

  readonly shown = $derived(this.visible && !this.peeking);

  changeOpacity(steps: number): void {
    this.opacity = clampUnit(round(this.opacity + steps * OPACITY_STEP));
  }

  changeTop(steps: number): void {
    this.top = Math.max(0.01, clampUnit(round(this.top + steps * TOP_STEP)));
  }

  nextSign(): void {
    const at = SIGNS.findIndex(({ sign }) => sign === this.sign);
    this.sign = SIGNS[(at + 1) % SIGNS.length]?.sign ?? 'all';
  }

  /**
   * The style of one run's map. The colour range is taken from the maps that set the scale (`Run.scale`), which follow a
   * running integral in steps; the threshold is a rank of the map that is shown.
   * @param scaled the runs that share the scale
   */
  styleOf(run: Run, scaled: readonly Run[]): OverlayStyle | null {
    if (run.map === null || run.scale === null) return null;
    const scales = scaled.flatMap(({ scale }) => (scale === null ? [] : [scale]));
    const { range } = overlayLevels(scales.length > 0 ? scales : [run.scale], this.top, defaultRangeQuantile);
    const { threshold } = overlayLevels([run.map.data], this.top, defaultRangeQuantile);
    return { range, threshold, sign: this.sign, opacity: this.opacity };
  }
}

function clampUnit(value: number): number {
  return Math.min(1, Math.max(0, value));
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
