/** What do the maps look like? One row an image, one column a method or a baseline, all maps of a row in one scale. */
import { divergingColors } from '../../../core/imaging/colormap.ts';
import type { OverlayStyle } from '../../../core/imaging/blend.ts';
import { completeMethod, mapScale, type MapScale } from '../../../core/attribution/choices.ts';
import { methods } from '../../../core/attribution/methods.ts';
import { baselineName, lowerFirst } from '../../../core/attribution/stated.ts';
import type { MetricId } from '../../../core/metrics/metrics.ts';
import type { Value } from '../../../core/metrics/subject.ts';
import { colorStrip } from '../../report/color-strip.ts';
import { contour, type Segment } from '../../report/contour.ts';
import { round, type Sketch } from '../../report/drawing.ts';
import { fixed, significant } from '../../report/numbers.ts';
import { greyPng, overlayPng, printedStyle } from '../../report/pictures.ts';
import { color, size } from '../../report/theme.ts';
import type { Typesetter } from '../../report/typesetter.ts';
import type { StudyImage, StudyMap } from '../row.ts';
import { baselineTitle, chunks, distinct, groupName, listed, methodName, metricOf, slug } from './names.ts';
import { short } from './finding.ts';
import type { StudyPicture, StudyReport } from './report.ts';
import { roomForBody, sheet, type SheetWords, sheetWidth, type StudyFigure } from './sheet.ts';

/** A map with what was measured of it. */
export interface ScoredMap extends StudyMap {
  scores: Map<MetricId, { value: Value; random: Value; edges: Value }>;
}

/** An image of a sheet with its maps, those of one model. */
export interface SheetImage {
  image: StudyImage;
  maps: readonly ScoredMap[];
}

/** What the columns differ in, and the maps that stand in them. */
interface Columns {
  of: 'methods' | 'baselines';
  /** What all maps of the sheet share. */
  held: string;
  columns: { label: string; pick: (map: StudyMap) => boolean }[];
}

const mapsAcross = 6;
const gap = 4;
/** At the left: what is said of the image. */
const saidWidth = 68;
const below = 19;
/** The bar of colours, and two lines that say what they mean. */
const barHeight = 34;
const labelStyle = { size: size.tiny } as const;

/**
 * @param images of one model
 * @returns each sheet when it is asked for: its pictures are read then
 */
export async function* contactSheets(
  report: Pick<StudyReport, 'picture' | 'map'>,
  model: string,
  images: readonly SheetImage[],
  typesetter: Typesetter,
): AsyncGenerator<StudyFigure> {
  const maps = images.flatMap((image) => image.maps);
  for (const { of, held, columns } of columnsOf(maps)) {
    const parts = chunks(columns, mapsAcross);
    for (const [partOf, part] of parts.entries()) {
      const across = Math.max(part.length, 3) + 1;
      const cell = Math.min(96, (sheetWidth - saidWidth - gap * across) / across);
      const header = headerHeight(
        typesetter,
        part.map(({ label }) => label),
        cell,
      );
      const metric = shownMetric(maps);
      const inPart = maps.filter((map) => part.some(({ pick }) => pick(map)));
      const partName = parts.length > 1 ? `part ${partOf + 1} of ${parts.length}` : '';
      const words = wordsOf(of, held, model, metric, inPart, partName);
      const colors = colorsOf(inPart);
      const room = roomForBody(typesetter, words) - header - barHeight;
      const rowsPerSheet = Math.max(1, Math.floor(room / (cell + below)));
      const pages = chunks(images, rowsPerSheet);
      for (const [page, shown] of pages.entries()) {
        const name = slug(
          'maps',
          of,
          model,
          held,
          parts.length > 1 ? `part ${partOf + 1}` : null,
          pages.length > 1 ? String(page + 1) : null,
        );
        const rows: Row[] = [];
        for (const { image, maps: all } of shown) {
          rows.push(await rowOf(report, model, image, all, { columns, part, metric }));
        }
        yield sheetOf(
          { ...words, name, inSummary: page === 0 && partOf === 0 },
          rows,
          part.map(({ label }) => label),
          cell,
          header,
          colors,
          typesetter,
        );
      }
    }
  }
}

/** Methods beside one another at their most steps, from the baseline of most maps; and the baselines of the method that was run from most. */
function columnsOf(maps: readonly StudyMap[]): Columns[] {
  const most = new Map<string, number>();
  const key = ({ method, baseline }: StudyMap): string => JSON.stringify([method, baseline]);
  for (const map of maps) most.set(key(map), Math.max(most.get(key(map)) ?? 0, map.steps ?? 0));
  const finest = maps.filter((map) => (map.steps ?? 0) === most.get(key(map)));
  const choices = new Map(finest.map((map) => [key(map), map]));
  const unique = [...choices.values()];
  const ids = [...new Set(unique.map(({ method }) => method))];
  const sheets: Columns[] = [];
  const methodsOf = (baseline: StudyMap['baseline']): StudyMap[] =>
    unique.filter((map) => map.baseline === null || map.baseline === baseline);
  const baselines = [...new Set(unique.map(({ baseline }) => baseline))].filter(
    (baseline) => baseline !== null,
  );
  const usual = baselines.toSorted((a, b) => methodsOf(b).length - methodsOf(a).length)[0] ?? null;
  const beside = methodsOf(usual);
  if (beside.length > 1 || ids.length === 1) {
    sheets.push({
      of: 'methods',
      held: usual === null ? '' : `baseline ${baselineName(usual)}`,
      columns: beside.map((choice) => ({ label: columnLabel(choice), pick: same(choice) })),
    });
  }
  const fromOf = (method: StudyMap['method']): StudyMap[] =>
    unique.filter((map) => map.method === method && map.baseline !== null);
  const widest = ids.toSorted((a, b) => fromOf(b).length - fromOf(a).length)[0];
  if (widest !== undefined && fromOf(widest).length > 1) {
    sheets.push({
      of: 'baselines',
      held: methodName(widest),
      columns: fromOf(widest).map((choice) => ({
        label: baselineTitle(choice.baseline),
        pick: same(choice),
      })),
    });
  }
  return sheets;
}

const same =
  (choice: StudyMap) =>
  (map: StudyMap): boolean =>
    map.method === choice.method && map.baseline === choice.baseline && map.steps === choice.steps;

function columnLabel({ method, steps }: StudyMap): string {
  return `${methodName(method)}${steps === null ? '' : `, ${steps}`}`;
}

/** What stands under each map: where there are masks the mass in them, else the first of what was measured. */
function shownMetric(maps: readonly ScoredMap[]): MetricId | null {
  const measured = new Set(maps.flatMap((map) => [...map.scores.keys()]));
  const preferred: MetricId[] = ['relevance-mass', 'insertion', 'deletion'];
  return preferred.find((metric) => measured.has(metric)) ?? [...measured][0] ?? null;
}

function wordsOf(
  of: Columns['of'],
  held: string,
  model: string,
  metric: MetricId | null,
  maps: readonly StudyMap[],
  part: string,
): Pick<SheetWords, 'title' | 'says' | 'caption'> {
  const described = metric === null ? null : metricOf(metric);
  return {
    title: `What do the maps of different ${of} look like? ${[model, held, part].filter((said) => said !== '').join(', ')}`,
    says:
      described === null
        ? 'Nothing was measured of these maps.'
        : `Under each map: ${lowerFirst(described.name)} (${described.better === 'neither' ? 'neither end is better' : `${described.better} is better`}); at the left: the same of a random map and of the image\u2019s edges.`,
    caption:
      'The images are the first of each group in the order of their SHA-256, which knows nothing of the result; each is named by the hash\u2019s first digits, which stand in results.csv. ' +
      `Within a row${part === '' ? '' : ' of all parts'} all maps in units of the score share one scale, stated at the left; others have their own, stated under them. ` +
      otherMeanings(maps) +
      `Colour where |map| is among the strongest 5\u00a0% of the row, fading below${maps.some(({ mask }) => mask !== null) ? '; line: the mask' : ''}. A map far weaker than the row\u2019s strongest looks empty and is scored all the same. A map that looks right need not be what moved the model, and one that looks odd may be.`,
  };
}

/** What the colours say of maps that hold no shares of the score. */
function otherMeanings(maps: readonly StudyMap[]): string {
  const { slopes, unsigned } = colorsOf(maps);
  const names = (ids: readonly StudyMap['method'][]): string => listed(ids.map(methodName), ids.length);
  return [
    slopes.length === 0
      ? ''
      : `${names(slopes)}: slopes of the score, no shares of it; blue where a higher value of the input lowers it, orange where it raises it. `,
    unsigned.length === 0 ? '' : `${names(unsigned)}: without sign; how much, not whether for or against. `,
  ].join('');
}

/** The methods whose colours say something else than what raised the score and what lowered it. */
interface Colors {
  contributions: boolean;
  slopes: readonly StudyMap['method'][];
  unsigned: readonly StudyMap['method'][];
}

function colorsOf(maps: readonly StudyMap[]): Colors {
  const ids = distinct(maps.map(({ method }) => method));
  const slopes = ids.filter((id) => scaleOf(id).signed && scaleOf(id).slope);
  const unsigned = ids.filter((id) => !scaleOf(id).signed);
  return { contributions: slopes.length + unsigned.length < ids.length, slopes, unsigned };
}

/** The pictures of one row, and the words under them. */
interface Row {
  grey: Uint8Array | null;
  /** At its left. */
  said: string;
  outline: readonly Segment[];
  height: number;
  width: number;
  cells: ({ png: Uint8Array; under: [string, string] } | null)[];
}

async function rowOf(
  report: Pick<StudyReport, 'picture' | 'map'>,
  model: string,
  image: StudyImage,
  all: readonly ScoredMap[],
  {
    columns,
    part,
    metric,
  }: { columns: Columns['columns']; part: Columns['columns']; metric: MetricId | null },
): Promise<Row> {
  const picture = await report.picture(image, model);
  const chosen = part.map(({ pick }) => all.find(pick));
  const values = new Map<ScoredMap, Float32Array>();
  // Those of the other parts, too: an image has one scale in all of them.
  for (const map of columns.map(({ pick }) => all.find(pick))) {
    const read = map === undefined ? null : await readMap(report, map, picture);
    if (map !== undefined && read !== null) values.set(map, read);
  }
  const inScore = [...values].flatMap(([map, read]) => (sharesScale(map) ? [read] : []));
  const shared = printedStyle(inScore, { signed: true });
  const [first] = all;
  const frame = image.frame === 0 ? '' : `, frame ${image.frame + 1}`;
  const score = first === undefined || metric === null ? undefined : first.scores.get(metric);
  return {
    grey:
      picture === null
        ? null
        : greyPng({ values: picture.display, rows: picture.height, columns: picture.width }),
    said: [
      `${image.sha256.slice(0, 8)}${frame}`,
      groupName(image.group),
      first === undefined ? '' : `${first.target} ${fixed(first.probability, 2)}`,
      inScore.length === 0 ? '' : `scale \u00b1${significant(shared.range, 2)}`,
      nullWords('random map', score?.random),
      nullWords('edges', score?.edges),
    ]
      .filter((line) => line !== '')
      .join('\n'),
    outline: picture === null ? [] : outlineOf(picture),
    height: picture?.height ?? 1,
    width: picture?.width ?? 1,
    cells: chosen.map((map) => {
      const value = map === undefined ? undefined : values.get(map);
      if (map === undefined || value === undefined || picture === null) return null;
      const own = !sharesScale(map);
      const style = own ? printedStyle([value], scaleOf(map.method)) : shared;
      return { png: overlaid(picture, value, style), under: underMap(map, metric, own ? style : null) };
    }),
  };
}

/** A study leaves a method's own parameters at their defaults. */
function scaleOf(method: StudyMap['method']): MapScale {
  return mapScale(completeMethod({ id: method, parameters: {} }, 'logit'), 'logit');
}

/** Whether a map is in units of the score, as most are; slopes and squares are not. */
function sharesScale(map: StudyMap): boolean {
  return methods[map.method].unit === 'score';
}

async function readMap(
  report: Pick<StudyReport, 'map'>,
  { map }: StudyMap,
  picture: StudyPicture | null,
): Promise<Float32Array | null> {
  const values = await report.map(map);
  return values === null || picture === null || values.length !== picture.height * picture.width
    ? null
    : values;
}

function overlaid(picture: StudyPicture, values: Float32Array, style: OverlayStyle): Uint8Array {
  const raster = { rows: picture.height, columns: picture.width };
  return overlayPng({ values: picture.display, ...raster }, { values, ...raster }, style);
}

function nullWords(name: string, value: Value | undefined): string {
  return value === undefined || value === null ? '' : `${name} ${short(value)}`;
}

function underMap(map: ScoredMap, metric: MetricId | null, own: OverlayStyle | null): [string, string] {
  const value = metric === null ? undefined : map.scores.get(metric)?.value;
  const score = value === undefined ? '' : value === null ? 'no value' : short(value);
  return [
    score,
    own === null
      ? ''
      : // No longer, so that it stays on its one line.
        `${own.sign === 'absolute' ? '0 to ' : '\u00b1'}${significant(own.range, 2)}`,
  ];
}

/** In pixels. */
function outlineOf({ mask, height, width }: StudyPicture): Segment[] {
  return mask === null ? [] : contour(Float32Array.from(mask), height, width, 0.5);
}

function headerHeight(typesetter: Typesetter, labels: readonly string[], cell: number): number {
  return Math.max(...labels.map((label) => typesetter.set(label, labelStyle, cell).height)) + 3;
}

function sheetOf(
  words: SheetWords,
  rows: readonly Row[],
  labels: readonly string[],
  cell: number,
  header: number,
  colors: Colors,
  typesetter: Typesetter,
): StudyFigure {
  const heights = rows.map(({ height, width }) => (cell * height) / width + below);
  const body = header + heights.reduce((sum, height) => sum + height, 0) + barHeight - 2;
  return sheet(typesetter, words, body, (sketch, top) => {
    const leftOf = (column: number): number => saidWidth + gap + column * (cell + gap);
    ['Image', ...labels].forEach((label, column) => {
      sketch.text(
        label,
        {
          x: leftOf(column) + cell / 2,
          y: top + header - 3,
          vertical: 'bottom',
          width: cell,
          align: 'center',
        },
        { ...labelStyle, weight: 'semibold' },
      );
    });
    let y = top + header;
    rows.forEach((row, i) => {
      putRow(sketch, row, y, cell, leftOf);
      y += heights[i] ?? 0;
    });
    putColorBar(sketch, y + 3, colors);
  });
}

function putRow(sketch: Sketch, row: Row, y: number, cell: number, leftOf: (column: number) => number): void {
  const height = (cell * row.height) / row.width;
  const under = ([first, second]: [string, string], column: number): void => {
    const at = { x: leftOf(column) + cell / 2, align: 'center', width: cell } as const;
    sketch.text(first, { ...at, y: y + height + 1 });
    sketch.text(second, { ...at, y: y + height + 9 }, { color: color.soft });
  };
  const frame = (column: number, png: Uint8Array | null): void => {
    const x = leftOf(column);
    if (png === null) {
      sketch.rectangle(x, y, cell, height, { fill: color.panel });
      sketch.text(
        'not available',
        { x: x + cell / 2, y: y + height / 2, align: 'center', vertical: 'middle' },
        { color: color.soft },
      );
      return;
    }
    sketch.picture(png, x, y, cell, height);
    const scale = cell / row.width;
    const line = row.outline
      .map(({ x1, y1, x2, y2 }) => {
        const [fromX, fromY, toX, toY] = [x + x1 * scale, y + y1 * scale, x + x2 * scale, y + y2 * scale];
        return `M${round(fromX)},${round(fromY)}L${round(toX)},${round(toY)}`;
      })
      .join('');
    // White on dark, so that it shows on lung and bone alike.
    sketch.path(line, { stroke: { color: '#000000', width: 1 } });
    sketch.path(line, { stroke: { color: '#ffffff', width: 0.5 } });
    sketch.rectangle(x, y, cell, height, { stroke: { color: color.line, width: 0.4 } });
  };
  sketch.text(row.said, { x: 0, y: y + 1, width: saidWidth });
  frame(0, row.grey);
  row.cells.forEach((map, i) => {
    frame(i + 1, map?.png ?? null);
    if (map !== null) under(map.under, i + 1);
  });
}

/** The colours of every map with signs, from its scale's end to end; a map without signs has others. */
function putColorBar(sketch: Sketch, y: number, { contributions, slopes }: Colors): void {
  const meanings = [
    ...(contributions ? [['lowered the score', 'raised it'] as const] : []),
    ...(slopes.length > 0 ? [['a higher value lowers the score', 'a higher value raises it'] as const] : []),
  ];
  if (meanings.length === 0) return;
  const bar = 260;
  const left = (sheetWidth - bar) / 2;
  for (const { x, width, fill } of colorStrip(divergingColors, { x: left, width: bar })) {
    sketch.rectangle(x, y, width, 6, { fill });
  }
  const label = (line: number, text: string, x: number, align: 'left' | 'center' | 'right'): void => {
    sketch.text(text, { x, y: y + 7 + 9 * line, align }, { color: color.soft });
  };
  label(0, '0', left + bar / 2, 'center');
  meanings.forEach(([less, more], line) => {
    label(line, `${line === 0 ? '\u2212 range' : 'slopes'}: ${less}`, left, 'left');
    label(line, `${line === 0 ? '+ range' : 'slopes'}: ${more}`, left + bar, 'right');
  });
}
