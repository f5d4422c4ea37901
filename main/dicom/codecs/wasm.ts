/** Decoders compiled to WebAssembly: one instance each, thrown away after a failure, since its memory is then unknown. */
import { PathlightError } from '../../../core/contract/errors.ts';
import type { PixelFormat } from '../pixel-format.ts';

interface WasmCodec {
  decoder: () => WasmDecoder;
  /** What the library complained of since it was last emptied. */
  complaints: string[];
}

/** An instance whose memory has grown beyond this is not kept. */
const largestKept = 32 * 1024 * 1024;

export class WasmImageDecoder {
  readonly #name: string;
  readonly #create: (complaints: string[]) => Promise<() => WasmDecoder>;
  #codec: Promise<WasmCodec> | null = null;

  /** @param create starts an instance; the library's messages go into `complaints` */
  constructor(name: string, create: (complaints: string[]) => Promise<() => WasmDecoder>) {
    this.#name = name;
    this.#create = create;
  }

  async #start(): Promise<WasmCodec> {
    const complaints: string[] = [];
    try {
      return { decoder: await this.#create(complaints), complaints };
    } catch (cause) {
      this.#codec = null;
      throw new PathlightError(
        'internal',
        `The ${this.#name} decoder could not be started.`,
        'Install Pathlight again.',
        {
          cause,
        },
      );
    }
  }

  /** @returns one word a pixel; samples of up to 8 bits in its low byte */
  async decode(
    bytes: Uint8Array,
    { rows, columns }: Pick<PixelFormat, 'rows' | 'columns'>,
  ): Promise<Uint16Array> {
    const { decoder: create, complaints } = await (this.#codec ??= this.#start());
    complaints.length = 0;
    try {
      const decoder = create();
      decoder.getEncodedBuffer(bytes.length).set(bytes);
      decoder.decode();
      const { width, height, bitsPerSample, componentCount } = decoder.getFrameInfo();
      const decoded = decoder.getDecodedBuffer();
      const sampleLength = bitsPerSample > 8 ? 2 : 1;
      if (width !== columns || height !== rows || componentCount !== 1) throw new Error('size');
      if (decoded.length < rows * columns * sampleLength || complaints.length > 0)
        throw new Error('incomplete');
      const words = new Uint16Array(rows * columns);
      if (sampleLength === 1) {
        words.set(decoded.subarray(0, words.length));
      } else {
        new Uint8Array(words.buffer).set(decoded.subarray(0, 2 * words.length));
      }
      decoder.delete();
      if (words.byteLength + bytes.length > largestKept) this.#codec = null;
      return words;
    } catch (cause) {
      this.#codec = null;
      throw new PathlightError(
        'damaged',
        `The ${this.#name} data are damaged.`,
        'Export or send the image again.',
        { cause },
      );
    }
  }
}
