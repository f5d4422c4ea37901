/** What every figure of a study has: the question as its title, one sentence of finding, the panels, and what they do not prove. */
import { Sketch, type Drawing } from '../../report/drawing.ts';
import { color, contentWidth, size } from '../../report/theme.ts';
import type { Typesetter } from '../../report/typesetter.ts';

export interface StudyFigure {
  /** Of its files, without an ending. */
  name: string;
  drawing: Drawing;
  /** Whether it is part of the summary, too; the others are of single groups or of other baselines, or further pages. */
  inSummary: boolean;
}

export interface SheetWords extends Pick<StudyFigure, 'name' | 'inSummary'> {
  /** A question. */
  title: string;
  /** One plain sentence of what was found. */
  says: string;
  /** How to read it, and what it does not prove. */
  caption: string;
}

/** As wide as the page's text, so that type has the same size in the file and in the summary. */
export const sheetWidth = contentWidth;

/** What fits on a page of the summary below its running header. */
export const sheetHeight = 690;

/**
 * @param bodyHeight of the panels
 * @param body draws them from `top` down, over the whole width
 */
export function sheet(
  typesetter: Typesetter,
  { name, inSummary, title, says, caption }: SheetWords,
  bodyHeight: number,
  body: (sketch: Sketch, top: number) => void,
): StudyFigure {
  const sketch = new Sketch(typesetter);
  const style = { size: size.body, color: color.ink } as const;
  let y = 0;
  y += sketch.text(
    title,
    { x: 0, y, width: sheetWidth },
    { size: 10, weight: 'semibold', color: color.ink },
  ).height;
  y += 2;
  y += sketch.text(says, { x: 0, y, width: sheetWidth }, style).height;
  y += 8;
  body(sketch, y);
  y += bodyHeight + 6;
  y += sketch.text(caption, { x: 0, y, width: sheetWidth }, { size: size.small, color: color.soft }).height;
  return { name, inSummary, drawing: sketch.drawing(title, `${says} ${caption}`, sheetWidth, y + 2) };
}

/** Height that the words take, so that the panels can be given the rest of a page. */
export function roomForBody(
  typesetter: Typesetter,
  { title, says, caption }: Pick<SheetWords, 'title' | 'says' | 'caption'>,
): number {
  const height = (text: string, points: number): number =>
    typesetter.set(text, { size: points }, sheetWidth).height;
  return sheetHeight - height(title, 10) - height(says, size.body) - height(caption, size.small) - 18;
}
