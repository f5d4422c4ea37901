/** A figure as a list of marks: one description, which an SVG, a PNG and a page of a PDF are drawn from. */
import { color as colors, size } from './theme.ts';
import type { SetText, TextStyle, Typesetter } from './typesetter.ts';

export interface Stroke {
  color: string;
  /** Points. */
  width: number;
  /** Lengths of dash and gap, points. */
  dash?: readonly [number, number];
}

/** Filled, stroked, or both. */
export interface Ink {
  fill?: string;
  /** 0 to 1; 1 where absent. */
  opacity?: number;
  stroke?: Stroke;
}

export type Mark =
  | ({
      mark: 'path';
      /** SVG path data. */
      d: string;
      /** Where its origin lies; that of the drawing where absent. */
      at?: readonly [x: number, y: number];
    } & Ink)
  | {
      mark: 'text';
      set: SetText;
      content: string;
      /** Top left of the set text, before it is turned. */
      x: number;
      y: number;
      width: number;
      /** A quarter turn against the clock about its own centre: for the name of a vertical axis. */
      turned: boolean;
    }
  | { mark: 'picture'; png: Uint8Array; x: number; y: number; width: number; height: number };

/** Lengths in points, from the top left. */
export interface Drawing {
  title: string;
  /** For those who cannot see it. */
  description: string;
  width: number;
  height: number;
  marks: readonly Mark[];
}

/** Where a text stands: `x`, `y` is its left or right end or its middle, and its top, middle or bottom. */
export interface Place {
  x: number;
  y: number;
  align?: 'left' | 'center' | 'right';
  vertical?: 'top' | 'middle' | 'bottom';
  /** Breaks the text into lines of this width. */
  width?: number;
  turned?: boolean;
}

/** Marks as they are being put down. */
export class Sketch {
  readonly marks: Mark[] = [];
  readonly typesetter: Typesetter;

  constructor(typesetter: Typesetter) {
    this.typesetter = typesetter;
  }

  /** @returns the set text, whose height may place what follows */
  text(content: string, place: Place, style: Partial<TextStyle> = {}): SetText {
    const { x, y, align = 'left', vertical = 'top', turned = false } = place;
    const set = this.measure(content, { align, ...style }, place.width);
    const width = place.width ?? set.width;
    const shift = (of: 'left' | 'top' | 'center' | 'middle' | 'right' | 'bottom', length: number): number =>
      of === 'left' || of === 'top' ? 0 : of === 'center' || of === 'middle' ? length / 2 : length;
    const left = x - shift(align, width);
    const top = y - shift(vertical, set.height);
    this.marks.push({ mark: 'text', set, content, x: left, y: top, width, turned });
    return set;
  }

  measure(content: string, style: Partial<TextStyle> = {}, width?: number): SetText {
    return this.typesetter.set(content, { size: size.tiny, color: colors.ink, ...style }, width);
  }

  /** @param d as d3-shape gives it: null or empty draws nothing */
  path(d: string | null, ink: Ink, at?: readonly [x: number, y: number]): void {
    if (d === null || d === '') return;
    this.marks.push({ mark: 'path', d, ...ink, ...(at === undefined ? {} : { at }) });
  }

  line(x1: number, y1: number, x2: number, y2: number, stroke: Stroke): void {
    this.path(`M${round(x1)},${round(y1)}L${round(x2)},${round(y2)}`, { stroke });
  }

  rectangle(x: number, y: number, width: number, height: number, ink: Ink): void {
    const [w, h] = [round(width), round(height)];
    this.path(`M${round(x)},${round(y)}h${w}v${h}h${-w}Z`, ink);
  }

  picture(png: Uint8Array, x: number, y: number, width: number, height: number): void {
    this.marks.push({ mark: 'picture', png, x, y, width, height });
  }

  drawing(title: string, description: string, width: number, height: number): Drawing {
    return { title, description, width, height, marks: this.marks };
  }
}

/** Hundredths of a point: below what print resolves. */
export function round(value: number): number {
  return Math.round(100 * value) / 100;
}
