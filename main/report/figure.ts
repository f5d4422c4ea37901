/** Pictures on paper: an image with what must stand around it, and the colour bar of its overlay. */
import { colorsOf, type OverlayStyle } from '../../core/imaging/blend.ts';
import { sides, type Orientation } from '../../core/imaging/orientation.ts';
import type { Block } from './block.ts';
import { colorStrip } from './color-strip.ts';
import type { Segment } from './contour.ts';
import { significant, signed } from './numbers.ts';
import type { Paper } from './paper.ts';
import { color, size } from './theme.ts';

export interface FigureOptions {
  png: Uint8Array;
  /** Width over height, as it is to be shown. */
  aspect: number;
  alt: string;
  /** Letters of the sides; null: none are drawn. */
  orientation?: Orientation | null;
  /** Lines over the picture, and the pixel raster they are given in. */
  lines?: { segments: readonly Segment[]; rows: number; columns: number; color: string };
  /** A ring at a point of the same kind of raster. */
  ring?: { row: number; column: number; rows: number; columns: number };
  maxHeight?: number;
}

/** A picture at full width of its place, or lower where `maxHeight` says so; then centred. */
export function figure(paper: Paper, options: FigureOptions): Block {
  const sizeAt = (width: number): [number, number] => {
    const height = Math.min(width / options.aspect, options.maxHeight ?? Number.POSITIVE_INFINITY);
    return [height * options.aspect, height];
  };
  return {
    measure: (width) => sizeAt(width)[1],
    draw: (x, y, width) => {
      const [shownWidth, height] = sizeAt(width);
      const left = x + (width - shownWidth) / 2;
      paper.mark('Figure', () => drawFigure(paper, options, left, y, shownWidth, height), {
        alt: options.alt,
        bbox: [left, y, left + shownWidth, y + height],
      });
    },
  };
}

function drawFigure(
  paper: Paper,
  options: FigureOptions,
  x: number,
  y: number,
  width: number,
  height: number,
): void {
  const { pdf } = paper;
  pdf.image(Buffer.from(options.png), x, y, { width, height });
  // A white picture must not melt into the page.
  pdf.rect(x, y, width, height).lineWidth(0.4).stroke(color.line);
  const { lines, ring, orientation } = options;
  pdf.save();
  pdf.rect(x, y, width, height).clip();
  if (lines !== undefined) {
    const [scaleX, scaleY] = [width / lines.columns, height / lines.rows];
    for (const { x1, y1, x2, y2 } of lines.segments) {
      pdf.moveTo(x + x1 * scaleX, y + y1 * scaleY).lineTo(x + x2 * scaleX, y + y2 * scaleY);
    }
    pdf.lineCap('round').lineWidth(0.9).stroke(lines.color);
  }
  if (ring !== undefined) {
    const centreX = x + ((ring.column + 0.5) * width) / ring.columns;
    const centreY = y + ((ring.row + 0.5) * height) / ring.rows;
    pdf.circle(centreX, centreY, 7).lineWidth(2.2).stroke('#000000');
    pdf.circle(centreX, centreY, 7).lineWidth(1.1).stroke('#ffffff');
  }
  pdf.restore();
  if (orientation !== undefined && orientation !== null) {
    const letters = sides(orientation, { flipHorizontal: false, flipVertical: false, quarterTurns: 0 });
    const style = { size: 9, weight: 'semibold', color: '#ffffff' } as const;
    const place = (letter: string, left: number, top: number): void => {
      const set = paper.typesetter.set(letter, style);
      const centred = [left - set.width / 2, top - set.height / 2] as const;
      // A dark plate keeps the letter legible on bright lung borders and markers.
      pdf.roundedRect(centred[0] - 2.5, centred[1] + 0.5, set.width + 5, set.height - 1, 2).fill('#000000');
      paper.typesetter.draw(set, ...centred);
    };
    place(letters.left, x + 9, y + height / 2);
    place(letters.right, x + width - 9, y + height / 2);
    place(letters.top, x + width / 2, y + 9);
    place(letters.bottom, x + width / 2, y + height - 9);
  }
}

/**
 * The colours of an overlay over their values.
 * @param unit what the numbers are
 */
export function colorBar(paper: Paper, { range, sign }: OverlayStyle, unit: string): Block {
  const oneSided = sign === 'absolute';
  const barHeight = 7;
  const labelStyle = { size: size.tiny, color: color.ink } as const;
  const unitStyle = { size: size.tiny, color: color.soft, align: 'center' } as const;
  const middle = oneSided ? significant(range / 2, 2) : '0';
  const ends = oneSided
    ? (['0', `${significant(range, 2)} or more`] as const)
    : ([`\u2212${significant(range, 2)} or less`, `${signed(range, 2)} or more`] as const);
  const quarter = (at: 1 | 3): string =>
    oneSided ? significant((range * at) / 4, 2) : signed(((at - 2) * range) / 2, 2);
  const ticks = [
    { at: 0, label: ends[0] },
    { at: 0.25, label: quarter(1) },
    { at: 0.5, label: middle },
    { at: 0.75, label: quarter(3) },
    { at: 1, label: ends[1] },
  ];
  const caption = (width: number): ReturnType<typeof paper.typesetter.set> =>
    paper.typesetter.set(unit, unitStyle, width);
  const numbersHeight = paper.typesetter.set('0', labelStyle).height;
  return {
    measure: (width) => barHeight + 2 + numbersHeight + caption(width).height,
    draw: (x, y, width) => {
      const height = barHeight + 2 + numbersHeight + caption(width).height;
      const alt = oneSided
        ? `Colour bar from 0 (dark violet) to ${ends[1]} (pale yellow). ${unit}`
        : `Colour bar from ${ends[0]} (blue) over 0 (grey) to ${ends[1]} (orange). ${unit}`;
      paper.mark(
        'Figure',
        () => {
          const { pdf } = paper;
          for (const stripe of colorStrip(colorsOf(sign), { x, width })) {
            pdf.rect(stripe.x, y, stripe.width, barHeight).fill(stripe.fill);
          }
          const sets = ticks.map(({ label }) => paper.typesetter.set(label, labelStyle));
          const widths = sets.map((set) => set.width);
          const room = Math.max(widths[0] ?? 0, widths[4] ?? 0) + (widths[1] ?? 0) / 2 + 6 < width / 4;
          sets.forEach((set, i) => {
            const at = ticks[i]?.at ?? 0;
            const tickX = x + at * width;
            pdf
              .moveTo(tickX, y + barHeight)
              .lineTo(tickX, y + barHeight + 2)
              .lineWidth(0.5)
              .stroke(color.soft);
            if (!room && i % 2 === 1) return;
            const left = at === 0 ? x : at === 1 ? tickX - set.width : tickX - set.width / 2;
            paper.typesetter.draw(set, left, y + barHeight + 2);
          });
          paper.typesetter.draw(caption(width), x, y + barHeight + 2 + numbersHeight, width);
        },
        { alt, bbox: [x, y, x + width, y + height] },
      );
    },
  };
}

/** A round length that fits below an image, drawn to the image's scale. */
export function scaleBar(paper: Paper, imageMillimetres: number, basis: string): Block {
  const style = { size: size.tiny, color: color.soft } as const;
  const lengths = [200, 100, 50, 20, 10, 5, 2, 1];
  const length = lengths.find((candidate) => candidate <= imageMillimetres / 3) ?? imageMillimetres / 4;
  const label =
    length >= 10
      ? `${significantLength(length / 10)} cm ${basis}`
      : `${significantLength(length)} mm ${basis}`;
  const set = paper.typesetter.set(label, style);
  return {
    measure: () => set.height,
    draw: (x, y, width) => {
      const shown = (length / imageMillimetres) * width;
      const middle = y + set.height / 2;
      paper.mark(
        'Figure',
        () => {
          paper.pdf
            .moveTo(x, middle - 2.5)
            .lineTo(x, middle + 2.5)
            .moveTo(x, middle)
            .lineTo(x + shown, middle)
            .moveTo(x + shown, middle - 2.5)
            .lineTo(x + shown, middle + 2.5)
            .lineWidth(0.8)
            .stroke(color.ink);
          paper.typesetter.draw(set, x + shown + 6, y);
        },
        { alt: `Scale bar: ${label}`, bbox: [x, y, x + width, y + set.height] },
      );
    },
  };
}

function significantLength(length: number): string {
  return Number(length.toPrecision(2)).toString();
}
