/** The convergence chart's geometry: both criteria against evaluations, on logarithmic axes. */
import { scaleLog, type ScaleLogarithmic } from 'd3-scale';
import { line } from 'd3-shape';
import type { TracePoint } from '../state/review.svelte.ts';

export interface Tolerances {
  gap: number;
  map: number;
}

export interface ChartSize {
  width: number;
  height: number;
  left: number;
  right: number;
  top: number;
  bottom: number;
}

export interface Series {
  path: string;
  last: { x: number; y: number; value: number };
}

export interface ConvergenceGeometry {
  x: ScaleLogarithmic<number, number>;
  y: ScaleLogarithmic<number, number>;
  gap: Series | null;
  map: Series | null;
}

/** Both criteria are shares; what is better than the axis' end lies on it. */
const Y_DOMAIN = [1e-4, 1] as const;

/** The gap is drawn as gap / bound * tolerance: the relative gap, also where f(x) - f(b) is too small to divide by. */
export function convergenceGeometry(
  trace: readonly TracePoint[],
  tolerances: Tolerances,
  most: number,
  size: ChartSize,
): ConvergenceGeometry {
  const x = scaleLog([2, Math.max(3, most)], [size.left, size.width - size.right]).clamp(true);
  const y = scaleLog(Y_DOMAIN, [size.height - size.bottom, size.top]).clamp(true);
  const series = (valueOf: (point: TracePoint) => number | null): Series | null => {
    const points = trace.flatMap((point) => {
      const value = valueOf(point);
      return value === null || point.evaluations < 1
        ? []
        : [{ x: x(point.evaluations), y: y(Math.max(value, Y_DOMAIN[0])), value }];
    });
    const last = points.at(-1);
    const path = line<{ x: number; y: number }>(
      (point) => point.x,
      (point) => point.y,
    ).digits(1)(points);
    return last === undefined || path === null ? null : { path, last };
  };
  return {
    x,
    y,
    gap: series(({ gapOverBound }) => (gapOverBound === null ? null : gapOverBound * tolerances.gap)),
    map: series(({ mapChange }) => mapChange),
  };
}
