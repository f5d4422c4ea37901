/** One panel of a figure: its title, its frame and its axes. */
import type { Sketch, Stroke } from '../../report/drawing.ts';
import { color, size } from '../../report/theme.ts';

/** Plotting area, points. */
export interface Area {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

export interface Tick {
  at: number;
  label: string;
}

const labels = { size: size.tiny, color: color.soft } as const;
const grid: Stroke = { color: '#e6eaed', width: 0.5 };
const axis: Stroke = { color: color.soft, width: 0.7 };

export function putPanelTitle(sketch: Sketch, area: Area, title: string): void {
  const { left, right, top } = area;
  sketch.text(
    title,
    { x: left, y: top - 3, vertical: 'bottom', width: right - left },
    { size: size.small, weight: 'semibold' },
  );
}

/** Height of a panel's title at a width. */
export function titleHeight(sketch: Sketch, title: string, width: number): number {
  return sketch.measure(title, { size: size.small, weight: 'semibold' }, width).height + 3;
}

/** Numbers at the left, with lines across. */
export function putVerticalAxis(sketch: Sketch, area: Area, ticks: readonly Tick[], numbers = true): void {
  for (const { at, label } of ticks) {
    sketch.line(area.left, at, area.right, at, grid);
    if (numbers) {
      sketch.text(label, { x: area.left - 4, y: at, align: 'right', vertical: 'middle' }, labels);
    }
  }
}

/** Numbers below, those left out that would touch the one before; `lines` draws lines up. */
export function putHorizontalAxis(sketch: Sketch, area: Area, ticks: readonly Tick[], lines = false): void {
  const { left, right, top, bottom } = area;
  sketch.line(left, bottom, right, bottom, axis);
  let free = Number.NEGATIVE_INFINITY;
  for (const { at, label } of ticks) {
    if (lines) sketch.line(at, top, at, bottom, grid);
    sketch.line(at, bottom, at, bottom + 2.5, axis);
    const { width } = sketch.measure(label, labels);
    if (at - width / 2 < free) continue;
    sketch.text(label, { x: at, y: bottom + 3, align: 'center' }, labels);
    free = at + width / 2 + 3;
  }
}

export function putAxisName(sketch: Sketch, area: Area, name: string, side: 'left' | 'below'): void {
  const { left, right, top, bottom } = area;
  if (side === 'below') {
    sketch.text(name, { x: (left + right) / 2, y: bottom + 13, align: 'center' }, labels);
    return;
  }
  const at = {
    x: left - 32,
    y: (top + bottom) / 2,
    align: 'center',
    vertical: 'middle',
    turned: true,
  } as const;
  sketch.text(name, { ...at, width: bottom - top + 20 }, labels);
}
