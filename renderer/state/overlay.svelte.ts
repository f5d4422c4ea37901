/** How the map is laid over the image: scale, threshold and opacity are three controls, never one. */
import {
  DEFAULT_TOP_SHARE,
  overlayLevels,
  type OverlayLevels,
  type OverlaySign,
  type OverlayStyle,
} from '../../core/imaging/blend.ts';
import type { MapScale } from '../../core/attribution/choices.ts';
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
  top = $state(DEFAULT_TOP_SHARE);
  sign = $state<OverlaySign>('all');
  outline = $state(true);
  /** One scale over the baseline panel's maps, or each its own. */
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
   * The levels of one map by itself. The range comes from the map that sets the scale (`Run.scale`), which follows a running
   * integral in steps; the threshold is a rank within the map that is shown.
   */
  ownLevels({ map, scale }: Run): OverlayLevels | null {
    if (map === null || scale === null) return null;
    const { range, threshold } = overlayLevels([scale], this.top);
    return {
      range,
      threshold: scale === map.data ? threshold : overlayLevels([map.data], this.top).threshold,
    };
  }

  /** The levels of all maps that there are, as one. */
  sharedLevels(runs: readonly Run[]): OverlayLevels | null {
    const scales = runs.flatMap(({ scale }) => (scale === null ? [] : [scale]));
    return scales.length === 0 ? null : overlayLevels(scales, this.top);
  }

  /** A map without signs has one side: no choice of sign makes it two. */
  style(levels: OverlayLevels, { signed }: MapScale): OverlayStyle {
    return { ...levels, sign: signed ? this.sign : 'absolute', opacity: this.opacity };
  }
}

function clampUnit(value: number): number {
  return Math.min(1, Math.max(0, value));
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
