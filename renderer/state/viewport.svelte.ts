/** The shown frame: how it is windowed, and how it lies on the canvas. */
import { toErrorReport, type ErrorReport } from '../../core/contract/errors.ts';
import type { ImageEntry } from '../../core/contract/library.ts';
import type { Voi } from '../../core/imaging/frame.ts';
import {
  displayLut,
  fullRangeWindow,
  modalityRange,
  modalityValue,
  percentileWindow,
  storedValue,
} from '../../core/imaging/grayscale.ts';
import { frameKey, type FrameLoader, type LoadedFrame } from '../lib/frames.ts';
import {
  fitted,
  mirrored,
  panned,
  turned,
  UPRIGHT,
  zoomedAt,
  type CanvasSize,
  type ImageSize,
  type Point,
  type View,
} from '../viewer/geometry.ts';

export interface WindowPreset {
  label: string;
  voi: Voi;
}

/** Window presets in Hounsfield units, as OHIF's keys 1 to 5 have them; meaningless in any other unit. */
const CT_PRESETS: readonly (readonly [string, number, number])[] = [
  ['Soft tissue', 40, 400],
  ['Lung', -600, 1500],
  ['Liver', 90, 150],
  ['Bone', 480, 2500],
  ['Brain', 40, 80],
];

export class ViewportState {
  loaded = $state.raw<LoadedFrame | null>(null);
  entry = $state.raw<ImageEntry | null>(null);
  loading = $state(false);
  error = $state.raw<ErrorReport | null>(null);
  canvas = $state.raw<CanvasSize>({ width: 1, height: 1 });
  inverted = $state(false);
  /** Image point under the pointer. */
  pointer = $state.raw<Point | null>(null);

  /** null: fitted, and kept fitted when the window changes. */
  #view = $state.raw<View | null>(null);
  #transform = $state.raw(UPRIGHT);
  #voi = $state.raw<Voi | null>(null);
  #stack: string | null = null;
  #wanted: string | null = null;
  #abort = new AbortController();
  readonly #loader: FrameLoader;

  readonly size = $derived.by((): ImageSize => {
    const spacing = this.entry?.spacing;
    return {
      columns: this.loaded?.frame.columns ?? 1,
      rows: this.loaded?.frame.rows ?? 1,
      aspect: spacing ? spacing.row / spacing.column : 1,
    };
  });

  readonly view = $derived(this.#view ?? fitted(this.size, this.canvas, this.#transform));

  /** Modality values of the whole frame. */
  readonly range = $derived.by(() => {
    if (this.loaded === null) return { min: 0, max: 1 };
    return modalityRange(this.loaded.frame, this.loaded.grayscale.modalityLut);
  });

  /** It has one value everywhere: there is nothing in it. */
  readonly uniform = $derived(this.loaded !== null && this.range.min === this.range.max);

  readonly presets = $derived.by((): WindowPreset[] => {
    if (this.loaded === null) return [];
    const { frame, grayscale } = this.loaded;
    const { modalityLut, vois } = grayscale;
    const ofFile = vois.map((voi, i) => ({ label: presetLabel(voi, i), voi }));
    const hounsfield = modalityLut.kind === 'linear' && modalityLut.units === 'HU';
    const ofUnit = (hounsfield ? CT_PRESETS : []).map(([label, center, width]) => ({
      label,
      voi: { kind: 'window', function: 'linear', center, width, explanation: label } satisfies Voi,
    }));
    return [
      ...ofFile,
      ...ofUnit,
      { label: 'Full range', voi: fullRangeWindow(frame, modalityLut) },
      { label: '1–99 percentile', voi: percentileWindow(frame, modalityLut) },
    ];
  });

  /** As the file says, unless the reader changed it. The model's input always follows the file. */
  readonly voi = $derived(this.#voi ?? this.presets[0]?.voi ?? null);
  readonly asFile = $derived((this.#voi === null || this.#voi === this.presets[0]?.voi) && !this.inverted);

  readonly lut = $derived.by((): Float32Array | null => {
    if (this.loaded === null || this.voi === null) return null;
    const lut = displayLut(this.loaded.frame, this.loaded.grayscale, this.voi);
    return this.inverted ? lut.map((value) => 1 - value) : lut;
  });

  constructor(loader: FrameLoader) {
    this.#loader = loader;
  }

  /** @param stack frames of one stack share the reader's window and view */
  async show(stack: string, entry: ImageEntry, frame: number): Promise<void> {
    const key = frameKey(entry.id, frame);
    if (key === this.#wanted) return;
    this.#wanted = key;
    this.#abort.abort();
    const abort = new AbortController();
    this.#abort = abort;
    this.loading = true;
    this.error = null;
    // Never another patient's picture under this one's banner, however long this one takes.
    if (stack !== this.#stack) this.loaded = null;
    try {
      const loaded = await this.#loader.load(entry.id, frame, abort.signal);
      if (this.#abort !== abort) return;
      if (stack !== this.#stack) this.reset();
      this.#stack = stack;
      this.entry = entry;
      this.loaded = loaded;
    } catch (thrown) {
      if (this.#abort !== abort) return;
      this.entry = entry;
      this.loaded = null;
      this.#stack = null;
      this.#wanted = null;
      this.error = toErrorReport(thrown);
    }
    this.loading = false;
  }

  clear(): void {
    this.#abort.abort();
    this.#wanted = null;
    this.#stack = null;
    this.loaded = null;
    this.entry = null;
    this.error = null;
    this.loading = false;
  }

  /** Window and view as the file has them. */
  reset(): void {
    this.#voi = null;
    this.#view = null;
    this.#transform = UPRIGHT;
    this.inverted = false;
  }

  fit(): void {
    this.#transform = this.view.transform;
    this.#view = null;
  }

  /** One image pixel to one screen pixel. */
  actualSize(): void {
    this.zoomBy(1 / (this.view.zoom * devicePixelRatio));
  }

  zoomBy(factor: number, at: Point = { x: this.canvas.width / 2, y: this.canvas.height / 2 }): void {
    this.#view = zoomedAt(this.view, this.size, this.canvas, factor, at);
  }

  panBy(dx: number, dy: number): void {
    this.#view = panned(this.view, this.size, dx, dy);
  }

  turn(direction: 'clockwise' | 'counterclockwise'): void {
    const next = turned(this.view, direction);
    this.#transform = next.transform;
    // What fitted upright must fit sideways.
    if (this.#view !== null) this.#view = next;
  }

  mirror(axis: 'horizontal' | 'vertical'): void {
    const next = mirrored(this.view, axis);
    this.#transform = next.transform;
    if (this.#view !== null) this.#view = next;
  }

  usePreset(index: number): void {
    const preset = this.presets[index];
    if (preset) this.#voi = preset.voi;
  }

  /** @param level @param width changes as shares of the frame's range */
  changeWindow(level: number, width: number): void {
    if (this.voi === null) return;
    const span = Math.max(this.range.max - this.range.min, Number.EPSILON);
    const from = asWindow(this.voi);
    // C.11.2.1.2: a linear window is at least 1 wide; the others are wider than 0.
    const narrowest = from.function === 'linear' ? 1 : span / 1000;
    this.#voi = {
      ...from,
      center: from.center + level * span,
      width: Math.max(narrowest, from.width + width * span),
      explanation: '',
    };
  }

  /** What lies under the pointer, or null outside the image. */
  readonly probe = $derived.by(() => {
    if (this.pointer === null || this.loaded === null) return null;
    const { frame, grayscale } = this.loaded;
    const column = Math.round(this.pointer.x);
    const row = Math.round(this.pointer.y);
    if (column < 0 || row < 0 || column >= frame.columns || row >= frame.rows) return null;
    const code = (frame.values[row * frame.columns + column] ?? 0) & (2 ** frame.bitsStored - 1);
    const stored = storedValue(code, frame);
    return { row, column, stored, modality: modalityValue(grayscale.modalityLut, stored) };
  });
}

function presetLabel(voi: Voi, index: number): string {
  const explanation = voi.kind === 'table' ? voi.table.explanation : voi.explanation;
  if (explanation) return explanation;
  return voi.kind === 'table' ? `VOI LUT ${index + 1}` : `Window ${index + 1}`;
}

/** The window from which dragging starts: a table's is the range over which it varies. */
function asWindow(voi: Voi): Extract<Voi, { kind: 'window' }> {
  if (voi.kind === 'window') return voi;
  const width = Math.max(2, voi.table.values.length);
  return {
    kind: 'window',
    function: 'linear',
    center: voi.table.firstValue + width / 2,
    width,
    explanation: '',
  };
}
