/** Types of what dicom-parser and the codecs export but do not declare. */

declare module 'dicom-parser' {
  /** Reads one element's header and passes over its value; sequences are read into `items`. Throws strings. */
  export function readDicomElementExplicit(stream: ByteStream, warnings: string[]): Element;
  export function readDicomElementImplicit(stream: ByteStream): Element;
  export const littleEndianByteArrayParser: ByteArrayParser;
  export const bigEndianByteArrayParser: ByteArrayParser;
}

declare module 'dicom-character-set' {
  /** Throws where the character set is not DICOM's or an escape sequence is not one that it announces. */
  export function convertBytes(
    specificCharacterSet: string,
    bytes: Uint8Array,
    options?: { vr?: string },
  ): string;
}

interface EmscriptenOptions {
  print?: (line: string) => void;
  printErr?: (line: string) => void;
}

interface WasmFrameInfo {
  width: number;
  height: number;
  bitsPerSample: number;
  componentCount: number;
  isSigned: boolean;
}

/** Buffers are views into the module's memory: valid until the next call. */
interface WasmDecoder {
  getEncodedBuffer(length: number): Uint8Array;
  getDecodedBuffer(): Uint8Array;
  getFrameInfo(): WasmFrameInfo;
  decode(): void;
  delete(): void;
}

declare module '@cornerstonejs/codec-openjpeg/decodewasmjs' {
  export default function create(options: EmscriptenOptions): Promise<{ J2KDecoder: new () => WasmDecoder }>;
}

declare module '@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs' {
  export default function create(options: EmscriptenOptions): Promise<{ JPEGDecoder: new () => WasmDecoder }>;
}

declare module '@cornerstonejs/codec-libjpeg-turbo-8bit/wasmjs' {
  interface WasmEncoder {
    /** Where the samples of a frame are to be written. */
    getDecodedBuffer(frame: WasmFrameInfo): Uint8Array;
    getEncodedBuffer(): Uint8Array;
    /** 1 to 100. */
    setQuality(quality: number): void;
    encode(): void;
    delete(): void;
  }
  export default function create(options: EmscriptenOptions): Promise<{ JPEGEncoder: new () => WasmEncoder }>;
}
