/** The opened folder: its images as they are found, and the files that were refused. */
import { toErrorReport, type ErrorReport } from '../../core/contract/errors.ts';
import type { Client } from '../../core/contract/calls.ts';
import type { ImageEntry, LibraryEvent, RefusedFile } from '../../core/contract/library.ts';
import { matches, toStacks } from './stacks.ts';

/** How often found images are shown while scanning: ten thousand files must not mean ten thousand renderings. */
const FLUSH_MILLISECONDS = 80;

export class Library {
  phase = $state<'empty' | 'scanning' | 'done' | 'failed'>('empty');
  images = $state.raw<readonly ImageEntry[]>([]);
  refused = $state.raw<readonly RefusedFile[]>([]);
  scanned = $state(0);
  total = $state<number | null>(null);
  error = $state.raw<ErrorReport | null>(null);
  filter = $state('');

  readonly stacks = $derived(toStacks(this.images));
  readonly shown = $derived(this.stacks.filter((stack) => matches(stack, this.filter)));

  readonly #client: Client;
  #abort = new AbortController();

  constructor(client: Client) {
    this.#client = client;
  }

  /** @param paths null: what the host was started with */
  async open(paths: string[] | null): Promise<void> {
    this.#abort.abort();
    const abort = new AbortController();
    this.#abort = abort;
    this.phase = 'scanning';
    this.images = [];
    this.refused = [];
    this.scanned = 0;
    this.total = null;
    this.error = null;
    this.filter = '';

    const found: ImageEntry[] = [];
    const refused: RefusedFile[] = [];
    let flushed = 0;
    const flush = (): void => {
      this.images = [...found];
      this.refused = [...refused];
      flushed = performance.now();
    };
    const accept = (event: LibraryEvent): void => {
      if (event.type === 'image') found.push(event.image);
      else if (event.type === 'refused') refused.push(event.refused);
      else if (event.type === 'progress') {
        this.scanned = event.scanned;
        this.total = event.total;
      }
      if (performance.now() - flushed > FLUSH_MILLISECONDS) flush();
    };
    try {
      for await (const { header } of this.#client.stream('library.open', { paths }, abort.signal)) {
        if (this.#abort !== abort) return;
        accept(header);
      }
    } catch (thrown) {
      if (this.#abort !== abort) return;
      if (!abort.signal.aborted) this.error = toErrorReport(thrown);
    }
    if (this.#abort !== abort) return;
    flush();
    this.phase = this.error === null ? 'done' : 'failed';
  }

  /** Stops scanning; what was found stays. */
  cancel(): void {
    this.#abort.abort();
  }
}
