/** The whole window's state: what is open, what is shown, what is known of it, and what the reader set. */
import type { AppInfo, Client, ModelListing } from '../../core/contract/calls.ts';
import { criterionOf } from '../../core/attribution/choices.ts';
import type { Provider } from '../../core/contract/device.ts';
import { toErrorReport, type ErrorReport } from '../../core/contract/errors.ts';
import type { ModelCard } from '../../core/contract/model-card.ts';
import { uploadDrop, type DroppedItem, type UploadProgress } from '../lib/drop.ts';
import { frameKey, FrameLoader } from '../lib/frames.ts';
import { Library } from './library.svelte.ts';
import { Overlay } from './overlay.svelte.ts';
import { Question, type Wish } from './question.svelte.ts';
import { Review, type Subject } from './review.svelte.ts';
import { sliceAt, type Stack } from './stacks.ts';
import { ViewportState } from './viewport.svelte.ts';

export interface Notice {
  severity: 'info' | 'failure';
  text: string;
  advice: string;
  /** Where the notice can be followed: a report to fetch. */
  link: { href: string; label: string } | null;
}

export type PanelName = 'list' | 'answer' | 'baselines';
export type DialogName = 'keys' | 'open' | 'model' | 'device' | 'methods' | 'baselines';

/** Reviews kept when the reader goes back and forth; each holds a map a baseline. */
const REVIEWS_KEPT = 24;
/** Scrolling through a stack must not start the model on every slice passed. */
const PREDICT_AFTER_MILLISECONDS = 150;

export class Workbench {
  readonly client: Client;
  readonly library: Library;
  readonly viewport = new ViewportState(new FrameLoader());
  readonly overlay = new Overlay();
  readonly question = new Question();

  info = $state.raw<AppInfo | null>(null);
  models = $state.raw<ModelListing['models']>([]);
  /** Main has told which models there are. */
  modelsListed = $state(false);
  refusedModels = $state.raw<ModelListing['refused']>([]);
  modelId = $state<string | null>(null);
  /** null: the card's positive label. */
  chosenTarget = $state<string | null>(null);
  stackId = $state<string | null>(null);
  position = $state(0);
  review = $state.raw<Review | null>(null);
  maskPatient = $state(false);
  panels = $state<Record<PanelName, boolean>>({ list: true, answer: true, baselines: true });
  dialog = $state<DialogName | null>(null);
  notice = $state.raw<Notice | null>(null);
  reporting = $state(false);
  /** What was dropped, on its way to the host. */
  upload = $state.raw<UploadProgress | null>(null);
  /** Counts the wishes to type into the filter. */
  filterFocus = $state(0);

  readonly model = $derived(this.models.find(({ id }) => id === this.modelId) ?? null);
  readonly target = $derived(this.chosenTarget ?? (this.model ? defaultTarget(this.model) : null));
  readonly stack = $derived.by(() => this.library.stacks.find(({ id }) => id === this.stackId) ?? null);
  readonly slice = $derived(this.stack === null ? null : sliceAt(this.stack, this.position));
  /** The maps of the compared baselines, one alone of a method that takes none. */
  readonly runs = $derived(this.review?.asked ?? []);
  readonly run = $derived(this.review?.runOf(this.question.baseline) ?? null);

  /** The viewport's map has a scale of its own, stated by its colour bar; the baseline panel's share one. */
  readonly overlayStyle = $derived.by(() => {
    const { run } = this;
    const levels = run === null ? null : this.overlay.ownLevels(run);
    return run === null || levels === null ? null : this.overlay.style(levels, run.mapScale);
  });
  readonly sharedLevels = $derived(this.overlay.sharedLevels(this.runs));

  /** The maps belong to the selected slice; while the next frame loads, the last one is still on the screen. */
  readonly mapFits = $derived.by(() => {
    const subject = this.review?.subject;
    return subject !== undefined && this.viewport.loaded?.key === frameKey(subject.image, subject.frame);
  });

  /** The lungs are the image's, not a baseline's: any assessment of this image brings them. */
  readonly lungs = $derived(this.runs.map(({ lungs }) => lungs).find((field) => field !== null) ?? null);

  /** What the criteria are held to; the shown result's own where there is one. */
  readonly tolerances = $derived.by(() => {
    const result = this.run?.assessment?.result;
    const criterion = result
      ? criterionOf({ id: result.method, parameters: result.parameters })
      : this.question.criterion;
    return { gap: criterion?.gapTolerance ?? 0.01, map: criterion?.mapTolerance ?? 0.05 };
  });

  // A cache: what is shown is `review`, which is state.
  // eslint-disable-next-line svelte/prefer-svelte-reactivity
  readonly #reviews = new Map<string, Review>();
  #listing: Promise<void> = Promise.resolve();
  #uploading: AbortController | null = null;
  #predictTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(client: Client) {
    this.client = client;
    this.library = new Library(client);
  }

  /** Asks what there is and opens what the host was started with. */
  async start(): Promise<void> {
    const models = this.client.call('models.list', undefined).then((listing) => {
      this.modelsListed = true;
      this.models = listing.models.filter(({ task }) => task === 'classification');
      this.refusedModels = listing.refused;
      this.modelId = this.models.find(({ explainable }) => explainable)?.id ?? this.models[0]?.id ?? null;
      this.#follow();
    });
    this.#listing = models.catch(() => undefined);
    const info = this.#learnDevice().then((refused) => {
      if (refused === null) return;
      this.notice = { severity: 'failure', text: refused, advice: 'The CPU computes instead.', link: null };
    });
    try {
      await Promise.all([models, info, this.open(null)]);
    } catch (thrown) {
      this.fail(thrown);
    }
  }

  async open(paths: string[] | null): Promise<void> {
    this.#stopUpload();
    this.notice = null;
    this.review?.cancel();
    this.review = null;
    this.#reviews.clear();
    this.question.forgetImage();
    this.stackId = null;
    this.position = 0;
    this.viewport.clear();
    await this.library.open(paths);
  }

  /** What a browser gives of a drop: its files, not their paths. */
  async openDropped(items: readonly DroppedItem[]): Promise<void> {
    if (items.length === 0) return;
    this.#stopUpload();
    this.notice = null;
    const { signal } = (this.#uploading = new AbortController());
    const onProgress = (progress: UploadProgress): void => {
      if (!signal.aborted) this.upload = progress;
    };
    try {
      const { path, unreadable } = await uploadDrop(items, { signal, onProgress });
      await this.open([path]);
      if (unreadable > 0) {
        this.notice = {
          severity: 'failure',
          text: `${unreadable} of the dropped files could not be read.`,
          advice: 'Check their permissions.',
          link: null,
        };
      }
    } catch (thrown) {
      if (signal.aborted) return;
      this.#stopUpload();
      this.fail(thrown);
    }
  }

  #stopUpload(): void {
    this.#uploading?.abort();
    this.#uploading = null;
    this.upload = null;
  }

  /** Shows the first image as soon as it is found; called when the library grows. */
  selectFirst(): void {
    const [first] = this.library.stacks;
    if (this.stackId === null && first) this.select(first);
  }

  select(stack: Stack, position = 0): void {
    this.stackId = stack.id;
    this.position = position;
    this.#follow();
  }

  /** Along the study list. */
  step(by: number): void {
    const { shown } = this.library;
    const at = shown.findIndex(({ id }) => id === this.stackId);
    const next = shown[at === -1 ? 0 : Math.min(shown.length - 1, Math.max(0, at + by))];
    if (next && next.id !== this.stackId) this.select(next);
  }

  /** Through the stack. */
  scroll(by: number): void {
    if (this.stack !== null) this.scrollTo(this.position + by);
  }

  scrollTo(position: number): void {
    if (this.stack === null) return;
    const next = Math.min(this.stack.length - 1, Math.max(0, position));
    if (next === this.position) return;
    this.position = next;
    this.#follow();
  }

  chooseModel(id: string): void {
    if (id === this.modelId) return;
    this.modelId = id;
    this.chosenTarget = null;
    this.#follow();
  }

  nextModel(): void {
    const at = this.models.findIndex(({ id }) => id === this.modelId);
    const next = this.models[(at + 1) % this.models.length];
    if (next) this.chooseModel(next.id);
  }

  chooseTarget(label: string): void {
    this.chosenTarget = label;
    this.#follow();
  }

  nextTarget(): void {
    const labels = this.model?.output.labels ?? [];
    const next = labels[(labels.indexOf(this.target ?? '') + 1) % labels.length];
    if (next !== undefined) this.chooseTarget(next);
  }

  /** Changes what is asked: maps made before stay with the question that they answer. */
  ask(wish: Wish): void {
    this.question.ask(wish);
    this.#follow();
  }

  /** Explains from the chosen baseline; once that is done, the other baselines follow by themselves. */
  async explain(): Promise<void> {
    // Asked for before it is known which models there are: the wish stands, for this image.
    const asked = this.slice?.image.id;
    if (!this.modelsListed) await this.#listing;
    const { review } = this;
    if (review === null || !this.explainable || this.slice?.image.id !== asked) return;
    this.notice = null;
    this.overlay.visible = true;
    const run = review.runOf(this.question.baseline);
    if (run === null) return;
    const done = await review.explain(run);
    if (done && review === this.review && this.comparable && review.comparison !== 'done') {
      await review.compare();
    }
    await this.#followDevice();
  }

  async compare(): Promise<void> {
    const { review } = this;
    if (review === null || !this.comparable || review.comparison === 'running') return;
    await review.compare();
    await this.#followDevice();
  }

  /** Rejects where the device is refused. Maps that were computed elsewhere are put away: they are asked for anew. */
  async useDevice(provider: Provider): Promise<void> {
    const device = await this.client.call('devices.use', { provider });
    if (this.info !== null) this.info = { ...this.info, device, deviceRefused: null };
    this.review?.cancel();
    this.review = null;
    this.#reviews.clear();
    this.#follow();
  }

  /** @returns why it is not the device that was chosen; null where it is */
  async #learnDevice(): Promise<string | null> {
    this.info = await this.client.call('app.info', undefined);
    return this.info.deviceRefused;
  }

  /** A device that fails while it computes is given up for the CPU by main. */
  async #followDevice(): Promise<void> {
    if (this.info === null || this.info.device.provider === 'cpu') return;
    try {
      await this.#learnDevice();
    } catch (thrown) {
      this.fail(thrown);
    }
  }

  cancel(): void {
    if (this.dialog !== null) this.dialog = null;
    else if (this.upload !== null) this.#stopUpload();
    else if (this.review?.busy) this.review.cancel();
    else if (this.library.phase === 'scanning') this.library.cancel();
    else this.notice = null;
  }

  readonly explainable = $derived(this.model?.explainable === true && this.slice !== null);
  /** There is more than one map to hold against each other. */
  readonly comparable = $derived(this.explainable && this.runs.length > 1);
  /** A report is of an explanation with its lung check, from the shown baseline. */
  readonly reportable = $derived(this.run?.assessment != null && !this.reporting);

  async report(): Promise<void> {
    const { review, client, info } = this;
    if (review === null) return;
    if (!this.reportable) {
      this.notice = {
        severity: 'info',
        text: 'There is no finished explanation of what is shown to report.',
        advice: 'Press Explain first.',
        link: null,
      };
      return;
    }
    this.reporting = true;
    try {
      const { report, fileName } = await client.call('report.create', {
        ...review.subject,
        baseline: this.question.baseline,
        compared: this.question.comparesBaselines ? [...this.question.baselines] : [],
        maskPatient: this.maskPatient,
      });
      if (info?.host === 'electron') {
        const { saved } = await client.call('report.save', { report });
        if (saved) this.#tell('The report was saved.');
      } else {
        const href = `/reports/${encodeURIComponent(report)}`;
        this.notice = {
          severity: 'info',
          text: 'The report is ready.',
          advice: '',
          link: { href, label: this.maskPatient ? 'Download PDF' : `Download ${fileName}` },
        };
      }
    } catch (thrown) {
      this.fail(thrown);
    } finally {
      this.reporting = false;
    }
  }

  /** The system's dialog where there is one, else the window's own. */
  async chooseFolder(): Promise<void> {
    if (this.info?.host !== 'electron') {
      this.dialog = 'open';
      return;
    }
    try {
      const chosen = await this.client.call('files.choose', undefined);
      if (chosen !== null) await this.open(chosen.paths);
    } catch (thrown) {
      this.fail(thrown);
    }
  }

  togglePanel(name: PanelName): void {
    this.panels[name] = !this.panels[name];
  }

  /** Shows the study list and puts the cursor into its filter. */
  focusFilter(): void {
    this.panels.list = true;
    this.filterFocus += 1;
  }

  /** The image alone, or everything. */
  toggleAllPanels(): void {
    const open = !Object.values(this.panels).some(Boolean);
    this.panels = { list: open, answer: open, baselines: open };
  }

  fail(thrown: unknown): void {
    const { message, advice, kind }: ErrorReport = toErrorReport(thrown);
    if (kind !== 'cancelled') this.notice = { severity: 'failure', text: message, advice, link: null };
  }

  #tell(text: string): void {
    this.notice = { severity: 'info', text, advice: '', link: null };
  }

  /** Brings frame and review to what is selected now. */
  #follow(): void {
    const { slice, stack, model } = this;
    if (slice !== null && stack !== null) void this.viewport.show(stack.id, slice.image, slice.frame);
    if (slice === null || model === null) return;
    const subject: Subject = {
      image: slice.image.id,
      frame: slice.frame,
      model: model.id,
      target: this.target,
      scalar: 'logit',
      ...this.question.subject,
    };
    const next = this.#reviewOf(subject);
    next.ask(this.question.asked);
    if (next === this.review) return;
    if (this.review !== null) next.know(this.review);
    // One image at a time: work on an image that is no longer looked at would delay the one that is.
    this.review?.cancel();
    this.review = next;
    clearTimeout(this.#predictTimer);
    this.#predictTimer = setTimeout(
      () => void next.predict(),
      stack?.length === 1 ? 0 : PREDICT_AFTER_MILLISECONDS,
    );
  }

  #reviewOf(subject: Subject): Review {
    const key = JSON.stringify(subject);
    const review = this.#reviews.get(key) ?? new Review(this.client, subject);
    this.#reviews.delete(key);
    this.#reviews.set(key, review);
    const [oldest] = this.#reviews.keys();
    if (this.#reviews.size > REVIEWS_KEPT && oldest !== undefined) this.#reviews.delete(oldest);
    return review;
  }
}

/** What is explained unless the reader asks otherwise: the finding, not its absence. */
function defaultTarget(card: ModelCard): string | null {
  return card.decision?.positive ?? card.output.labels[0] ?? null;
}
