/** What a model's card says; nothing is left out silently. */
import type { ModelCard } from '../../core/contract/model-card.ts';
import { perChannel } from '../../core/imaging/model-input.ts';
import { modelSha256 } from '../app/model-sha256.ts';
import { columns, facts, heading, stack, text, type Block, type Fact } from './block.ts';
import { integer, notStated, stated } from './numbers.ts';
import type { Paper } from './paper.ts';
import { section } from './section.ts';
import { size } from './theme.ts';

export function writeModel(paper: Paper, title: string, card: ModelCard): void {
  const { input, output, decision } = card;
  const left: Fact[] = [
    { label: 'Name', value: `${card.name}, version ${card.version}`, strong: true },
    { label: 'Identifier', value: card.id },
    { label: 'SHA-256', value: modelSha256(card) },
    { label: 'Intended use', value: stated(card.intendedUse) },
    {
      label: 'Input',
      value: `${input.channels} \u00d7 ${input.height} \u00d7 ${input.width} (${input.layout}, \u201c${input.name}\u201d): the whole image squeezed to size, aspect not kept, by an antialiased ${input.filter} filter; then (display value \u2212\u00a0${perChannel(input.mean)})\u00a0/\u00a0${perChannel(input.std)}`,
    },
    { label: 'Modalities', value: input.modalities?.join(', ') ?? notStated },
    {
      label: 'Output',
      value: `${output.labels.join(', ')} (\u201c${output.name}\u201d), activation ${output.activation}`,
    },
    {
      label: 'Threshold',
      value:
        decision === undefined
          ? notStated
          : `${decision.threshold} on ${decision.positive}, else ${decision.negative}. ${decision.source}`,
    },
  ];
  const right: Fact[] = [
    { label: 'Training data', value: stated(card.training.data) },
    { label: 'Training', value: stated(card.training.procedure) },
    ...(card.performance.length === 0
      ? [{ label: 'Performance', value: 'not stated by the model\u2019s author' }]
      : card.performance.map((performance) => ({
          label: 'Performance',
          value: performanceText(performance),
        }))),
    { label: 'Licence', value: stated(card.licence) },
    { label: 'Attribution', value: stated(card.attribution) },
  ];
  section(paper, title, [
    columns(
      [
        { share: 1, block: facts(paper, left) },
        { share: 1, block: facts(paper, right) },
      ],
      20,
    ),
    stack([heading(paper, 'Limits stated by the model\u2019s author', 'H3'), list(paper, card.limits)]),
  ]);
}

function performanceText({ data, images, measures, note }: ModelCard['performance'][number]): string {
  const values = Object.entries(measures).map(([name, value]) => `${name} ${value}`);
  return `${data}, ${integer(images)} images: ${values.join(', ')}${note === undefined ? '' : `. ${note}`}`;
}

/** Items with a dot. */
export function list(
  paper: Paper,
  items: readonly string[],
  style: { size?: number; color?: string } = {},
): Block {
  const rows = items.map((item): Block => {
    const body = text(paper, 'LBody', `\u2022  ${item}`, { size: size.body, ...style });
    return { ...body, draw: (x, y, width) => paper.within('LI', () => body.draw(x, y, width)) };
  });
  const all = stack(rows, 1.5);
  return { ...all, draw: (x, y, width) => paper.within('L', () => all.draw(x, y, width)) };
}
