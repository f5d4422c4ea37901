/** A part of a document: a heading and what stands under it. */
import { heading, type Block } from './block.ts';
import type { Paper } from './paper.ts';
import { contentWidth } from './theme.ts';

/**
 * Flows the blocks down the pages; the heading stays with the first of them.
 * @param below height to keep free below the first, for a table that follows
 */
export function section(paper: Paper, title: string, blocks: readonly Block[], gap = 9, below = 0): void {
  paper.within('Sect', () => {
    paper.space(16);
    paper.flow(heading(paper, title), (blocks[0]?.measure(contentWidth) ?? 0) + below);
    blocks.forEach((block, i) => {
      if (i > 0) paper.space(gap);
      paper.flow(block);
    });
  });
}
