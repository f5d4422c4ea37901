/** How much of the attribution lies in the lungs, beside what maps that know nothing would get. */
import type { LungCheck } from '../../core/contract/result.ts';
import { columns, facts, note, panel, paragraph, stack, type Block } from './block.ts';
import { contour } from './contour.ts';
import { figure } from './figure.ts';
import { fixed, percent } from './numbers.ts';
import type { Paper } from './paper.ts';
import { overlayPng, printedStyle } from './pictures.ts';
import type { ReportData } from './report-data.ts';
import { section } from './section.ts';
import { color, size } from './theme.ts';
import { lungCheckLimits, lungMaskLimits, scaleOf } from './words.ts';

export function writeLungCheck(paper: Paper, data: ReportData): void {
  const { lungs: check } = data.result;
  if (check === null || data.lungs === null) {
    section(paper, 'Lung check', [paragraph(paper, 'Not made: no lungs model was available.')]);
    return;
  }
  const { height: rows, width } = data.card.input;
  const overlay = overlayPng(
    { values: data.modelImage, rows, columns: width },
    { values: data.map, rows, columns: width },
    printedStyle([data.map], scaleOf(data.result)),
  );
  const image = figure(paper, {
    png: overlay,
    aspect: 1,
    alt: `The attribution map over the model\u2019s input, with the outline of the lungs and a ring at its maximum, which lies ${check.peakInside ? 'inside' : 'outside'} the lungs.`,
    lines: { segments: contour(data.lungs.mask, rows, width, 0.5), rows, columns: width, color: '#ffffff' },
    ring: { ...check.peak, rows, columns: width },
  });
  section(paper, 'Lung check', [
    columns(
      [
        {
          share: 4,
          block: stack(
            [
              image,
              note(
                paper,
                `Line: lungs by the model \u201c${check.model.id}\u201d. Ring: the map\u2019s maximum.`,
                { size: size.tiny },
              ),
            ],
            2,
          ),
        },
        {
          share: 7,
          block: stack(
            [
              facts(paper, [
                {
                  label: 'Share in the lungs',
                  value: `${percent(check.share)} of |attribution|`,
                  strong: true,
                },
                { label: 'Lungs\u2019 share of the area', value: percent(check.areaShare) },
                {
                  label: 'Enrichment',
                  value: `${fixed(check.enrichment, 2)} (1 is what a map that knows nothing gets)`,
                  strong: true,
                  ...(check.enrichment < 1 ? { color: color.amber } : {}),
                },
                check.peakInside
                  ? { label: 'Maximum of the map', value: 'inside the lungs' }
                  : {
                      label: 'Maximum of the map',
                      ...(data.result.flags.some(({ id }) => id === 'peak-outside-lungs')
                        ? { value: 'OUTSIDE the lungs', strong: true, color: color.amber }
                        : {
                            value:
                              'outside the lungs; not flagged: close to them, or with little of the map around it',
                          }),
                    },
              ]),
              bars(paper, check),
              panel(paper, stack([paragraph(paper, lungCheckLimits), note(paper, lungMaskLimits)], 3), {
                fill: color.panel,
                edge: color.accent,
              }),
            ],
            8,
          ),
        },
      ],
      20,
    ),
  ]);
}

/** The share of this map beside those of a random and an edge map, with the area share as a line. */
function bars(paper: Paper, check: LungCheck): Block {
  const rows = [
    { label: 'This map', share: check.share, fill: color.accent },
    { label: 'Random map', share: check.null.random, fill: '#9aa5ae' },
    { label: 'Edges of the image', share: check.null.edges, fill: '#9aa5ae' },
  ];
  const rowHeight = 13;
  const labelWidth = 78;
  const style = { size: size.small } as const;
  return {
    measure: () => rows.length * rowHeight + 13,
    draw: (x, y, width) => {
      const { pdf } = paper;
      const scale = width - labelWidth - 40;
      const height = rows.length * rowHeight;
      const alt = `Share in the lungs: ${rows.map(({ label, share }) => `${label} ${percent(share)}`).join(', ')}; area share ${percent(check.areaShare)}.`;
      paper.mark(
        'Figure',
        () => {
          rows.forEach(({ label, share, fill }, i) => {
            const top = y + i * rowHeight;
            paper.typesetter.draw(paper.typesetter.set(label, style), x, top + 1);
            pdf.rect(x + labelWidth, top + 2, scale, rowHeight - 4).fill(color.panel);
            pdf.rect(x + labelWidth, top + 2, Math.max(0.5, scale * share), rowHeight - 4).fill(fill);
            paper.typesetter.draw(
              paper.typesetter.set(percent(share), style),
              x + labelWidth + scale + 6,
              top + 1,
            );
          });
          const area = x + labelWidth + scale * check.areaShare;
          pdf
            .moveTo(area, y)
            .lineTo(area, y + height + 2)
            .lineWidth(1)
            .stroke(color.ink);
          const caption = paper.typesetter.set(`area share ${percent(check.areaShare)}`, {
            size: size.tiny,
            color: color.soft,
          });
          paper.typesetter.draw(
            caption,
            Math.min(area - caption.width / 2, x + width - caption.width),
            y + height + 2,
          );
        },
        { alt, bbox: [x, y, x + width, y + height + 13] },
      );
    },
  };
}
