/**
 * Fonts for names in scripts that the window's own font and many systems lack: the ones that reports are set in. The browser
 * loads each only when a character of its range is to be drawn.
 */
import arabic from '@expo-google-fonts/noto-sans-arabic/400Regular/NotoSansArabic_400Regular.ttf?url';
import hebrew from '@expo-google-fonts/noto-sans-hebrew/400Regular/NotoSansHebrew_400Regular.ttf?url';
import japanese from '@expo-google-fonts/noto-sans-jp/400Regular/NotoSansJP_400Regular.ttf?url';
import korean from '@expo-google-fonts/noto-sans-kr/400Regular/NotoSansKR_400Regular.ttf?url';
import chinese from '@expo-google-fonts/noto-sans-sc/400Regular/NotoSansSC_400Regular.ttf?url';

/** In the order in which `--font` of tokens.css names them: characters that several hold are taken from the first. */
const FONTS = [
  {
    family: 'Pathlight Japanese',
    url: japanese,
    unicodeRange: 'U+2E80-30FF, U+31F0-9FFF, U+F900-FAFF, U+FF00-FFEF',
  },
  { family: 'Pathlight Korean', url: korean, unicodeRange: 'U+1100-11FF, U+3130-318F, U+A960-D7FF' },
  {
    family: 'Pathlight Chinese',
    url: chinese,
    unicodeRange: 'U+2E80-2FDF, U+3100-312F, U+3400-9FFF, U+F900-FAFF',
  },
  {
    family: 'Pathlight Arabic',
    url: arabic,
    unicodeRange: 'U+0600-077F, U+08A0-08FF, U+FB50-FDFF, U+FE70-FEFF',
  },
  { family: 'Pathlight Hebrew', url: hebrew, unicodeRange: 'U+0590-05FF, U+FB1D-FB4F' },
];

export function offerFonts(): void {
  for (const { family, url, unicodeRange } of FONTS) {
    document.fonts.add(new FontFace(family, `url(${JSON.stringify(url)})`, { unicodeRange }));
  }
}
