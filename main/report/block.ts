/** Things that know their height at a width before they are drawn. */
import { setImmediate } from 'node:timers/promises';
import type { Paper } from './paper.ts';
import { color, contentWidth, size } from './theme.ts';
import type { SetText, TextStyle } from './typesetter.ts';

export interface Block {
  /** Height at a width, points. */
  readonly measure: (width: number) => number;
  readonly draw: (x: number, y: number, width: number) => void;
  /** The same content in smaller pieces, for where it is taller than a page. */
  readonly parts?: (width: number) => readonly Block[];
}

/** Sets a text once per width. */
function setter(paper: Paper, content: string, style: TextStyle): (width: number) => SetText {
  const sets = new Map<number, SetText>();
  return (width) => {
    const set = sets.get(width) ?? paper.typesetter.set(content, style, width);
    sets.set(width, set);
    return set;
  };
}

/** A paragraph or heading. */
export function text(paper: Paper, tag: string, content: string, style: TextStyle): Block {
  const set = setter(paper, content, style);
  const lines = (from: number, to: number): Block => ({
    measure: (width) => set(width).lineHeight * (Math.min(to, set(width).lines.length) - from),
    draw: (x, y, width) => {
      paper.mark(tag, () => paper.typesetter.draw(set(width), x, y, width, from, to));
    },
  });
  const linesAPart = 30;
  return {
    ...lines(0, Number.POSITIVE_INFINITY),
    parts: (width) =>
      Array.from({ length: Math.ceil(set(width).lines.length / linesAPart) }, (_, i) =>
        lines(i * linesAPart, (i + 1) * linesAPart),
      ),
  };
}

export function space(height: number): Block {
  return { measure: () => height, draw: () => undefined };
}

/** Blocks below one another. */
export function stack(blocks: readonly Block[], gap = 0): Block {
  return {
    measure: (width) =>
      blocks.reduce((sum, block) => sum + block.measure(width), Math.max(0, blocks.length - 1) * gap),
    draw: (x, y, width) => {
      let top = y;
      for (const block of blocks) {
        block.draw(x, top, width);
        top += block.measure(width) + gap;
      }
    },
    parts: () => blocks,
  };
}

/** Blocks beside one another. Shares are relative. */
export function columns(cells: readonly { share: number; block: Block }[], gap = 16): Block {
  const total = cells.reduce((sum, cell) => sum + cell.share, 0);
  const widthOf = (share: number, width: number): number =>
    ((width - gap * (cells.length - 1)) * share) / total;
  return {
    measure: (width) => Math.max(0, ...cells.map(({ share, block }) => block.measure(widthOf(share, width)))),
    draw: (x, y, width) => {
      let left = x;
      for (const { share, block } of cells) {
        block.draw(left, y, widthOf(share, width));
        left += widthOf(share, width) + gap;
      }
    },
    parts: () => cells.map(({ block }) => block),
  };
}

export interface PanelStyle {
  fill: string;
  /** Colour of a bar at the left. */
  edge?: string;
  padding?: number;
}

/** A tinted panel around a block. */
export function panel(paper: Paper, content: Block, style: PanelStyle): Block {
  return panels(paper, [{ content, style }]);
}

/** Panels of one height beside one another. */
export function panels(
  paper: Paper,
  cells: readonly { content: Block; style: PanelStyle }[],
  gap = 12,
): Block {
  const place = (width: number): { outer: number; inner: number[]; height: number } => {
    const outer = (width - gap * (cells.length - 1)) / cells.length;
    const inner = cells.map(({ style }) => outer - 2 * paddingOf(style) - edgeOf(style));
    const heights = cells.map(
      ({ content, style }, i) => content.measure(inner[i] ?? 0) + 2 * paddingOf(style),
    );
    return { outer, inner, height: Math.max(...heights) };
  };
  return {
    measure: (width) => place(width).height,
    draw: (x, y, width) => {
      const { outer, inner, height } = place(width);
      cells.forEach(({ content, style }, i) => {
        const left = x + i * (outer + gap);
        paper.decorate(() => {
          paper.pdf.rect(left, y, outer, height).fill(style.fill);
          if (style.edge !== undefined) paper.pdf.rect(left, y, edgeOf(style), height).fill(style.edge);
        });
        content.draw(left + edgeOf(style) + paddingOf(style), y + paddingOf(style), inner[i] ?? 0);
      });
    },
    parts: () => cells.map(({ content }) => content),
  };
}

const paddingOf = (style: PanelStyle): number => style.padding ?? 9;
const edgeOf = (style: PanelStyle): number => (style.edge === undefined ? 0 : 3);

export function heading(paper: Paper, content: string, tag: 'H2' | 'H3' = 'H2'): Block {
  const style: TextStyle =
    tag === 'H2'
      ? { size: size.heading, weight: 'semibold', color: color.accent }
      : { size: size.body, weight: 'semibold', color: color.ink };
  return stack([text(paper, tag, content, style), space(tag === 'H2' ? 5 : 2)]);
}

export function paragraph(paper: Paper, content: string, style: Partial<TextStyle> = {}): Block {
  return text(paper, 'P', content, { size: size.body, ...style });
}

export function note(paper: Paper, content: string, style: Partial<TextStyle> = {}): Block {
  return text(paper, 'P', content, { size: size.small, color: color.soft, ...style });
}

/** A fact; `strong` sets its value semibold. */
export interface Fact {
  label: string;
  value: string;
  strong?: boolean;
  color?: string;
}

/** Labels and values as a two-column table with hairlines between the rows; the labels take what they need. */
export function facts(paper: Paper, rows: readonly Fact[]): Block {
  const gap = 10;
  const natural = Math.max(
    ...rows.map((fact) => paper.typesetter.set(fact.label, { size: size.body }).width),
  );
  const padding = 2.2;
  const sets = rows.map((fact) => ({
    label: setter(paper, fact.label, { size: size.body, color: color.soft }),
    value: setter(paper, fact.value, {
      size: size.body,
      weight: fact.strong === true ? 'semibold' : 'regular',
      color: fact.color ?? color.ink,
    }),
  }));
  const widths = (width: number): [number, number] => {
    const label = Math.min(natural + 2, width * 0.45);
    return [label, width - label - gap];
  };
  const heights = (width: number): number[] => {
    const [label, value] = widths(width);
    return sets.map((set) => Math.max(set.label(label).height, set.value(value).height) + 2 * padding);
  };
  return {
    measure: (width) => heights(width).reduce((sum, height) => sum + height, 0),
    draw: (x, y, width) => {
      const [labelWidth, valueWidth] = widths(width);
      const rowHeights = heights(width);
      paper.within('Table', () => {
        let top = y;
        sets.forEach((set, i) => {
          const rowTop = top;
          if (i > 0) hairline(paper, x, rowTop, width);
          paper.within('TR', () => {
            paper.mark('TH', () => paper.typesetter.draw(set.label(labelWidth), x, rowTop + padding), {
              scope: 'Row',
            });
            paper.mark('TD', () =>
              paper.typesetter.draw(set.value(valueWidth), x + labelWidth + gap, rowTop + padding),
            );
          });
          top += rowHeights[i] ?? 0;
        });
      });
    },
    parts: () =>
      rows.length > 1
        ? rows.map((row) => facts(paper, [row]))
        : rows.flatMap((row) => [note(paper, row.label), paragraph(paper, row.value)]),
  };
}

export function hairline(paper: Paper, x: number, y: number, width: number): void {
  paper.decorate(() => {
    paper.pdf
      .moveTo(x, y)
      .lineTo(x + width, y)
      .lineWidth(0.4)
      .stroke(color.line);
  });
}

export interface Column {
  title: string;
  share: number;
  align?: 'left' | 'right' | 'center';
}

export interface Cell {
  text: string;
  color?: string;
  strong?: boolean;
}

export interface TableStyle {
  size: number;
  padding: number;
  /** The first cell of each row is its header. */
  rowHeader?: boolean;
}

/** Makes the rows of a table, each a block, so that a long table can go over pages. */
export function tableRows(
  paper: Paper,
  columnsOf: readonly Column[],
  style: TableStyle,
): { header: Block; repeatedHeader: Block; row: (cells: readonly Cell[]) => Block } {
  const total = columnsOf.reduce((sum, column) => sum + column.share, 0);
  const gap = 8;
  const make = (cells: readonly Cell[], kind: 'header' | 'repeated' | 'row'): Block => {
    const isRow = kind === 'row';
    const sets = cells.map((cell, i) =>
      setter(paper, cell.text, {
        size: style.size,
        align: columnsOf[i]?.align ?? 'left',
        weight: !isRow || cell.strong === true ? 'semibold' : 'regular',
        color: cell.color ?? (isRow ? color.ink : color.soft),
      }),
    );
    const cellWidth = (i: number, width: number): number => (width * (columnsOf[i]?.share ?? 0)) / total;
    const height = (width: number): number =>
      Math.max(...sets.map((set, i) => set(cellWidth(i, width) - gap).height)) + 2 * style.padding;
    const drawCells = (
      x: number,
      y: number,
      width: number,
      drawn: (draw: () => void, i: number) => void,
    ): void => {
      let left = x;
      sets.forEach((set, i) => {
        const inner = cellWidth(i, width) - gap;
        const cellLeft = left + gap / 2;
        drawn(() => paper.typesetter.draw(set(inner), cellLeft, y + style.padding, inner), i);
        left += cellWidth(i, width);
      });
    };
    return {
      measure: height,
      draw: (x, y, width) => {
        const below = y + height(width);
        paper.decorate(() => {
          const rule = paper.pdf.moveTo(x, below).lineTo(x + width, below);
          rule.lineWidth(isRow ? 0.4 : 0.8).stroke(color.line);
        });
        if (kind === 'repeated') {
          paper.decorate(() => drawCells(x, y, width, (draw) => draw()), 'Pagination');
          return;
        }
        paper.within('TR', () =>
          drawCells(x, y, width, (draw, i) => {
            const isHeader = !isRow || (i === 0 && style.rowHeader === true);
            paper.mark(isHeader ? 'TH' : 'TD', draw, isHeader ? { scope: isRow ? 'Row' : 'Column' } : {});
          }),
        );
      },
      parts: () => cells.map((cell) => note(paper, cell.text)),
    };
  };
  const titles = columnsOf.map((column) => ({ text: column.title }));
  return {
    header: make(titles, 'header'),
    repeatedHeader: make(titles, 'repeated'),
    row: (cells) => make(cells, 'row'),
  };
}

/** A table that fits on a page. */
export function table(
  paper: Paper,
  columnsOf: readonly Column[],
  rows: readonly (readonly Cell[])[],
  style: TableStyle,
): Block {
  const { header, row } = tableRows(paper, columnsOf, style);
  const all = stack([header, ...rows.map(row)]);
  return { ...all, draw: (x, y, width) => paper.within('Table', () => all.draw(x, y, width)) };
}

/** Flows a table of any length down the pages, its header on each of them. */
export async function flowTable(
  paper: Paper,
  columnsOf: readonly Column[],
  rows: Iterable<readonly Cell[]>,
  style: TableStyle,
): Promise<void> {
  const { header, repeatedHeader, row } = tableRows(paper, columnsOf, style);
  await paper.withinLong('Table', async () => {
    paper.flow(header, 2 * header.measure(contentWidth));
    let drawn = 0;
    for (const cells of rows) {
      // Lets the rest of the process live, and what is finished be collected.
      if (++drawn % 100 === 0) await setImmediate();
      const block = row(cells);
      if (block.measure(contentWidth) > paper.room) {
        paper.addPage();
        paper.flow(repeatedHeader);
      }
      paper.flow(block);
    }
  });
}
