/** DICOM files (PS3.10): where the data set starts, how it is written, and all of it that comes before the pixels. */
import dicomParser from 'dicom-parser';
import { promisify } from 'node:util';
import { inflateRaw } from 'node:zlib';
import { PathlightError } from '../../core/contract/errors.ts';
import { memorySource, type ByteSource } from './byte-source.ts';
import { Dataset } from './dataset.ts';
import { nonImageContent } from './sop-classes.ts';
import {
  explicitBigEndian,
  explicitLittleEndian,
  implicitLittleEndian,
  transferSyntax,
} from './transfer-syntaxes.ts';

/** Where the pixel data lie in `body`; `length` is null where it is undefined, that is, encapsulated. */
export interface PixelDataElement {
  tag: string;
  vr: string | undefined;
  offset: number;
  length: number | null;
}

export interface DicomFile {
  dataset: Dataset;
  transferSyntaxUid: string;
  /** null: the data set ends without. */
  pixelData: PixelDataElement | null;
  /** The bytes that `pixelData` counts in: the file, or what it inflates to. */
  body: ByteSource;
  warnings: string[];
}

/** First read, and the most that is read in search of the pixel data. */
const firstRead = 128 * 1024;
const largestHeader = 32 * 1024 * 1024;
/** Most that a deflated file may inflate to. */
const largestInflated = 256 * 1024 * 1024;
const largestItemCount = 500_000;
const largestElementCount = 50_000;

const preambleLength = 128;
const undefinedLength = 0xffffffff;

/** VRs of PS3.5 6.2; those whose explicit form has a 32-bit length come second. */
const shortVrs = 'AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US'.split(' ');
const longVrs = 'OB OD OF OL OV OW SQ SV UC UN UR UT UV'.split(' ');
const vrs: ReadonlySet<string> = new Set([...shortVrs, ...longVrs]);
/** Of these, dicom-parser takes the length for 16 bits. */
const misreadVrs: ReadonlySet<string> = new Set(['OV', 'SV', 'UV']);

const pixelTags: ReadonlySet<string> = new Set(['x7fe00008', 'x7fe00009', 'x7fe00010']);

type Encoding = 'implicit-le' | 'explicit-le' | 'explicit-be';

const encodingUids: Record<Encoding, string> = {
  'implicit-le': implicitLittleEndian,
  'explicit-le': explicitLittleEndian,
  'explicit-be': explicitBigEndian,
};

function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.subarray(start, end)).toString('latin1');
}

/**
 * How the element at `offset` is written, judging by its first bytes: a data set starts with group 0002, 0004 or 0008, whose
 * bytes tell the byte order, followed by a VR's two letters or by the length of a short value.
 */
function sniffEncoding(bytes: Uint8Array, offset: number): Encoding | null {
  if (bytes.length < offset + 8) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, 8);
  const group = view.getUint16(0, true);
  const explicit = vrs.has(latin1(bytes, offset + 4, offset + 6));
  const plausible = (value: number) => value === 0x0002 || value === 0x0004 || value === 0x0008;
  if (plausible(group)) {
    if (explicit) return 'explicit-le';
    return view.getUint32(4, true) <= 0xffff ? 'implicit-le' : null;
  }
  return explicit && plausible(view.getUint16(0, false)) ? 'explicit-be' : null;
}

/** Where the first element stands: behind the preamble, or at the start where there is none. null: not DICOM. */
function startOf(bytes: Uint8Array): number | null {
  if (latin1(bytes, preambleLength, preambleLength + 4) === 'DICM') return preambleLength + 4;
  if (latin1(bytes, 0, 4) === 'DICM') return 4;
  return sniffEncoding(bytes, 0) === null ? null : 0;
}

/** Bytes that `isProbablyDicom` wants to see. */
export const sniffLength = preambleLength + 12;

/**
 * Whether a file is worth opening as DICOM, by its first `sniffLength` bytes: it has the DICM mark, or it starts as a data set
 * does, as files without a preamble do.
 */
export function isProbablyDicom(start: Uint8Array): boolean {
  return startOf(start) !== null;
}

function damaged(message: string, options?: ErrorOptions): PathlightError {
  return new PathlightError('damaged', message, 'Export or send the image again.', options);
}

interface MetaInformation {
  sopClassUid: string | null;
  transferSyntaxUid: string | null;
  /** Where the data set starts. */
  end: number;
}

/** Group 0002, always explicit little endian (PS3.10 7.1); its end is where the group ends, whatever its length says. */
function readMeta(bytes: Uint8Array, start: number): MetaInformation {
  const stream = new dicomParser.ByteStream(dicomParser.littleEndianByteArrayParser, bytes, start);
  const meta: MetaInformation = { sopClassUid: null, transferSyntaxUid: null, end: start };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  while (stream.position + 8 <= bytes.length && view.getUint16(stream.position, true) === 0x0002) {
    const element = dicomParser.readDicomElementExplicit(stream, []);
    const uid = latin1(bytes, element.dataOffset, element.dataOffset + element.length).replace(/[\0 ]+$/, '');
    if (element.tag === 'x00020002') meta.sopClassUid = uid;
    if (element.tag === 'x00020010' && uid !== '') meta.transferSyntaxUid = uid;
    meta.end = stream.position;
  }
  return meta;
}

interface Parsed {
  elements: Record<string, dicomParser.Element>;
  pixelData: PixelDataElement | null;
  /** Whether the pixel data, or the end of the file, were reached. */
  complete: boolean;
  failure: unknown;
}

/** Reads elements up to the pixel data, as far as the bytes at hand go. */
function parse(bytes: Uint8Array, start: number, encoding: Encoding, whole: boolean): Parsed {
  const parser =
    encoding === 'explicit-be'
      ? dicomParser.bigEndianByteArrayParser
      : dicomParser.littleEndianByteArrayParser;
  const parsed: Parsed = { elements: {}, pixelData: null, complete: false, failure: null };
  if (start >= bytes.length) return { ...parsed, complete: whole };
  const stream = new dicomParser.ByteStream(parser, bytes, start);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const littleEndian = encoding !== 'explicit-be';
  const explicit = encoding !== 'implicit-le';
  let count = 0;

  try {
    while (stream.position + 8 <= bytes.length) {
      if (++count > largestElementCount) throw new Error('too many elements');
      const at = stream.position;
      const tag = `x${[0, 2]
        .map((i) =>
          view
            .getUint16(at + i, littleEndian)
            .toString(16)
            .padStart(4, '0'),
        )
        .join('')}`;
      const vr = explicit ? latin1(bytes, at + 4, at + 6) : undefined;
      const isPixelData = pixelTags.has(tag);

      if (isPixelData || (vr !== undefined && misreadVrs.has(vr))) {
        const headerLength = vr !== undefined && !shortVrs.includes(vr) ? 12 : 8;
        if (at + headerLength > bytes.length) return parsed;
        const length =
          headerLength === 8 && explicit
            ? view.getUint16(at + 6, littleEndian)
            : view.getUint32(at + headerLength - 4, littleEndian);
        const dataOffset = at + headerLength;
        if (isPixelData) {
          parsed.pixelData = {
            tag,
            vr,
            offset: dataOffset,
            length: length === undefinedLength ? null : length,
          };
          return { ...parsed, complete: true };
        }
        if (dataOffset + length > bytes.length) throw new Error('element runs past the end');
        parsed.elements[tag] = { tag, length, dataOffset, ...(vr === undefined ? {} : { vr }) };
        stream.seek(headerLength + length);
      } else {
        const element = explicit
          ? dicomParser.readDicomElementExplicit(stream, [])
          : dicomParser.readDicomElementImplicit(stream);
        parsed.elements[tag] = element;
      }
    }
    // Fewer bytes than an element has: padding, or an element that is cut off.
    const rest = bytes.subarray(stream.position);
    return { ...parsed, complete: whole && rest.every((byte) => byte === 0) };
  } catch (failure) {
    // The library throws strings, and the stack may overflow on sequences nested without end.
    return { ...parsed, failure };
  }
}

function refuseNonImage(sopClassUid: string): void {
  const content = nonImageContent(sopClassUid);
  if (content !== null) {
    throw new PathlightError('unsupported', `The file holds ${content}, not an image.`);
  }
}

/** Items cost memory out of proportion to their eight bytes. */
function checkItemCount(bytes: Uint8Array): void {
  const mark = Buffer.from([0xfe, 0xff, 0x00, 0xe0]);
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let count = 0;
  for (let at = buffer.indexOf(mark); at >= 0; at = buffer.indexOf(mark, at + 4)) {
    if (++count > largestItemCount) {
      throw new PathlightError('too-large', `The header has more than ${largestItemCount} sequence items.`);
    }
  }
}

async function inflate(source: ByteSource, start: number): Promise<ByteSource> {
  if (source.size > largestInflated) {
    throw new PathlightError('too-large', 'The deflated file is larger than 256 MiB.');
  }
  const deflated = await source.read(start, source.size - start);
  try {
    return memorySource(await promisify(inflateRaw)(deflated, { maxOutputLength: largestInflated }));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') {
      throw new PathlightError('too-large', 'The deflated file inflates to more than 256 MiB.', '', {
        cause: error,
      });
    }
    throw damaged('The deflated data set cannot be inflated: it is cut off or damaged.', { cause: error });
  }
}

/**
 * Reads a file's data set up to the pixel data.
 * @throws PathlightError `not-recognised`, `damaged`, `unsupported` (no image), `too-large`
 */
export async function readDicomFile(source: ByteSource): Promise<DicomFile> {
  let bytes = await source.read(0, firstRead);
  const start = startOf(bytes);
  if (start === null) {
    throw new PathlightError('not-recognised', 'The file is not DICOM.');
  }
  const warnings: string[] = [];
  if (start !== preambleLength + 4) warnings.push('The file has no DICOM preamble.');

  let meta: MetaInformation;
  try {
    meta = readMeta(bytes, start);
  } catch (cause) {
    throw damaged('The file meta information is damaged.', { cause });
  }

  if (meta.sopClassUid !== null) refuseNonImage(meta.sopClassUid);
  const uid = meta.transferSyntaxUid;
  const named = uid === null ? null : transferSyntax(uid);
  let body = source;
  let position = meta.end;
  if (named?.deflated === true) {
    body = await inflate(source, meta.end);
    position = 0;
    bytes = await body.read(0, firstRead);
  }

  const sniffed = sniffEncoding(bytes, position);
  const stated: Encoding | null =
    named === null
      ? null
      : !named.explicit
        ? 'implicit-le'
        : named.bigEndian === true
          ? 'explicit-be'
          : 'explicit-le';
  const encoding = sniffed ?? stated;
  if (encoding === null) {
    throw damaged('The file names no transfer syntax, and its data set does not show which it is.');
  }
  if (uid === null) {
    warnings.push('The file names no transfer syntax; it was told from the data set.');
  } else if (encoding !== stated) {
    warnings.push('The data set is not written in the transfer syntax that the file names.');
  }

  let parsed = parse(bytes, position, encoding, bytes.length >= body.size);
  for (;;) {
    const dataset = new Dataset(parsed.elements, bytes, encoding !== 'explicit-be');
    refuseNonImage(dataset.string('x00080016'));
    if (parsed.complete) {
      // Native pixels in an encoding other than the one named are in the order that the data set really has.
      const native = named === null || named.pixels.kind === 'native';
      return {
        dataset,
        transferSyntaxUid: uid === null || (native && encoding !== stated) ? encodingUids[encoding] : uid,
        pixelData: parsed.pixelData,
        body,
        warnings,
      };
    }
    if (bytes.length >= body.size) {
      throw damaged('The data set is cut off or damaged before its pixel data.', { cause: parsed.failure });
    }
    if (bytes.length >= largestHeader) {
      throw new PathlightError('too-large', 'The header before the pixel data is larger than 32 MiB.');
    }
    bytes = await body.read(0, Math.min(bytes.length * 4, largestHeader));
    checkItemCount(bytes);
    parsed = parse(bytes, position, encoding, bytes.length >= body.size);
  }
}
