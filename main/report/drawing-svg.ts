/**
 * A drawing as an SVG file. Text stands in it as the outlines of its letters, with its words as labels: it looks the same in every
 * viewer, with no font installed, and in the PNG made of it.
 */
import type { Drawing, Mark } from './drawing.ts';
import { round } from './drawing.ts';
import { color } from './theme.ts';
import type { Typesetter } from './typesetter.ts';

export function svgOf(drawing: Drawing, typesetter: Typesetter): string {
  const { title, description, width, height, marks } = drawing;
  const [w, h] = [round(width), round(height)];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${w}pt" height="${h}pt" viewBox="0 0 ${w} ${h}" role="img" aria-labelledby="title description">`,
    `<title id="title">${escaped(title)}</title>`,
    `<desc id="description">${escaped(description)}</desc>`,
    `<rect width="${w}" height="${h}" fill="#ffffff"/>`,
    ...marks.map((mark) => elementOf(mark, typesetter)),
    '</svg>\n',
  ].join('\n');
}

function elementOf(mark: Mark, typesetter: Typesetter): string {
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
      return `<path aria-label="${escaped(content)}" fill="${set.style.color ?? color.ink}"${turn} d="${typesetter.outline(set, x, y, width)}"/>`;
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
