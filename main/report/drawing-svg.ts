/**
 * A drawing as an SVG file. Text stands in it as the outlines of its letters, with its words as labels: it looks the same in every
 * viewer, with no font installed, and in the PNG made of it.
 */
import { round, type Drawing, type Mark } from './drawing.ts';
import { color } from './theme.ts';
import type { Typesetter } from './typesetter.ts';

/** White around the drawing, points. */
export const margin = 8;

export function svgOf(drawing: Drawing, typesetter: Typesetter): string {
  const { title, description, width, height, marks } = drawing;
  const [w, h] = [round(width + 2 * margin), round(height + 2 * margin)];
  const outlines = new Map<string, string>();
  const elements = marks.map((mark) => elementOf(mark, typesetter, outlines));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${w}pt" height="${h}pt" viewBox="${-margin} ${-margin} ${w} ${h}" role="img" aria-labelledby="title description">`,
    `<title id="title">${escaped(title)}</title>`,
    `<desc id="description">${escaped(description)}</desc>`,
    '<defs>',
    ...Array.from(outlines, ([name, outline]) => `<path id="${name}" d="${outline}"/>`),
    '</defs>',
    `<rect x="${-margin}" y="${-margin}" width="${w}" height="${h}" fill="#ffffff"/>`,
    ...elements,
    '</svg>\n',
  ].join('\n');
}

/** @param outlines of the letters so far, by name; those of this mark are added */
function elementOf(mark: Mark, typesetter: Typesetter, outlines: Map<string, string>): string {
  switch (mark.mark) {
    case 'picture': {
      const [x, y, width, height] = [mark.x, mark.y, mark.width, mark.height].map(round);
      const data = Buffer.from(mark.png).toString('base64');
      return `<image x="${x}" y="${y}" width="${width}" height="${height}" preserveAspectRatio="none" xlink:href="data:image/png;base64,${data}"/>`;
    }
    case 'text': {
      const { set, content, x, y, width, turned } = mark;
      const turn = turned
        ? ` transform="rotate(-90 ${round(x + width / 2)} ${round(y + set.height / 2)})"`
        : '';
      const letters = typesetter.letters(set, x, y, width).flatMap((letter) => {
        // A space.
        if (letter.outline === '') return [];
        outlines.set(letter.name, letter.outline);
        return `<use xlink:href="#${letter.name}" transform="translate(${round(letter.x)} ${round(letter.y)}) scale(${letter.scale})"/>`;
      });
      return `<g aria-label="${escaped(content)}" fill="${set.style.color ?? color.ink}"${turn}>${letters.join('')}</g>`;
    }
    case 'path': {
      const { d, at, fill, opacity, stroke } = mark;
      const line =
        stroke === undefined
          ? ''
          : ` stroke="${stroke.color}" stroke-width="${stroke.width}" stroke-linejoin="round"${stroke.dash === undefined ? '' : ` stroke-dasharray="${stroke.dash.join(' ')}"`}`;
      const faint = opacity === undefined ? '' : ` opacity="${opacity}"`;
      const moved = at === undefined ? '' : ` transform="translate(${at.map(round).join(' ')})"`;
      return `<path fill="${fill ?? 'none'}"${faint}${line}${moved} d="${d}"/>`;
    }
  }
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};

/** Text of XML 1.0, which forbids control characters and lone surrogates even as references. */
function escaped(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/[\p{Cc}\ufffe\uffff]/gu, ' ')
    .replaceAll(/[&<>"]/g, (character) => entities[character] ?? '');
}
