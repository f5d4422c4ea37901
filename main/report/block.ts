/** Things that know their height at a width before they are drawn. */
import type { Paper } from './paper.ts';
import { color, size } from './theme.ts';
import type { SetText, TextStyle } from './typesetter.ts';

export interface Block {
  /** Height at a width, points. */
  readonly measure: (width: number) => number;
  readonly draw: (x: number, y: number, width: number) => void;
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
  return {
    measure: (width) => set(width).height,
    draw: (x, y, width) => {
      paper.mark(tag, () => paper.typesetter.draw(set(width), x, y, width));
    },
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
  };
}

/** A tinted panel around a block; `edge` draws a bar at its left. */
export function panel(paper: Paper, content: Block, fill: string, edge?: string, padding = 9): Block {
  const inset = (width: number): number => width - 2 * padding - (edge === undefined ? 0 : 3);
  return {
    measure: (width) => content.measure(inset(width)) + 2 * padding,
    draw: (x, y, width) => {
      const height = content.measure(inset(width)) + 2 * padding;
      paper.decorate(() => {
        paper.pdf.rect(x, y, width, height).fill(fill);
        if (edge !== undefined) paper.pdf.rect(x, y, 3, height).fill(edge);
      });
      content.draw(x + padding + (edge === undefined ? 0 : 3), y + padding, inset(width));
    },
  };
}

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

/** Labels and values as a two-column table with hairlines between the rows. */
export function facts(paper: Paper, rows: readonly Fact[], labelShare = 0.36): Block {
  const gap = 10;
  const padding = 2.2;
  const sets = rows.map((fact) => ({
    label: setter(paper, fact.label, { size: size.body, color: color.soft }),
    value: setter(paper, fact.value, {
      size: size.body,
      weight: fact.strong === true ? 'semibold' : 'regular',
      color: fact.color ?? color.ink,
    }),
  }));
  const widths = (width: number): [number, number] => [width * labelShare - gap, width * (1 - labelShare)];
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
              paper.typesetter.draw(set.value(valueWidth), x + width * labelShare, rowTop + padding),
            );
          });
          top += rowHeights[i] ?? 0;
        });
      });
    },
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
  fill?: string;
}

/** Rows of a table, each a block, so that a long table can go over pages; the first is the header. */
export function tableRows(
  paper: Paper,
  columnsOf: readonly Column[],
  rows: readonly (readonly Cell[])[],
  style: { size: number; padding: number; rowHeader?: boolean } = { size: size.small, padding: 2.4 },
): { header: Block; rows: Block[] } {
  const total = columnsOf.reduce((sum, column) => sum + column.share, 0);
  const gap = 8;
  const rowBlock = (cells: readonly Cell[], header: boolean): Block => {
    const sets = cells.map((cell, i) =>
      setter(paper, cell.text, {
        size: style.size,
        align: columnsOf[i]?.align ?? 'left',
        weight: header || cell.strong === true ? 'semibold' : 'regular',
        color: cell.color ?? (header ? color.soft : color.ink),
      }),
    );
    const cellWidth = (i: number, width: number): number => (width * (columnsOf[i]?.share ?? 0)) / total;
    const height = (width: number): number =>
      Math.max(...sets.map((set, i) => set(cellWidth(i, width) - gap).height)) + 2 * style.padding;
    return {
      measure: height,
      draw: (x, y, width) => {
        paper.decorate(() => {
          let left = x;
          cells.forEach((cell, i) => {
            if (cell.fill !== undefined)
              paper.pdf.rect(left, y, cellWidth(i, width), height(width)).fill(cell.fill);
            left += cellWidth(i, width);
          });
          paper.pdf
            .moveTo(x, y + height(width))
            .lineTo(x + width, y + height(width))
            .lineWidth(header ? 0.8 : 0.4)
            .stroke(color.line);
        });
        paper.within('TR', () => {
          let left = x;
          sets.forEach((set, i) => {
            const inner = cellWidth(i, width) - gap;
            const cellLeft = left + gap / 2;
            const isHeader = header || (i === 0 && style.rowHeader === true);
            const draw = (): void => paper.typesetter.draw(set(inner), cellLeft, y + style.padding, inner);
            paper.mark(isHeader ? 'TH' : 'TD', draw, isHeader ? { scope: header ? 'Column' : 'Row' } : {});
            left += cellWidth(i, width);
          });
        });
      },
    };
  };
  return {
    header: rowBlock(
      columnsOf.map((column) => ({ text: column.title })),
      true,
    ),
    rows: rows.map((cells) => rowBlock(cells, false)),
  };
}

/** A table that fits on a page. */
export function table(
  paper: Paper,
  ...parameters: Parameters<typeof tableRows> extends [Paper, ...infer R] ? R : never
): Block {
  const { header, rows } = tableRows(paper, ...parameters);
  const all = stack([header, ...rows]);
  return { measure: all.measure, draw: (x, y, width) => paper.within('Table', () => all.draw(x, y, width)) };
}
