/** The comparison of two pictures on paper, and its figure as a picture of its own. */
import { endsText, mapName } from '../../core/attribution/stated.ts';
import type { Likeness } from '../../core/metrics/map-contrast.ts';
import type { ContrastRegion, FinishedContrast } from '../app/contrast.ts';
import { transformInWords, unitOfSums } from '../app/contrast-words.ts';
import {
  columns,
  facts,
  heading,
  note,
  panel,
  panels,
  paragraph,
  stack,
  table,
  text,
  type Block,
  type Fact,
} from './block.ts';
import { contrastFigure } from './contrast-figure.ts';
import { drawn } from './drawing-block.ts';
import { svgOf } from './drawing-svg.ts';
import { gravestFirst, severityColor } from './flags.ts';
import { duration, fixed, percent, significant, signed, stated, timestamp } from './numbers.ts';
import { Paper } from './paper.ts';
import { identity } from './patient.ts';
import { rasterise } from './rasterise.ts';
import { section } from './section.ts';
import { color, contentWidth, size } from './theme.ts';
import {
  deviceText,
  lungMaskLimits,
  methodLimits,
  missingCharacters,
  noticeOf,
  parametersText,
} from './words.ts';

type Side = 'a' | 'b';
const SIDES: readonly Side[] = ['a', 'b'];

/** Of compare.png: 216 dots an inch of the printed page. */
const PICTURE_WIDTH = 3 * Math.round(contentWidth);

/** With the head and the scores above it, and what moved below, on the first page. */
const FIGURE_HEIGHT = 330;

/** @returns the PDF and its figure as PNG; the same data give the same bytes */
export async function writeContrast(
  finished: FinishedContrast,
  createdAt: Date,
): Promise<{ pdf: Uint8Array; png: Uint8Array }> {
  const { contrast, card } = finished;
  const { app, target } = contrast.a.result;
  const paper = new Paper({
    title: 'Pathlight comparison: what moved between two pictures',
    subject: `Two maps of the model ${card.id}`,
    createdAt,
    app,
    running: {
      left: `A ${finished.images.a.entry.file} \u00b7 B: ${nameOfB(finished)}`,
      right: `${target}, ${mapName(contrast.a.result.method, contrast.a.result.baseline)}`,
    },
    notice: noticeOf(card),
  });
  const figure = contrastFigure(finished, paper.typesetter);
  writeHead(paper, finished, createdAt);
  paper.space(8);
  paper.flow(scores(paper, finished));
  paper.space(10);
  paper.flow(drawn(paper, figure, FIGURE_HEIGHT));
  section(
    paper,
    'What moved',
    contrast.summary.map((sentence) => paragraph(paper, printed(sentence))),
    4,
  );
  writeRegions(paper, finished);
  writeMaps(paper, finished);
  writeFlags(paper, finished);
  writeProvenance(paper, finished);
  const png = await rasterise(svgOf(figure, paper.typesetter), PICTURE_WIDTH);
  return { pdf: await paper.finish(), png };
}

/** With a true minus. */
function printed(sentence: string): string {
  return sentence.replaceAll(/(^|[\s(])-(?=\d)/g, '$1\u2212');
}

function nameOfB({ contrast, images }: FinishedContrast): string {
  return contrast.transform === null ? images.b.entry.file : `A ${transformInWords(contrast.transform)}`;
}

function writeHead(paper: Paper, finished: FinishedContrast, createdAt: Date): void {
  const { contrast, card } = finished;
  paper.flow(
    columns([
      {
        share: 3,
        block: text(paper, 'H1', 'What moved between two pictures', { size: size.title, weight: 'semibold' }),
      },
      {
        share: 2,
        block: stack([
          note(paper, `Pathlight ${contrast.a.result.app.version} \u00b7 comparison`, { align: 'right' }),
          note(paper, timestamp(createdAt), { align: 'right' }),
        ]),
      },
    ]),
  );
  paper.space(6);
  const notice = [paragraph(paper, noticeOf(card), { weight: 'semibold', color: color.amber })];
  paper.flow(panel(paper, stack(notice), { fill: color.amberPanel, edge: color.amber, padding: 5 }));
  paper.space(8);
  paper.flow(
    panels(
      paper,
      SIDES.map((of) => ({
        content: who(paper, finished, of),
        style: { fill: color.panel, edge: color.accent },
      })),
    ),
  );
  if (contrast.warnings.length === 0) return;
  paper.space(8);
  const failed = contrast.converged.a === false || contrast.converged.b === false;
  const style = failed
    ? { fill: color.redPanel, edge: color.red }
    : { fill: color.amberPanel, edge: color.amber };
  const shade = failed ? color.red : color.amber;
  paper.flow(
    panel(
      paper,
      stack(
        contrast.warnings.map((warning) => paragraph(paper, warning, { weight: 'semibold', color: shade })),
        2,
      ),
      { ...style, padding: 5 },
    ),
  );
}

function who(paper: Paper, { contrast, images, pictures, broughtIn }: FinishedContrast, of: Side): Block {
  const title = paragraph(paper, of.toUpperCase(), { size: 13, weight: 'semibold' });
  if (of === 'b' && contrast.transform !== null) {
    return stack(
      [
        title,
        paragraph(paper, `A ${transformInWords(contrast.transform)}.`, { weight: 'semibold' }),
        note(
          paper,
          `The displayed picture was changed before any model was given it${broughtIn ? '; what came in repeats its border' : ''}.`,
        ),
      ],
      2,
    );
  }
  const { entry } = images[of];
  const { names, id, studyDate, file } = identity(entry, false);
  const { rows, columns: across } = pictures[of];
  return stack(
    [
      title,
      paragraph(paper, names.join('   '), { weight: 'semibold' }),
      note(
        paper,
        `ID ${id} \u00b7 study of ${studyDate} \u00b7 ${stated(entry.modality)}, ${stated(entry.viewPosition)}`,
      ),
      note(paper, `${file}, ${across} \u00d7 ${rows} pixels`),
    ],
    2,
  );
}

function scores(paper: Paper, { contrast }: FinishedContrast): Block {
  const { decision } = contrast;
  const right = { align: 'right' } as const;
  const of = ({ probability, logit }: { probability: number; logit: number }): string =>
    `${fixed(probability, 3)} (${fixed(logit, 2)})`;
  return stack(
    [
      paragraph(
        paper,
        decision.changed
          ? `The decision CHANGES from ${decision.a} to ${decision.b}.`
          : `The decision stays ${decision.a}.`,
        { size: 11, weight: 'semibold', color: decision.changed ? color.amber : color.ink },
      ),
      table(
        paper,
        [
          { title: 'Probability (output before the activation)', share: 3 },
          { title: 'A', share: 2, ...right },
          { title: 'B', share: 2, ...right },
          { title: 'B \u2212 A', share: 2, ...right },
        ],
        contrast.scores.map(({ label, a, b, difference }) => [
          { text: label, strong: label === contrast.a.result.target },
          { text: of(a) },
          { text: of(b) },
          { text: `${signed(difference.probability, 3)} (${signed(difference.logit, 3)})` },
        ]),
        { size: 7.6, padding: 2.2, rowHeader: true },
      ),
    ],
    4,
  );
}

function writeRegions(paper: Paper, { contrast }: FinishedContrast): void {
  const { moved, a, b, registration } = contrast;
  const lists: [title: string, regions: readonly ContrastRegion[]][] =
    registration === 'as-they-lie'
      ? [
          ['Strongest regions of A', a.regions],
          ['Strongest regions of B', b.regions],
        ]
      : [];
  if (moved !== null && moved.length > 0) {
    const how = registration === 'as-they-lie' ? ', as they lie' : ', in the frame of A';
    lists.unshift([`Largest changes, B \u2212 A${how}`, moved]);
  }
  for (const [title, regions] of lists)
    section(paper, title, [regionTable(paper, regions, unitOfSums(a.result))]);
}

function regionTable(paper: Paper, regions: readonly ContrastRegion[], unit: string): Block {
  const right = { align: 'right' } as const;
  return table(
    paper,
    [
      { title: '', share: 0.4 },
      { title: 'Where', share: 5 },
      { title: 'Row, column', share: 1.6, ...right },
      { title: `Sum (${unit})`, share: 1.6, ...right },
      { title: 'Of all |values|', share: 1.7, ...right },
      { title: 'Of the area', share: 1.5, ...right },
      { title: 'In the lungs', share: 1.5, ...right },
    ],
    regions.map(({ where, row, column, sum, share, areaShare, lungShares }, i) => [
      { text: String(i + 1), strong: true },
      { text: where },
      { text: `${row}, ${column}` },
      { text: signed(sum, 2) },
      { text: percent(share) },
      { text: percent(areaShare, 2) },
      { text: percent(lungShares && 1 - lungShares.outside, 0) },
    ]),
    { size: 7.2, padding: 2.2 },
  );
}

function writeMaps(paper: Paper, { contrast }: FinishedContrast): void {
  const { maps, registration } = contrast;
  const side = (of: Side): Fact[] => {
    const { result, densest, lungShares } = contrast[of];
    const { fx, fb, gap, gapRelative, mapChange, evaluations, lungs, method, parameters } = result;
    const ends = endsText({ id: method, parameters }, result.baselineFindings.length);
    return [
      ...(fx === null
        ? []
        : [
            { label: `f(x), ${ends.x}`, value: significant(fx) },
            { label: `f(b), ${ends.b}`, value: significant(fb) },
          ]),
      ...(gap === null
        ? []
        : [
            {
              label: 'Completeness gap',
              value: `${signed(gap, 2)}${gapRelative === null ? '' : ` (${percent(gapRelative, 2)})`}`,
            },
          ]),
      ...(mapChange === null ? [] : [{ label: 'Map change', value: percent(mapChange) }]),
      { label: 'Evaluations', value: String(evaluations) },
      convergenceOf(contrast.converged[of]),
      {
        label: 'Densest evidence',
        value: `row ${densest.row}, column ${densest.column}: ${densest.where}; ${percent(densest.share)} of |values| on ${percent(densest.areaShare)} of the area`,
      },
      {
        label: 'In its own lungs',
        value:
          contrast.lungsPlausible?.[of] === false
            ? 'not known: the outline of the lungs is implausible'
            : lungs === null || lungShares === null
              ? 'not known: no lungs'
              : `${percent(lungs.share)} of |values|, ${percent(lungs.areaShare)} of the area (random map ${percent(lungs.null.random)}, edge map ${percent(lungs.null.edges)})`,
      },
    ];
  };
  const likeness = ({ rankCorrelation, topOverlap }: Likeness): string =>
    `${fixed(rankCorrelation, 3)} and ${fixed(topOverlap, 3)}`;
  const both: Fact[] =
    maps === null
      ? [{ label: 'Likeness of the maps', value: 'not measured: images of different sizes' }]
      : [
          {
            label: 'Rank correlation of |values|, overlap of the strongest 5 %',
            value: likeness(maps),
            strong: true,
          },
          {
            label: 'The same of random maps',
            value: likeness({
              rankCorrelation: maps.null.rankCorrelation.mean,
              topOverlap: maps.null.topOverlap.mean,
            }),
          },
          ...(registration === 'transform'
            ? [
                {
                  label: 'The same of map A, carried to B\u2019s frame and back',
                  value: `${likeness(maps.exact)}: what resampling leaves of a map that did not change; size of its difference ${percent(maps.exact.relativeChange)}`,
                },
              ]
            : []),
          {
            label: 'Size of the difference',
            value:
              maps.relativeChange === null
                ? 'map A is zero'
                : `${percent(maps.relativeChange)} of map A (L2)`,
          },
          {
            label: 'Sums over what is compared',
            value: `A ${signed(maps.sums.a)}, B ${signed(maps.sums.b)}`,
          },
          {
            label: 'Compared',
            value: `${percent(maps.comparedArea)} of A\u2019s area; ${percent(maps.leftShare)} of A\u2019s |values| left the picture, ${percent(maps.cameShare)} of B\u2019s came in`,
          },
        ];
  section(paper, 'How the maps compare', [
    facts(paper, both),
    columns(
      SIDES.map((of) => ({
        share: 1,
        block: stack([heading(paper, of.toUpperCase(), 'H3'), facts(paper, side(of))]),
      })),
      20,
    ),
    panel(
      paper,
      stack(
        [
          paragraph(paper, methodLimits(contrast.a.result), { weight: 'semibold' }),
          note(
            paper,
            `What moved shows that the model answers to the change; not whether it should. ${lungMaskLimits} A lung is told from the other at the column of the region\u2019s centre of mass.`,
          ),
        ],
        3,
      ),
      { fill: color.panel, edge: color.accent },
    ),
  ]);
}

function convergenceOf(converged: boolean | null): Fact {
  const label = 'Converged';
  if (converged === null) return { label, value: 'the method has no criterion for it' };
  return converged
    ? { label, value: 'yes' }
    : { label, value: 'NOT CONVERGED', strong: true, color: color.red };
}

function writeFlags(paper: Paper, { contrast }: FinishedContrast): void {
  const flags = SIDES.flatMap((of) =>
    gravestFirst(contrast[of].result.flags).map(({ severity, text: said }) =>
      text(paper, 'P', `${of.toUpperCase()}  ${severity.toUpperCase()}  ${said}`, {
        size: size.body,
        weight: severity === 'info' ? 'regular' : 'semibold',
        color: severityColor[severity],
      }),
    ),
  );
  section(paper, 'Flags of each', flags.length === 0 ? [paragraph(paper, 'None.')] : flags, 3);
}

function writeProvenance(paper: Paper, { contrast, card }: FinishedContrast): void {
  const { result } = contrast.a;
  const { lungs, app, model } = result;
  const missing = paper.typesetter.missing;
  section(paper, 'Provenance', [
    facts(paper, [
      ...SIDES.map((of): Fact => {
        const { sha256, frame } = contrast[of].result.image;
        return { label: `${of.toUpperCase()}, SHA-256`, value: `${sha256}, frame ${frame + 1}` };
      }),
      { label: 'Model', value: `${card.name}, version ${card.version}; SHA-256 ${model.sha256}` },
      ...(lungs === null
        ? []
        : [{ label: 'Lungs model', value: `${lungs.model.id}; SHA-256 ${lungs.model.sha256}` }]),
      {
        label: 'Parameters',
        value: `${mapName(result.method, result.baseline)}; ${parametersText(result)}`,
      },
      {
        label: 'Computed',
        value: `by Pathlight ${app.version} (${stated(app.commit)}) on ${deviceText(result.device)}; ${duration(result.seconds)} and ${duration(contrast.b.result.seconds)}`,
      },
      ...(missing.length === 0
        ? []
        : [{ label: 'Characters', value: missingCharacters(missing), color: color.amber }]),
    ]),
  ]);
}
