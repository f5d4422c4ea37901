/**
 * Calls and streams over any two-way channel: a WebSocket in the browser host, a MessagePort in Electron.
 *
 * A call is answered once. A stream's frames are paced by credit: the client grants `WINDOW` at first and one more for
 * each frame it has taken, and the server asks its source for a frame only when it may send one, so a slow reader slows
 * the source. Whatever the server throws arrives as an `ErrorReport`.
 */
import * as v from 'valibot';
import {
  callSchemas,
  streamSchemas,
  type CallHandlers,
  type CallName,
  type Calls,
  type Client,
  type Frame,
  type StreamHandlers,
  type StreamName,
  type Streams,
} from './calls.ts';
import { fromErrorReport, PathlightError, toErrorReport, type ErrorReport } from './errors.ts';
import { decodePacket, encodePacket, type Message, type Packet } from './packet.ts';

/** One end of a connection. Packets arrive whole and in order. */
export interface Channel {
  /** Does nothing once the channel is closed. */
  send(packet: Packet): void;
  onMessage(listener: (packet: Packet) => void): void;
  /** Called once, whichever end closed. */
  onClose(listener: () => void): void;
  close(): void;
}

/** Frames a server may send ahead of the reader. */
export const WINDOW = 8;

const id = v.pipe(v.number(), v.integer(), v.minValue(0));

const RequestSchema = v.variant('type', [
  v.object({ type: v.literal('call'), id, name: v.string(), request: v.optional(v.unknown()) }),
  v.object({ type: v.literal('open'), id, name: v.string(), request: v.optional(v.unknown()) }),
  /** The reader has taken one frame. */
  v.object({ type: v.literal('credit'), id }),
  v.object({ type: v.literal('cancel'), id }),
]);
type Request = v.InferOutput<typeof RequestSchema>;

type Answer =
  | { type: 'result'; id: number; value: unknown }
  /** With its data beside it. */
  | { type: 'frame'; id: number; header: unknown }
  | { type: 'end'; id: number }
  | { type: 'error'; id: number; error: ErrorReport };

/** Serves the calls and streams until the channel closes; a packet outside the protocol closes it. */
export function serveChannel(channel: Channel, calls: CallHandlers, streams: StreamHandlers): void {
  const open = new Map<number, { abort: AbortController; credit: Credit }>();
  const answer = (json: Answer, data?: ArrayBuffer): void =>
    channel.send(encodePacket(data === undefined ? { json } : { json, data }));

  const call = async (id: number, name: string, request: unknown): Promise<void> => {
    try {
      if (!isCallName(name)) throw new PathlightError('bad-request', `There is no call '${name}'`);
      answer({ type: 'result', id, value: await invoke(calls, name, request) });
    } catch (error) {
      answer({ type: 'error', id, error: toErrorReport(error) });
    }
  };

  const stream = async (id: number, name: string, request: unknown): Promise<void> => {
    const abort = new AbortController();
    const credit = new Credit(WINDOW, abort.signal);
    open.set(id, { abort, credit });
    try {
      if (!isStreamName(name)) throw new PathlightError('bad-request', `There is no stream '${name}'`);
      const frames = start(streams, name, request, abort.signal)[Symbol.asyncIterator]();
      try {
        for (;;) {
          await credit.take();
          const next = await frames.next();
          if (next.done === true || abort.signal.aborted) break;
          const { header, data } = next.value;
          // A copy of its own: the source may use its array again.
          answer(
            { type: 'frame', id, header },
            data === undefined ? undefined : new Float32Array(data).buffer,
          );
        }
      } finally {
        await frames.return?.();
      }
      if (!abort.signal.aborted) answer({ type: 'end', id });
    } catch (error) {
      // A cancelled stream has no reader left to tell.
      if (!abort.signal.aborted) answer({ type: 'error', id, error: toErrorReport(error) });
    } finally {
      open.delete(id);
    }
  };

  channel.onMessage((packet) => {
    const request = parseRequest(packet);
    if (request === null || (request.type === 'open' && open.has(request.id))) return channel.close();
    switch (request.type) {
      case 'call':
        return void call(request.id, request.name, request.request);
      case 'open':
        return void stream(request.id, request.name, request.request);
      case 'credit':
        return open.get(request.id)?.credit.give();
      case 'cancel':
        return open.get(request.id)?.abort.abort();
    }
  });
  channel.onClose(() => {
    for (const { abort } of open.values()) abort.abort();
  });
}

function parseRequest(packet: Packet): Request | null {
  try {
    const parsed = v.safeParse(RequestSchema, decodePacket(packet).json);
    return parsed.success ? parsed.output : null;
  } catch {
    return null;
  }
}

const isCallName = (name: string): name is CallName => Object.hasOwn(callSchemas, name);
const isStreamName = (name: string): name is StreamName => Object.hasOwn(streamSchemas, name);

function invoke<N extends CallName>(calls: CallHandlers, name: N, request: unknown): Promise<Calls[N][1]> {
  return calls[name](parse(name, callSchemas[name], request));
}

function start<N extends StreamName>(
  streams: StreamHandlers,
  name: N,
  request: unknown,
  signal: AbortSignal,
): AsyncIterable<Frame<Streams[N][1]>> {
  return streams[name](parse(name, streamSchemas[name], request), signal);
}

function parse<S extends v.GenericSchema>(name: string, schema: S, request: unknown): v.InferOutput<S> {
  const parsed = v.safeParse(schema, request);
  if (parsed.success) return parsed.output;
  const issue = parsed.issues[0];
  const where = v.getDotPath(issue);
  // The issue names what was expected, never the value received: that could be a patient's.
  throw new PathlightError(
    'bad-request',
    `The request of '${name}' does not fit${where === null ? '' : ` at '${where}'`}: expected ${issue.expected ?? issue.type}`,
  );
}

/** How many frames may still be sent. */
class Credit {
  #left: number;
  readonly #signal: AbortSignal;
  #wake: () => void = () => undefined;

  constructor(count: number, signal: AbortSignal) {
    this.#left = count;
    this.#signal = signal;
    signal.addEventListener('abort', () => this.#wake());
  }

  give(): void {
    this.#left++;
    this.#wake();
  }

  /** Waits for one credit and takes it. @throws PathlightError `cancelled` on abort */
  async take(): Promise<void> {
    while (this.#left === 0 && !this.#signal.aborted) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    if (this.#signal.aborted) throw cancelled();
    this.#left--;
  }
}

/** The renderer's end. */
export function connectClient(channel: Channel): Client {
  const waiting = new Map<number, (answer: Answer | Disconnected, data?: ArrayBuffer) => void>();
  let closed = false;
  let nextId = 0;
  const send = (json: Request): void => channel.send(encodePacket({ json }));

  channel.onMessage((packet) => {
    // The server is this same application: its answers are taken at their type.
    const { json, data } = decodePacket(packet) as Message & { json: Answer };
    waiting.get(json.id)?.(json, data);
  });
  channel.onClose(() => {
    closed = true;
    for (const listener of [...waiting.values()]) listener(DISCONNECTED);
  });

  return {
    call<N extends CallName>(name: N, request: Calls[N][0]) {
      return new Promise<Calls[N][1]>((resolve, reject) => {
        if (closed) return reject(fromErrorReport(DISCONNECTED.error));
        const id = nextId++;
        waiting.set(id, (answer) => {
          waiting.delete(id);
          if (answer.type === 'result') resolve(answer.value as Calls[N][1]);
          else if (answer.type === 'error') reject(fromErrorReport(answer.error));
        });
        send({ type: 'call', id, name, request });
      });
    },

    stream<N extends StreamName>(name: N, request: Streams[N][0], signal?: AbortSignal) {
      const id = nextId++;
      const forget = (): void => {
        waiting.delete(id);
        signal?.removeEventListener('abort', abort);
      };
      const frames = new Frames<Streams[N][1]>({
        taken: () => send({ type: 'credit', id }),
        left: () => {
          forget();
          send({ type: 'cancel', id });
        },
      });
      const abort = (): void => frames.cancel();
      waiting.set(id, (answer, data) => {
        if (answer.type === 'frame') {
          const header = answer.header as Streams[N][1];
          frames.push(data === undefined ? { header } : { header, data: new Float32Array(data) });
        } else {
          forget();
          frames.finish(answer.type === 'error' ? fromErrorReport(answer.error) : null);
        }
      });
      if (closed) frames.finish(fromErrorReport(DISCONNECTED.error));
      else if (signal?.aborted === true) frames.finish(cancelled());
      else {
        signal?.addEventListener('abort', abort);
        send({ type: 'open', id, name, request });
      }
      return frames;
    },
  };
}

type Disconnected = Extract<Answer, { type: 'error' }>;
const DISCONNECTED: Disconnected = {
  type: 'error',
  id: -1,
  error: {
    kind: 'internal',
    message: 'The connection to Pathlight was closed',
    advice: 'Start Pathlight again.',
  },
};

function cancelled(): PathlightError {
  return new PathlightError('cancelled', 'Cancelled');
}

/** What arrived of a stream and has not been taken yet. */
class Frames<H> implements AsyncIterableIterator<Frame<H>> {
  readonly #arrived: Frame<H>[] = [];
  readonly #readers: PromiseWithResolvers<IteratorResult<Frame<H>>>[] = [];
  /** undefined: more may come. null: ended. An error is thrown once, after the frames before it. */
  #end: PathlightError | null | undefined;
  readonly #reader: { taken(): void; left(): void };

  constructor(reader: { taken(): void; left(): void }) {
    this.#reader = reader;
  }

  push(frame: Frame<H>): void {
    const reader = this.#readers.shift();
    if (reader === undefined) this.#arrived.push(frame);
    else this.#hand(reader, frame);
  }

  finish(error: PathlightError | null): void {
    if (this.#end !== undefined) return;
    this.#end = error;
    for (const reader of this.#readers.splice(0)) this.#settle(reader);
  }

  /** The reader's AbortSignal: what has not been taken is dropped, and the next read throws `cancelled`. */
  cancel(): void {
    if (this.#end !== undefined) return;
    this.#arrived.length = 0;
    this.#reader.left();
    this.finish(cancelled());
  }

  next(): Promise<IteratorResult<Frame<H>>> {
    const reader = Promise.withResolvers<IteratorResult<Frame<H>>>();
    const frame = this.#arrived.shift();
    if (frame !== undefined) this.#hand(reader, frame);
    else if (this.#end !== undefined) this.#settle(reader);
    else this.#readers.push(reader);
    return reader.promise;
  }

  /** The reader broke out of its loop. */
  return(): Promise<IteratorResult<Frame<H>>> {
    this.#arrived.length = 0;
    if (this.#end === undefined) this.#reader.left();
    this.#end ??= null;
    for (const reader of this.#readers.splice(0)) this.#settle(reader);
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #hand(reader: PromiseWithResolvers<IteratorResult<Frame<H>>>, frame: Frame<H>): void {
    reader.resolve({ done: false, value: frame });
    if (this.#end === undefined) this.#reader.taken();
  }

  #settle(reader: PromiseWithResolvers<IteratorResult<Frame<H>>>): void {
    const error = this.#end;
    this.#end = null;
    if (error instanceof PathlightError) reader.reject(error);
    else reader.resolve({ done: true, value: undefined });
  }
}
