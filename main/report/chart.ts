/** Charts as vector paths, from the same path strings as an SVG would take. */
import { scaleLinear } from 'd3-scale';
import { symbol, symbolCircle } from 'd3-shape';
import type { Block } from './block.ts';
import type { Paper } from './paper.ts';
import { color, size } from './theme.ts';

export interface Axis {
  label: string;
  domain: readonly [number, number];
  format: (value: number) => string;
}

interface Plot {
  paper: Paper;
  x: (value: number) => number;
  y: (value: number) => number;
  /** Bounds of the plotting area. */
  left: number;
  top: number;
  right: number;
  bottom: number;
}

const tickStyle = { size: size.tiny, color: color.soft } as const;

/** Axes, grid and labels around what `content` draws. */
function plot(
  paper: Paper,
  height: number,
  alt: string,
  axes: { x: Axis; y: Axis },
  content: (plot: Plot) => void,
): Block {
  return {
    measure: () => height,
    draw: (x, y, width) => {
      const [left, right, top, bottom] = [x + 30, x + width - 6, y + 14, y + height - 26];
      const scaleX = scaleLinear([...axes.x.domain], [left, right]);
      const scaleY = scaleLinear([...axes.y.domain], [bottom, top]);
      paper.mark(
        'Figure',
        () => {
          const { pdf, typesetter } = paper;
          for (const tick of scaleY.ticks(4)) {
            pdf.moveTo(left, scaleY(tick)).lineTo(right, scaleY(tick)).lineWidth(0.4).stroke(color.line);
            const set = typesetter.set(axes.y.format(tick), tickStyle);
            typesetter.draw(set, left - 4 - set.width, scaleY(tick) - set.height / 2);
          }
          for (const tick of scaleX.ticks(5)) {
            const set = typesetter.set(axes.x.format(tick), tickStyle);
            typesetter.draw(set, scaleX(tick) - set.width / 2, bottom + 3);
          }
          content({ paper, x: scaleX, y: scaleY, left, top, right, bottom });
          pdf.moveTo(left, bottom).lineTo(right, bottom).lineWidth(0.8).stroke(color.soft);
          const xLabel = typesetter.set(axes.x.label, tickStyle);
          typesetter.draw(xLabel, (left + right - xLabel.width) / 2, bottom + 13);
          typesetter.draw(typesetter.set(axes.y.label, tickStyle), x, y);
        },
        { alt, bbox: [x, y, x + width, y + height] },
      );
    },
  };
}

/** Counts in equal bins of [0, 1]; the last bin includes 1. */
export function binCounts(values: readonly number[], bins: number): number[] {
  const counts = new Array<number>(bins).fill(0);
  for (const value of values) {
    const bin = Math.min(Math.floor(value * bins), bins - 1);
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return counts;
}

/** Histogram of values in [0, 1] with an optional threshold. */
export function histogram(
  paper: Paper,
  height: number,
  alt: string,
  xLabel: string,
  values: readonly number[],
  threshold: number | null,
): Block {
  const bins = 20;
  const counts = binCounts(values, bins);
  const axes = {
    x: { label: xLabel, domain: [0, 1] as const, format: (value: number) => value.toFixed(1) },
    y: {
      label: 'images',
      domain: [0, 1.1 * Math.max(1, ...counts)] as const,
      format: (value: number) => (Number.isInteger(value) ? String(value) : ''),
    },
  };
  return plot(paper, height, alt, axes, ({ x, y, top, bottom }) => {
    const { pdf } = paper;
    counts.forEach((count, i) => {
      if (count > 0) {
        const [left, right] = [x(i / bins), x((i + 1) / bins)];
        pdf.rect(left + 0.5, y(count), right - left - 1, bottom - y(count)).fill(color.accent);
      }
    });
    if (threshold !== null) {
      pdf
        .moveTo(x(threshold), top)
        .lineTo(x(threshold), bottom)
        .lineWidth(1)
        .dash(3, { space: 2 })
        .stroke(color.ink);
      pdf.undash();
      paper.typesetter.draw(
        paper.typesetter.set(`threshold ${threshold}`, tickStyle),
        x(threshold) + 3,
        top - 6,
      );
    }
  });
}

export interface Dot {
  x: number;
  y: number;
  marked: boolean;
}

/** Dots with a horizontal and a vertical reference line; marked dots are drawn last, in amber. */
export function scatter(
  paper: Paper,
  height: number,
  alt: string,
  axes: { x: Axis; y: Axis },
  dots: readonly Dot[],
  references: { y: { at: number; label: string }; x: { at: number; label: string } },
): Block {
  return plot(paper, height, alt, axes, ({ x, y, left, right, top, bottom }) => {
    const { pdf, typesetter } = paper;
    const dotPath = symbol(symbolCircle, dots.length > 500 ? 3 : 9)();
    for (const marked of [false, true]) {
      for (const dot of dots) {
        if (dot.marked !== marked || dotPath === null) continue;
        pdf.save().translate(x(dot.x), y(dot.y));
        pdf.path(dotPath).fill(marked ? color.amber : color.accent);
        pdf.restore();
      }
    }
    pdf.lineWidth(1).dash(3, { space: 2 });
    pdf.moveTo(left, y(references.y.at)).lineTo(right, y(references.y.at)).stroke(color.ink);
    pdf.moveTo(x(references.x.at), top).lineTo(x(references.x.at), bottom).stroke(color.ink);
    pdf.undash();
    const rowLabel = typesetter.set(references.y.label, tickStyle);
    typesetter.draw(rowLabel, right - rowLabel.width, y(references.y.at) - rowLabel.height);
    typesetter.draw(typesetter.set(references.x.label, tickStyle), x(references.x.at) + 3, top - 6);
  });
}
