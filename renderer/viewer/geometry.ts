/**
 * Where an image lies on a canvas. Image coordinates: pixel centres at integers, (0, 0) top left, x along the row.
 * Canvas coordinates: CSS pixels from the canvas's top left corner.
 */
import type { ViewTransform } from '../../core/imaging/orientation.ts';

export const UPRIGHT: ViewTransform = { flipHorizontal: false, flipVertical: false, quarterTurns: 0 };

export interface View {
  /** Image point at the canvas's centre. */
  x: number;
  y: number;
  /** Canvas pixels to one image column. */
  zoom: number;
  transform: ViewTransform;
}

export interface ImageSize {
  columns: number;
  rows: number;
  /** Height of a pixel over its width. */
  aspect: number;
}

export interface CanvasSize {
  width: number;
  height: number;
}

export interface Point {
  x: number;
  y: number;
}

/** [a, b, c, d, e, f]: x' = a x + b y + c, y' = d x + e y + f. */
export type Affine = readonly [number, number, number, number, number, number];

export const ZOOM_LIMITS = [0.02, 64] as const;

/** Turned by 90 degrees as the screen shows it. */
export function turned(view: View, direction: 'clockwise' | 'counterclockwise'): View {
  const quarterTurns = ((view.transform.quarterTurns + (direction === 'clockwise' ? 1 : 3)) %
    4) as ViewTransform['quarterTurns'];
  return { ...view, transform: { ...view.transform, quarterTurns } };
}

/** Mirrored as the screen shows it: a sideways image's horizontal is the screen's vertical. */
export function mirrored(view: View, axis: 'horizontal' | 'vertical'): View {
  const { transform } = view;
  const ofImage = (axis === 'horizontal') === isSideways(transform) ? 'flipVertical' : 'flipHorizontal';
  return { ...view, transform: { ...transform, [ofImage]: !transform[ofImage] } };
}

function isSideways({ quarterTurns }: ViewTransform): boolean {
  return quarterTurns % 2 === 1;
}

/** The image's axes on the screen: row-major 2 x 2, orthogonal. */
function axes({
  flipHorizontal,
  flipVertical,
  quarterTurns,
}: ViewTransform): [number, number, number, number] {
  const x = flipHorizontal ? -1 : 1;
  const y = flipVertical ? -1 : 1;
  switch (quarterTurns) {
    case 0:
      return [x, 0, 0, y];
    case 1:
      return [0, -y, x, 0];
    case 2:
      return [-x, 0, 0, -y];
    case 3:
      return [0, y, -x, 0];
  }
}

export function imageToCanvas(view: View, size: ImageSize, canvas: CanvasSize): Affine {
  const [m0, m1, m2, m3] = axes(view.transform);
  const { zoom } = view;
  const a = m0 * zoom;
  const b = m1 * zoom * size.aspect;
  const d = m2 * zoom;
  const e = m3 * zoom * size.aspect;
  return [
    a,
    b,
    canvas.width / 2 - a * view.x - b * view.y,
    d,
    e,
    canvas.height / 2 - d * view.x - e * view.y,
  ];
}

export function inverse([a, b, c, d, e, f]: Affine): Affine {
  const determinant = a * e - b * d;
  return [
    e / determinant,
    -b / determinant,
    (b * f - c * e) / determinant,
    -d / determinant,
    a / determinant,
    (c * d - a * f) / determinant,
  ];
}

export function apply([a, b, c, d, e, f]: Affine, { x, y }: Point): Point {
  return { x: a * x + b * y + c, y: d * x + e * y + f };
}

/** The zoom at which the whole image just fits. */
export function fittingZoom(size: ImageSize, canvas: CanvasSize, transform: ViewTransform): number {
  const height = size.rows * size.aspect;
  const [w, h] = isSideways(transform) ? [height, size.columns] : [size.columns, height];
  return clampZoom(Math.min(canvas.width / w, canvas.height / h));
}

/** The whole image, centred. */
export function fitted(size: ImageSize, canvas: CanvasSize, transform = UPRIGHT): View {
  return {
    x: (size.columns - 1) / 2,
    y: (size.rows - 1) / 2,
    zoom: fittingZoom(size, canvas, transform),
    transform,
  };
}

/** Zoomed by a factor, with the image point under `at` staying where it is. */
export function zoomedAt(view: View, size: ImageSize, canvas: CanvasSize, factor: number, at: Point): View {
  const fixed = apply(inverse(imageToCanvas(view, size, canvas)), at);
  const zoomed = { ...view, zoom: clampZoom(view.zoom * factor) };
  const moved = apply(imageToCanvas(zoomed, size, canvas), fixed);
  return panned(zoomed, size, at.x - moved.x, at.y - moved.y);
}

/** Moved by canvas pixels. */
export function panned(view: View, size: ImageSize, dx: number, dy: number): View {
  const [m0, m1, m2, m3] = axes(view.transform);
  // The axes are orthogonal: their inverse is their transpose.
  return {
    ...view,
    x: view.x - (m0 * dx + m2 * dy) / view.zoom,
    y: view.y - (m1 * dx + m3 * dy) / (view.zoom * size.aspect),
  };
}

/** The same part of the image on a canvas of another size: what the baseline cells show. */
export function viewOnto(view: View, size: ImageSize, from: CanvasSize, to: CanvasSize): View {
  const ratio = fittingZoom(size, to, view.transform) / fittingZoom(size, from, view.transform);
  return { ...view, zoom: clampZoom(view.zoom * ratio) };
}

function clampZoom(zoom: number): number {
  return Math.min(ZOOM_LIMITS[1], Math.max(ZOOM_LIMITS[0], zoom));
}
