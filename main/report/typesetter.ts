/** Text to lines: fonts by script, order by direction, breaks by width. Missing characters are shown, never left blank. */
import { color } from './theme.ts';
import { embeddingLevels, mirrorNeutrals, visualOrder } from './bidi.ts';
import { Fonts, hanFamily, type FontFamily, type HanFamily, type Letter, type Weight } from './fonts.ts';

export interface TextStyle {
  /** Points. */
  size: number;
  weight?: Weight;
  color?: string;
  /** Distance of baselines over the size; 1.35 where absent. */
  leading?: number;
  align?: 'left' | 'right' | 'center';
  /** Regional shapes of Han characters; by the text itself where absent. */
  han?: HanFamily;
}

interface Glyph {
  text: string;
  family: FontFamily;
  level: number;
  width: number;
}

interface Run {
  text: string;
  family: FontFamily;
  level: number;
  width: number;
}

/** Lines ready to be drawn: measured, in visual order. */
export interface SetText {
  readonly lines: readonly { readonly runs: readonly Run[]; readonly width: number }[];
  readonly style: TextStyle;
  readonly lineHeight: number;
  readonly height: number;
  /** Of the longest line. */
  readonly width: number;
}

const ignorable = /\p{Default_Ignorable_Code_Point}/gu;
const control = /\p{Cc}/u;
const rtlLetter = /[\p{Script=Arabic}\p{Script=Hebrew}]/u;
const breaksAnywhere = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\u3000-\u303f\uff00-\uffef]/u;
/** Identifiers and file names may break after these. */
const breaksAfter = /[-/\\._^,;=\u2013]/u;

export class Typesetter {
  readonly #document: PDFKit.PDFDocument;
  readonly #fonts: Fonts;
  readonly #missing = new Set<string>();

  constructor(document: PDFKit.PDFDocument) {
    this.#document = document;
    this.#fonts = new Fonts(document);
  }

  /** Code points that no font held, as U+XXXX; each was printed as [U+XXXX]. */
  get missing(): string[] {
    return [...this.#missing].sort();
  }

  /** Breaks a text into lines of at most `width` points. Newlines are kept. */
  set(text: string, style: TextStyle, width = Number.POSITIVE_INFINITY): SetText {
    const lines = text.split('\n').flatMap((paragraph) => this.#breakLines(paragraph, style, width));
    const lineHeight = style.size * (style.leading ?? 1.35);
    return {
      lines,
      style,
      lineHeight,
      height: lines.length * lineHeight,
      width: Math.max(0, ...lines.map((line) => line.width)),
    };
  }

  /** Draws set lines, `from` to before `to`, the first one's top at y. */
  draw(set: SetText, x: number, y: number, width = set.width, from = 0, to = set.lines.length): void {
    const { style } = set;
    for (const { run, left, baseline } of placedRuns(set, x, y, width, from, to)) {
      this.#fonts.use(run.family, style.weight ?? 'regular', style.size);
      this.#document.fillColor(style.color ?? color.ink);
      this.#document.text(run.text, left, baseline, {
        lineBreak: false,
        baseline: 'alphabetic',
        ...shaping(run.family),
      });
    }
  }

  /** What `draw` draws, letter by letter. */
  letters(set: SetText, x: number, y: number, width = set.width): Letter[] {
    const { size, weight = 'regular' } = set.style;
    return Array.from(placedRuns(set, x, y, width)).flatMap(({ run, left, baseline }) => {
      const { features } = shaping(run.family);
      return this.#fonts.letters(run.text, run.family, weight, size, left, baseline, features);
    });
  }

  #breakLines(paragraph: string, style: TextStyle, width: number): SetText['lines'] {
    const glyphs = this.#glyphs(paragraph, style);
    const lines: { runs: Run[]; width: number }[] = [];
    let start = 0;
    do {
      const end = this.#lineEnd(glyphs, start, width);
      const line = this.#visualRuns(trimEnd(glyphs.slice(start, end)), style);
      lines.push({ runs: line, width: line.reduce((sum, run) => sum + run.width, 0) });
      start = end;
    } while (start < glyphs.length);
    return lines;
  }

  /** Characters with font, level and unshaped width: good enough to break lines; runs are measured again, shaped. */
  #glyphs(paragraph: string, style: TextStyle): Glyph[] {
    const han = style.han ?? hanFamily(paragraph);
    const characters = Array.from(
      composed(paragraph).replaceAll(ignorable, '').replaceAll('\t', ' '),
    ).flatMap((character) => {
      if (!control.test(character) && this.#fonts.familyOf(character, han) !== null) return [character];
      const name = `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
      this.#missing.add(name);
      return Array.from(`[${name}]`);
    });
    const levels = embeddingLevels(characters);
    let previous: FontFamily = 'latin';
    return characters.map((text, i) => {
      // A space or a mark stays in the font around it, so that runs, and with them shaping and copying, stay whole.
      const follows = i > 0 && /[\p{M}\s]/u.test(text) && this.#fonts.holds(previous, text);
      previous = follows ? previous : (this.#fonts.familyOf(text, han) ?? 'latin');
      const width = this.#fonts.advance(previous, style.weight ?? 'regular', text) * style.size;
      return { text, family: previous, level: levels[i] ?? 0, width };
    });
  }

  /** Breaks at spaces and between Chinese or Japanese characters; inside a word only where it is wider than the line. */
  #lineEnd(glyphs: readonly Glyph[], start: number, width: number): number {
    let used = 0;
    let lastBreak = start;
    let splits = false;
    for (let i = start; i < glyphs.length; i++) {
      const glyph = glyphs[i];
      if (glyph === undefined) break;
      const isSpace = glyph.text === ' ';
      if (i === start || glyphs[i - 1]?.text === ' ') splits = wordWidth(glyphs, i) > width;
      if (!isSpace && used + glyph.width > width && i > start) return lastBreak > start ? lastBreak : i;
      used += glyph.width;
      const next = glyphs[i + 1];
      const breakable =
        isSpace ||
        (splits && breaksAfter.test(glyph.text)) ||
        breaksAnywhere.test(glyph.text) ||
        (next !== undefined && breaksAnywhere.test(next.text));
      if (breakable && next?.text !== ' ') lastBreak = i + 1;
    }
    return glyphs.length;
  }

  #visualRuns(line: readonly Glyph[], style: TextStyle): Run[] {
    const runs: Run[] = [];
    for (const glyph of line) {
      const last = runs.at(-1);
      if (last?.family === glyph.family && last.level === glyph.level) last.text += glyph.text;
      else runs.push({ ...glyph });
    }
    for (const run of runs) {
      if (run.level % 2 === 1 && !rtlLetter.test(run.text)) run.text = mirrorNeutrals(run.text);
      this.#fonts.use(run.family, style.weight ?? 'regular', style.size);
      run.width = this.#document.widthOfString(run.text, shaping(run.family));
    }
    return visualOrder(runs);
  }
}

/** Where each run of the set lines begins. */
function* placedRuns(
  { lines, style, lineHeight }: SetText,
  x: number,
  y: number,
  width: number,
  from = 0,
  to = lines.length,
): Generator<{ run: Run; left: number; baseline: number }> {
  for (const [i, line] of lines.slice(from, to).entries()) {
    const slack = style.align === 'right' ? width - line.width : (width - line.width) / 2;
    let left = style.align === 'right' || style.align === 'center' ? x + slack : x;
    const baseline = y + i * lineHeight + (lineHeight + style.size * 0.72) / 2;
    for (const run of line.runs) {
      yield { run, left, baseline };
      left += run.width;
    }
  }
}

/** With an explicit feature list pdfkit shapes the run as a whole; without, word by word, each word left of the next. */
function shaping(family: FontFamily): { features?: PDFKit.Mixins.OpenTypeFeatures[] } {
  return family === 'arabic' || family === 'hebrew' ? { features: [] } : {};
}

/**
 * Letters with the marks that follow them, and Hangul jamo, as one character where there is one. Not all of the text: that
 * would replace compatibility ideographs, and with them the way a family writes its name.
 */
function composed(text: string): string {
  return text.replaceAll(/\p{L}\p{M}+|[\u1100-\u11ff]+/gu, (sequence) => sequence.normalize('NFC'));
}

function wordWidth(glyphs: readonly Glyph[], start: number): number {
  let width = 0;
  for (let i = start; i < glyphs.length && glyphs[i]?.text !== ' '; i++) width += glyphs[i]?.width ?? 0;
  return width;
}

function trimEnd(glyphs: Glyph[]): Glyph[] {
  let end = glyphs.length;
  while (glyphs[end - 1]?.text === ' ') end--;
  return glyphs.slice(0, end);
}
