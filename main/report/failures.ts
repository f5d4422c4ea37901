/** Files refused and images that failed, each with its reason and what can be done. */
import type { RefusedFile } from '../../core/contract/library.ts';
import { flowTable, type Cell } from './block.ts';
import type { Paper } from './paper.ts';
import { color, size } from './theme.ts';

export async function flowFailures(paper: Paper, failures: readonly RefusedFile[]): Promise<void> {
  await flowTable(
    paper,
    [
      { title: 'File', share: 3 },
      { title: 'Reason', share: 5 },
      { title: 'What can be done', share: 3 },
    ],
    failures.map(({ file, reason, advice }): Cell[] => [
      { text: file },
      { text: reason, color: color.red },
      { text: advice },
    ]),
    { size: size.small, padding: 2.4, rowHeader: true },
  );
}
