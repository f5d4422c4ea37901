/** Two pictures, their maps and what changed, on one scale: one drawing for compare.png and compare.pdf. */
import { colorsOf, type OverlayStyle } from '../../core/imaging/blend.ts';
import { resizeTriangle } from '../../core/imaging/resample.ts';
import type { ContrastRegion, FinishedContrast } from '../app/contrast.ts';
import { transformInWords } from '../app/contrast-words.ts';
import { colorStrip } from './color-strip.ts';
import { contour } from './contour.ts';
import { type Drawing, round, Sketch } from './drawing.ts';
import { placeLabels } from './labels.ts';
import { significant, signed } from './numbers.ts';
import { atMost, greyPng, overlayPng, printedStyle, type Raster } from './pictures.ts';
import { color, contentWidth, size } from './theme.ts';
import type { Typesetter } from './typesetter.ts';
import { mapMeaning, scaleOf } from './words.ts';

const GAP = 10;
const TITLE = 12;
const MOST_HEIGHT = 200;
/** Pixels of a panel's longer side: 300 dots an inch. */
const PANEL_PIXELS = 700;

/** Where a panel's picture lies. */
interface Frame {
  x: number;
  y: number;
  width: number;
  height: number;
}

interface Grid {
  height: number;
  width: number;
}

export function contrastFigure(finished: FinishedContrast, typesetter: Typesetter): Drawing {
  const { contrast, a, b, pictures, images, registered } = finished;
  const sketch = new Sketch(typesetter);
  const column = (contentWidth - 2 * GAP) / 3;
  const shown = {
    a: atMost(
      { values: pictures.a.display, rows: pictures.a.rows, columns: pictures.a.columns },
      PANEL_PIXELS,
    ),
    b: atMost(
      { values: pictures.b.display, rows: pictures.b.rows, columns: pictures.b.columns },
      PANEL_PIXELS,
    ),
  };
  const aspects = { a: aspectOf(finished, 'a'), b: aspectOf(finished, 'b') };
  const room = Math.min(MOST_HEIGHT, Math.max(column / aspects.a, column / aspects.b));
  const frame = (place: 0 | 1 | 2, row: 0 | 1, aspect: number): Frame => {
    const height = Math.min(room, column / aspect);
    const width = height * aspect;
    return {
      x: place * (column + GAP) + (column - width) / 2,
      y: row * (TITLE + room + GAP) + TITLE + (room - height) / 2,
      width,
      height,
    };
  };
  const title = (content: string, place: 0 | 1 | 2, row: 0 | 1): void => {
    sketch.text(
      content,
      { x: place * (column + GAP), y: row * (TITLE + room + GAP), width: column },
      { weight: 'semibold', size: size.small },
    );
  };
  const grid: Grid = finished;
  const style = printedStyle([a.map, b.map], scaleOf(a.result));
  const mapOf = (raster: Raster, map: Float32Array, style: OverlayStyle): Uint8Array =>
    overlayPng(raster, { values: map, rows: grid.height, columns: grid.width }, style);

  for (const [place, of] of [
    [0, 'a'],
    [1, 'b'],
  ] as const) {
    const { result, map } = finished[of];
    const name = of.toUpperCase();
    title(of === 'b' && contrast.transform !== null ? 'B: A, changed' : name, place, 0);
    picture(sketch, greyPng(shown[of]), frame(place, 0, aspects[of]));
    title(`Map of ${name}: ${result.target}`, place, 1);
    const drawn = frame(place, 1, aspects[of]);
    panel(sketch, mapOf(shown[of], map, style), drawn, grid, outlineOf(finished, of), contrast[of].densest);
  }

  const third = frame(2, 1, aspects.a);
  if (registered === null) {
    title('No difference', 2, 1);
    sketch.text(
      'The images have different sizes, and no change from one to the other is known: their maps cannot be laid over one another.',
      { x: third.x, y: third.y, width: third.width },
    );
  } else {
    title(
      contrast.registration === 'as-they-lie'
        ? 'B \u2212 A, as they lie: NOT REGISTERED'
        : 'B \u2212 A, in the frame of A',
      2,
      1,
    );
    const background = dimmed(shown.a, registered.compared, grid);
    // A difference has a sign, whatever the maps have.
    const ofDifference: OverlayStyle = { ...style, sign: 'all' };
    const png = mapOf(background, registered.difference, ofDifference);
    panel(sketch, png, third, grid, outlineOf(finished, 'a'));
    numbers(sketch, contrast.moved ?? [], registered, style.threshold, third, grid);
  }
  legend(sketch, finished, style, { x: 2 * (column + GAP), y: 0, width: column, height: room });

  const height = 2 * (TITLE + room) + GAP;
  const other =
    contrast.transform === null ? images.b.entry.file : `A ${transformInWords(contrast.transform)}`;
  return sketch.drawing(
    `Two pictures and their maps of ${a.result.target}, on one scale.`,
    `A is ${images.a.entry.file}, B is ${other}. ${contrast.summary.join(' ')}`,
    contentWidth,
    height,
  );
}

/** Of the lungs, where they are taken for lungs. */
function outlineOf(finished: FinishedContrast, of: 'a' | 'b'): Float32Array | undefined {
  return finished.contrast.lungsPlausible?.[of] === false ? undefined : finished[of].lungs?.probability;
}

function aspectOf({ pictures, images }: FinishedContrast, of: 'a' | 'b'): number {
  const { rows, columns } = pictures[of];
  const { spacing } = images[of].entry;
  return (columns * (spacing?.column ?? 1)) / (rows * (spacing?.row ?? 1));
}

function picture(sketch: Sketch, png: Uint8Array, { x, y, width, height }: Frame): void {
  sketch.picture(png, x, y, width, height);
  sketch.rectangle(x, y, width, height, { stroke: { color: color.line, width: 0.4 } });
}

/** A map with the outline of the lungs and a ring where it is densest. */
function panel(
  sketch: Sketch,
  png: Uint8Array,
  frame: Frame,
  grid: Grid,
  lungs?: Float32Array,
  densest?: { row: number; column: number },
): void {
  picture(sketch, png, frame);
  if (lungs !== undefined) {
    const [across, down] = [frame.width / grid.width, frame.height / grid.height];
    const d = contour(lungs, grid.height, grid.width, 0.5)
      .map(({ x1, y1, x2, y2 }) => {
        const [fromX, fromY] = [round(frame.x + x1 * across), round(frame.y + y1 * down)];
        return `M${fromX},${fromY}L${round(frame.x + x2 * across)},${round(frame.y + y2 * down)}`;
      })
      .join('');
    sketch.path(d, { stroke: { color: '#ffffff', width: 0.6 } });
  }
  if (densest !== undefined) ring(sketch, at(densest, frame, grid));
}

function at({ row, column }: { row: number; column: number }, frame: Frame, grid: Grid): [number, number] {
  return [
    frame.x + ((column + 0.5) * frame.width) / grid.width,
    frame.y + ((row + 0.5) * frame.height) / grid.height,
  ];
}

function ring(sketch: Sketch, [x, y]: readonly [number, number]): void {
  const radius = 6;
  const d = `M${round(x - radius)},${round(y)}a${radius},${radius} 0 1 0 ${2 * radius},0a${radius},${radius} 0 1 0 ${-2 * radius},0`;
  sketch.path(d, { stroke: { color: '#000000', width: 2 } });
  sketch.path(d, { stroke: { color: '#ffffff', width: 1 } });
}

/** What a plate over a pixel of a numbered region costs, and over another that the difference shows: points of a longer leader. */
const REGION_COVER = 20;
const SHOWN_COVER = 0.3;

/** The numbers of the largest changes, each beside its own on a dark plate, with a line to where it is strongest. */
function numbers(
  sketch: Sketch,
  moved: readonly ContrastRegion[],
  { difference, movedPixels }: NonNullable<FinishedContrast['registered']>,
  threshold: number,
  frame: Frame,
  grid: Grid,
): void {
  const set = sketch.measure('0');
  const plate = [set.width + 4, set.height] as const;
  const cover = difference.map((value) => (Math.abs(value) >= threshold ? SHOWN_COVER : 0));
  for (const pixel of movedPixels.flat()) cover[pixel] = REGION_COVER;
  const ends = moved.map((region) => at(region, frame, grid));
  const labels = placeLabels(
    ends.map(([x, y]) => [x - frame.x, y - frame.y]),
    { size: [frame.width, frame.height], plate, cover, grid },
  ).map(([x, y]) => [frame.x + x, frame.y + y] as const);
  for (const { shade, width } of [
    { shade: '#000000', width: 1.4 },
    { shade: '#ffffff', width: 0.6 },
  ]) {
    labels.forEach(([x, y], i) => {
      const [endX, endY] = ends[i] ?? [x, y];
      sketch.line(x, y, endX, endY, { color: shade, width });
    });
  }
  labels.forEach(([x, y], i) => {
    sketch.rectangle(x - plate[0] / 2, y - plate[1] / 2, ...plate, { fill: '#000000' });
    sketch.text(String(i + 1), { x, y, align: 'center', vertical: 'middle' }, { color: '#ffffff' });
  });
}

/** The picture, darker and striped where nothing is compared. */
function dimmed(picture: Raster, compared: Uint8Array, { height, width }: Grid): Raster {
  const { rows, columns } = picture;
  const mask = resizeTriangle(Float32Array.from(compared), height, width, rows, columns);
  const values = picture.values.map((value, i) => {
    if ((mask[i] ?? 1) >= 0.5) return value;
    const stripe = (Math.floor(i / columns) + (i % columns)) % 16 < 4;
    return stripe ? 0.6 : value / 4;
  });
  return { values, rows, columns };
}

function legend(
  sketch: Sketch,
  finished: FinishedContrast,
  { range, sign }: OverlayStyle,
  { x, y, width }: Frame,
): void {
  const { contrast, a, card, registered } = finished;
  const soft = { color: color.soft } as const;
  const bold = { color: color.ink, weight: 'semibold' } as const;
  let top = y;
  const say = (content: string, style: { color?: string; weight?: 'semibold' } = soft): void => {
    top += sketch.text(content, { x, y: top, width }, style).height + 2;
  };
  const scale = (of: OverlayStyle['sign']): void => {
    top = colorScale(sketch, range, of, { x, y: top, width });
  };
  const oneSided = sign === 'absolute';
  say(registered === null || oneSided ? 'One scale for both maps' : 'One scale for all three maps', bold);
  scale(sign);
  say(mapMeaning(a.result, card));
  if (registered !== null) {
    if (oneSided) {
      say('B \u2212 A', bold);
      scale('all');
    }
    say('Of the difference, blue: B has less; orange: more.');
  }
  const outlined = (['a', 'b'] as const).filter((of) => outlineOf(finished, of) !== undefined);
  const line = outlined.length === 0 ? '' : ' Line: the lungs, by a model.';
  const without =
    contrast.lungsPlausible?.b === false && contrast.lungsPlausible.a
      ? ' Of B it is left out: implausible.'
      : '';
  say(`Ring: where the map is densest.${line}${without}`);
  if (contrast.lungsPlausible?.a === false) say('The outlines of the lungs are left out: implausible.');
  if ((contrast.moved?.length ?? 0) > 0) say('Numbers: the largest changes, as listed.');
  if (registered !== null && contrast.maps !== null && contrast.maps.comparedArea < 1) {
    say('Striped: left the picture; not compared.');
  }
}

/** The colours over their values. @returns where what follows begins */
function colorScale(
  sketch: Sketch,
  range: number,
  sign: OverlayStyle['sign'],
  { x, y, width }: Omit<Frame, 'height'>,
): number {
  const bar = 8;
  for (const stripe of colorStrip(colorsOf(sign), { x, width })) {
    sketch.rectangle(stripe.x, y, stripe.width, bar, { fill: stripe.fill });
  }
  const under = y + bar + 1;
  const [least, middle, most] =
    sign === 'absolute'
      ? ['0', significant(range / 2, 2), `${significant(range, 2)} or more`]
      : [`\u2212${significant(range, 2)} or less`, '0', `${signed(range, 2)} or more`];
  sketch.text(least, { x, y: under });
  sketch.text(middle, { x: x + width / 2, y: under, align: 'center' });
  return under + sketch.text(most, { x: x + width, y: under, align: 'right' }).height + 2;
}
