/**
 * The fonts of the documents: Noto Sans in six script-specific files, each opened only when a character needs it
 * (the Chinese file alone is 10 MB). All are embedded as subsets.
 */
import { createRequire } from 'node:module';

export type Weight = 'regular' | 'semibold';
export type FontFamily = 'latin' | 'jp' | 'kr' | 'sc' | 'arabic' | 'hebrew';
/** Which of the three regional shapes the characters shared by Chinese, Japanese and Korean are drawn in. */
export type HanFamily = 'jp' | 'kr' | 'sc';

const packages = createRequire(import.meta.url);

/** Resolved from source and from the bundle alike; there, a name `require` would collide with the build's own. */
const files: Record<FontFamily, Record<Weight, () => string>> = {
  latin: {
    regular: () => packages.resolve('@expo-google-fonts/noto-sans/400Regular/NotoSans_400Regular.ttf'),
    semibold: () => packages.resolve('@expo-google-fonts/noto-sans/600SemiBold/NotoSans_600SemiBold.ttf'),
  },
  jp: {
    regular: () => packages.resolve('@expo-google-fonts/noto-sans-jp/400Regular/NotoSansJP_400Regular.ttf'),
    semibold: () =>
      packages.resolve('@expo-google-fonts/noto-sans-jp/600SemiBold/NotoSansJP_600SemiBold.ttf'),
  },
  kr: {
    regular: () => packages.resolve('@expo-google-fonts/noto-sans-kr/400Regular/NotoSansKR_400Regular.ttf'),
    semibold: () =>
      packages.resolve('@expo-google-fonts/noto-sans-kr/600SemiBold/NotoSansKR_600SemiBold.ttf'),
  },
  sc: {
    regular: () => packages.resolve('@expo-google-fonts/noto-sans-sc/400Regular/NotoSansSC_400Regular.ttf'),
    semibold: () =>
      packages.resolve('@expo-google-fonts/noto-sans-sc/600SemiBold/NotoSansSC_600SemiBold.ttf'),
  },
  arabic: {
    regular: () =>
      packages.resolve('@expo-google-fonts/noto-sans-arabic/400Regular/NotoSansArabic_400Regular.ttf'),
    semibold: () =>
      packages.resolve('@expo-google-fonts/noto-sans-arabic/600SemiBold/NotoSansArabic_600SemiBold.ttf'),
  },
  hebrew: {
    regular: () =>
      packages.resolve('@expo-google-fonts/noto-sans-hebrew/400Regular/NotoSansHebrew_400Regular.ttf'),
    semibold: () =>
      packages.resolve('@expo-google-fonts/noto-sans-hebrew/600SemiBold/NotoSansHebrew_600SemiBold.ttf'),
  },
};

/** pdfkit's open font, as far as its types leave it out and it is needed here. */
interface OpenFont {
  readonly font: {
    hasGlyphForCodePoint(codePoint: number): boolean;
    /** Glyphs are cached with the characters of their first use. */
    getGlyph(id: number, codePoints?: readonly number[]): ShapedGlyph;
  };
  /** Glyphs of the embedded subset: their index there -> their index in the file. */
  readonly subset: { readonly glyphs: number[] };
  /** By index in the subset. */
  readonly widths: number[];
  readonly unicode: (readonly number[])[];
  /** 1000 over the units of the em. */
  readonly scale: number;
  layout(
    text: string,
    features?: unknown,
  ): { glyphs: readonly ShapedGlyph[]; positions: readonly GlyphPosition[] };
  /** @returns hexadecimal subset indices, and the glyphs' positions */
  encode(text: string, features?: unknown): [string[], readonly unknown[]];
}

interface ShapedGlyph {
  readonly id: number;
  readonly advanceWidth: number;
  /** Its outline, in units of the font, upwards. */
  readonly path: { transform(...matrix: readonly number[]): { toSVG(): string } };
  /** The characters it stands for; none for a part of a letter, such as an Arabic dot. */
  readonly codePoints: readonly number[];
}

interface GlyphPosition {
  readonly xAdvance: number;
  readonly xOffset: number;
  readonly yOffset: number;
}

type WithOpenFont = PDFKit.PDFDocument & { readonly _font: OpenFont };

/**
 * Gives a glyph one place in the subset for each character that it stands for. Arabic letters share their bodies, and fontkit and pdfkit
 * remember only the first letter seen: a name copied out of the report, or read aloud, would be another name.
 */
function keepCharactersApart(open: OpenFont): void {
  const cached = open.font.getGlyph.bind(open.font);
  open.font.getGlyph = (id, codePoints) => {
    const glyph = cached(id, codePoints);
    const same = codePoints === undefined || codePoints.join(' ') === glyph.codePoints.join(' ');
    // Everything else of the glyph, lazily computed, stays that of the cached one.
    return same ? glyph : (Object.create(glyph, { codePoints: { value: codePoints } }) as ShapedGlyph);
  };
  const places = new Map<string, number>();
  open.encode = (text, features) => {
    const { glyphs, positions } = open.layout(text, features);
    const indices = glyphs.map(({ id, advanceWidth, codePoints }) => {
      const key = `${id} ${codePoints.join(' ')}`;
      let place = places.get(key);
      if (place === undefined) {
        place = open.subset.glyphs.push(id) - 1;
        places.set(key, place);
        open.widths[place] = advanceWidth * open.scale;
        open.unicode[place] = codePoints;
      }
      return place.toString(16).padStart(4, '0');
    });
    return [indices, positions];
  };
}

/** Regional shapes by the company a text keeps: kana is Japanese, hangul is Korean, else Chinese, which covers most. */
export function hanFamily(text: string): HanFamily {
  if (/[\p{Script=Hiragana}\p{Script=Katakana}]/u.test(text)) return 'jp';
  if (/\p{Script=Hangul}/u.test(text)) return 'kr';
  return 'sc';
}

const eastAsian =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Bopomofo}\u3000-\u303f\uff00-\uffef]/u;

/** Where to look for a character, the likeliest first, so that no large file is opened in vain. */
function candidates(character: string, han: HanFamily): FontFamily[] {
  const regional: FontFamily[] = [han, ...(['sc', 'jp', 'kr'] as const).filter((family) => family !== han)];
  if (eastAsian.test(character)) return [...regional, 'latin'];
  if (/\p{Script=Arabic}/u.test(character)) return ['arabic', 'latin', ...regional];
  if (/\p{Script=Hebrew}/u.test(character)) return ['hebrew', 'latin', ...regional];
  return ['latin', ...regional, 'arabic', 'hebrew'];
}

/** A letter as it is shaped, and its place. */
export interface Letter {
  /** Of its shape: the same name has the same outline. */
  name: string;
  /** SVG path data about its origin, in thousandths of the em, downwards. */
  outline: string;
  /** Points a thousandth. */
  scale: number;
  x: number;
  y: number;
}

/** The fonts of one document. */
export class Fonts {
  readonly #document: WithOpenFont;
  readonly #chosen = new Map<string, FontFamily | null>();
  readonly #prepared = new WeakSet<OpenFont>();
  readonly #advances = new Map<string, number>();

  constructor(document: PDFKit.PDFDocument) {
    this.#document = document as WithOpenFont;
    for (const family of Object.keys(files) as FontFamily[]) {
      for (const weight of ['regular', 'semibold'] as const) {
        document.registerFont(`${family}-${weight}`, files[family][weight]());
      }
    }
  }

  /** Makes a font the document's current one. */
  use(family: FontFamily, weight: Weight, size: number): void {
    this.#document.font(`${family}-${weight}`, size);
    const open = this.#document._font;
    if (this.#prepared.has(open)) return;
    this.#prepared.add(open);
    keepCharactersApart(open);
  }

  /** @returns the family that draws a code point, or null where none does */
  familyOf(character: string, han: HanFamily): FontFamily | null {
    const key = han + character;
    const known = this.#chosen.get(key);
    if (known !== undefined) return known;
    const family = candidates(character, han).find((candidate) => this.holds(candidate, character)) ?? null;
    this.#chosen.set(key, family);
    return family;
  }

  /**
   * The letters of a text and where each stands, from `x` on along a baseline.
   * @param features as for the same text drawn
   */
  letters(
    text: string,
    family: FontFamily,
    weight: Weight,
    size: number,
    x: number,
    baseline: number,
    features?: unknown,
  ): Letter[] {
    this.use(family, weight, size);
    const open = this.#document._font;
    const { glyphs, positions } = open.layout(text, features);
    // Thousandths of the em, which the positions of `layout` are in already.
    const em = size / 1000;
    let left = x;
    return glyphs.map(({ id, path }, i) => {
      const { xAdvance = 0, xOffset = 0, yOffset = 0 } = positions[i] ?? {};
      const letter = {
        name: `${family}-${weight}-${id}`,
        outline: path.transform(open.scale, 0, 0, -open.scale, 0, 0).toSVG(),
        scale: em,
        x: left + xOffset * em,
        y: baseline - yOffset * em,
      };
      left += xAdvance * em;
      return letter;
    });
  }

  /** Whether a family draws a code point. */
  holds(family: FontFamily, character: string): boolean {
    this.use(family, 'regular', 1);
    return this.#document._font.font.hasGlyphForCodePoint(character.codePointAt(0) ?? 0);
  }

  /** Unshaped advance of a character, in units of the font size. */
  advance(family: FontFamily, weight: Weight, character: string): number {
    const key = `${family}-${weight}-${character}`;
    let advance = this.#advances.get(key);
    if (advance === undefined) {
      this.use(family, weight, 1);
      advance = this.#document.widthOfString(character);
      this.#advances.set(key, advance);
    }
    return advance;
  }
}
