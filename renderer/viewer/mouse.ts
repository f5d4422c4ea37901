/** OHIF's default bindings: left window and level, middle pan, right zoom, wheel through the stack; two fingers zoom and pan. */
import type { Point } from './geometry.ts';

export interface MouseActions {
  /** Canvas pixels dragged. */
  changeWindow(dx: number, dy: number): void;
  pan(dx: number, dy: number): void;
  zoom(factor: number, at: Point): void;
  /** Whole frames, downwards positive. */
  scroll(frames: number): void;
  /** Where the pointer is, or null when it left. */
  point(at: Point | null): void;
  maximise(): void;
}

/** Canvas pixels of dragging, and of turning the wheel, that zoom by a factor of e. */
const ZOOM_DRAG = 200;
const ZOOM_WHEEL = 400;
/** One notch of a mouse wheel is 100 or 120; touchpads send many small steps. */
const WHEEL_FRAME = 80;
const LINE_PIXELS = 32;

export function bindMouse(element: HTMLElement, actions: MouseActions): () => void {
  const bound = new AbortController();
  const { signal } = bound;
  const pointers = new Map<number, Point>();
  let zoomAt: Point = { x: 0, y: 0 };
  let wheel = 0;

  const at = (event: MouseEvent): Point => {
    const box = element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };

  element.addEventListener(
    'pointerdown',
    (event) => {
      // The middle button would start the browser's own scrolling.
      event.preventDefault();
      if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
      element.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, at(event));
      if (pointers.size === 1) zoomAt = at(event);
    },
    { signal },
  );
  element.addEventListener(
    'pointermove',
    (event) => {
      const now = at(event);
      actions.point(now);
      const before = pointers.get(event.pointerId);
      if (before === undefined) return;
      const [dx, dy] = [now.x - before.x, now.y - before.y];
      const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
      pointers.set(event.pointerId, now);
      if (other !== undefined) {
        const spread = (point: Point): number => Math.hypot(point.x - other.x, point.y - other.y);
        actions.zoom(spread(now) / Math.max(1, spread(before)), {
          x: (now.x + other.x) / 2,
          y: (now.y + other.y) / 2,
        });
        actions.pan(dx / 2, dy / 2);
      } else if (event.buttons & 4) {
        actions.pan(dx, dy);
      } else if (event.buttons & 2) {
        actions.zoom(Math.exp(-dy / ZOOM_DRAG), zoomAt);
      } else if (event.buttons & 1) {
        actions.changeWindow(dx, dy);
      }
    },
    { signal },
  );
  for (const kind of ['pointerup', 'pointercancel'] as const) {
    element.addEventListener(kind, (event) => pointers.delete(event.pointerId), { signal });
  }
  element.addEventListener('pointerleave', () => actions.point(null), { signal });
  element.addEventListener('contextmenu', (event) => event.preventDefault(), { signal });
  element.addEventListener('dblclick', () => actions.maximise(), { signal });
  element.addEventListener(
    'wheel',
    (event) => {
      event.preventDefault();
      const pixels =
        event.deltaMode === WheelEvent.DOM_DELTA_LINE ? event.deltaY * LINE_PIXELS : event.deltaY;
      if (event.ctrlKey) {
        actions.zoom(Math.exp(-pixels / ZOOM_WHEEL), at(event));
        return;
      }
      wheel = Math.sign(wheel) === Math.sign(pixels) ? wheel + pixels : pixels;
      const frames = Math.trunc(wheel / WHEEL_FRAME);
      if (frames === 0) return;
      wheel -= frames * WHEEL_FRAME;
      actions.scroll(Math.sign(frames));
    },
    { signal, passive: false },
  );
  return () => bound.abort();
}
