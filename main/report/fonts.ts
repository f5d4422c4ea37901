/**
 * The fonts of the documents: Noto Sans in six script-specific files, each opened only when a character needs it
 * (the Chinese file alone is 10 MB). All are embedded as subsets.
 */
import { createRequire } from 'node:module';

export type Weight = 'regular' | 'semibold';
export type FontFamily = 'latin' | 'jp' | 'kr' | 'sc' | 'arabic' | 'hebrew';
/** Which of the three regional shapes the characters shared by Chinese, Japanese and Korean are drawn in. */
export type HanFamily = 'jp' | 'kr' | 'sc';

const require = createRequire(import.meta.url);

/** Literal specifiers, so that tools see which packages are used. Resolved from source and from the bundle alike. */
const files: Record<FontFamily, Record<Weight, () => string>> = {
  latin: {
    regular: () => require.resolve('@expo-google-fonts/noto-sans/400Regular/NotoSans_400Regular.ttf'),
    semibold: () => require.resolve('@expo-google-fonts/noto-sans/600SemiBold/NotoSans_600SemiBold.ttf'),
  },
  jp: {
    regular: () => require.resolve('@expo-google-fonts/noto-sans-jp/400Regular/NotoSansJP_400Regular.ttf'),
    semibold: () => require.resolve('@expo-google-fonts/noto-sans-jp/600SemiBold/NotoSansJP_600SemiBold.ttf'),
  },
  kr: {
    regular: () => require.resolve('@expo-google-fonts/noto-sans-kr/400Regular/NotoSansKR_400Regular.ttf'),
    semibold: () => require.resolve('@expo-google-fonts/noto-sans-kr/600SemiBold/NotoSansKR_600SemiBold.ttf'),
  },
  sc: {
    regular: () => require.resolve('@expo-google-fonts/noto-sans-sc/400Regular/NotoSansSC_400Regular.ttf'),
    semibold: () => require.resolve('@expo-google-fonts/noto-sans-sc/600SemiBold/NotoSansSC_600SemiBold.ttf'),
  },
  arabic: {
    regular: () =>
      require.resolve('@expo-google-fonts/noto-sans-arabic/400Regular/NotoSansArabic_400Regular.ttf'),
    semibold: () =>
      require.resolve('@expo-google-fonts/noto-sans-arabic/600SemiBold/NotoSansArabic_600SemiBold.ttf'),
  },
  hebrew: {
    regular: () =>
      require.resolve('@expo-google-fonts/noto-sans-hebrew/400Regular/NotoSansHebrew_400Regular.ttf'),
    semibold: () =>
      require.resolve('@expo-google-fonts/noto-sans-hebrew/600SemiBold/NotoSansHebrew_600SemiBold.ttf'),
  },
};

/** pdfkit keeps the opened fontkit font here, and offers no other way to its coverage. */
type WithOpenFont = PDFKit.PDFDocument & {
  readonly _font: { readonly font: { hasGlyphForCodePoint(codePoint: number): boolean } };
};

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

/** The fonts of one document. */
export class Fonts {
  readonly #document: WithOpenFont;
  readonly #chosen = new Map<string, FontFamily | null>();
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

  /** Whether a family draws a code point. */
  holds(family: FontFamily, character: string): boolean {
    this.#document.font(`${family}-regular`);
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
