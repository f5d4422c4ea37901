/** One image file, opened as far as its pixels: everything that decides whether and how it can be shown. */
import { PathlightError } from '../../core/contract/errors.ts';
import type { ByteSource } from './byte-source.ts';
import { readCodestreamHeader, type CodestreamHeader } from './codecs/codestream.ts';
import { readEncapsulation } from './fragments.ts';
import { readDicomFile, type DicomFile, type PixelDataElement } from './part10.ts';
import { frameLength, readPixelFormat, type PixelFormat } from './pixel-format.ts';
import { transferSyntax, type Codestream, type TransferSyntax } from './transfer-syntaxes.ts';

export interface ImageFile extends DicomFile {
  pixelData: PixelDataElement;
  syntax: TransferSyntax;
  /** How the pixels are coded in fact. */
  coding: 'native' | Codestream;
  format: PixelFormat;
}

const resend = 'Export or send the image again.';
/** Enough for a codestream's header behind its application segments, in all but odd files. */
const codestreamPeek = 64 * 1024;

function findPixelData({ dataset, pixelData }: DicomFile): PixelDataElement {
  if (pixelData === null || pixelData.length === 0) {
    throw dataset.has('x00280010')
      ? new PathlightError('damaged', 'The file describes an image but holds no pixel data.', resend)
      : new PathlightError('unsupported', 'The file holds no image, or is cut off before it.');
  }
  if (pixelData.tag !== 'x7fe00010') {
    throw new PathlightError(
      'unsupported',
      'The pixels are floating-point numbers; Pathlight opens whole ones.',
    );
  }
  return pixelData;
}

/** A frame that is cut off is refused: rows shown black could be read as anatomy, and the model would read them so. */
function checkNativeLength(
  pixelData: PixelDataElement,
  format: PixelFormat,
  body: ByteSource,
  warnings: string[],
): void {
  const needed = frameLength(format) * format.frames;
  const { length } = pixelData;
  if (length === null) {
    throw new PathlightError(
      'damaged',
      'The pixel data are encapsulated, but the transfer syntax is not compressed.',
      resend,
    );
  }
  const present = Math.min(length, body.size - pixelData.offset);
  if (present < needed) {
    const size = `${format.rows} x ${format.columns}${format.frames > 1 ? ` x ${format.frames}` : ''}`;
    throw new PathlightError(
      'damaged',
      `The pixel data are cut off: ${present} of the ${needed} bytes of a ${size} image.`,
      resend,
    );
  }
  // An even length is the rule (PS3.5 7.1.1).
  if (length > needed + (needed % 2)) {
    warnings.push(`The pixel data hold ${length - needed} bytes more than the image has.`);
  }
}

async function peekCodestream(
  body: ByteSource,
  pixelData: PixelDataElement,
): Promise<CodestreamHeader | null> {
  const { fragments } = await readEncapsulation(body, pixelData, 1);
  const [first] = fragments;
  if (first === undefined) {
    throw new PathlightError('damaged', 'The compressed pixel data hold no fragment.', resend);
  }
  const peek = readCodestreamHeader(await body.read(first.start, Math.min(first.length, codestreamPeek)));
  return peek ?? readCodestreamHeader(await body.read(first.start, first.length));
}

/** Trusts the codestream over the transfer syntax and the data set, as far as they describe the same picture. */
function reconcile(
  codestream: CodestreamHeader,
  syntaxUid: string,
  syntax: TransferSyntax,
  processes: readonly string[],
  format: PixelFormat,
  warnings: string[],
): PixelFormat {
  const { process, rows, columns, components, precision } = codestream;
  const name = `${process}, ${precision} bit`;
  if (!codestream.decodable) {
    throw new PathlightError(
      'unsupported',
      `The pixels are coded as ${name} (transfer syntax ${syntaxUid}, ${syntax.name}), which Pathlight does not decode.`,
      'Convert the file to an uncompressed transfer syntax.',
    );
  }
  if (components !== 1) {
    throw new PathlightError(
      'unsupported',
      `The compressed pixels have ${components} components; Pathlight shows grayscale images.`,
    );
  }
  if (rows !== format.rows || columns !== format.columns) {
    throw new PathlightError(
      'damaged',
      `The file says ${format.rows} x ${format.columns}, its compressed pixels ${rows} x ${columns}.`,
      resend,
    );
  }
  if (!processes.includes(process)) {
    warnings.push(`The transfer syntax says ${syntax.name}; the pixels are coded as ${name}.`);
  }
  if (precision !== format.bitsStored) {
    warnings.push(`Bits Stored is ${format.bitsStored}; the compressed pixels have ${precision} bits.`);
  }
  // Unsigned samples of a signed image are its two's complement in as many bits as the codestream has.
  const bitsStored = format.signed && !codestream.signed ? precision : Math.max(format.bitsStored, precision);
  return { ...format, bitsStored, highBit: bitsStored - 1 };
}

/**
 * Opens an image up to its pixels.
 * @throws PathlightError with the one reason why it cannot be shown
 */
export async function openImage(source: ByteSource): Promise<ImageFile> {
  const file = await readDicomFile(source);
  const { dataset, body, warnings, transferSyntaxUid } = file;
  const pixelData = findPixelData(file);
  const format = readPixelFormat(dataset, warnings);
  const syntax = transferSyntax(transferSyntaxUid);

  if (syntax.pixels.kind === 'unsupported') {
    throw new PathlightError(
      'unsupported',
      `Pathlight does not decode the transfer syntax ${transferSyntaxUid} (${syntax.name}).`,
      'Convert the file to an uncompressed transfer syntax.',
    );
  }
  if (syntax.pixels.kind === 'native') {
    checkNativeLength(pixelData, format, body, warnings);
    return { ...file, pixelData, syntax, coding: 'native', format };
  }
  if (pixelData.length !== null) {
    throw new PathlightError(
      'damaged',
      `The transfer syntax is ${syntax.name}, but the pixel data are not encapsulated.`,
      resend,
    );
  }
  if (syntax.pixels.codestream === 'rle') {
    await readEncapsulation(body, pixelData, 1);
    return { ...file, pixelData, syntax, coding: 'rle', format };
  }
  const codestream = await peekCodestream(body, pixelData);
  if (codestream === null) {
    throw new PathlightError('damaged', `The pixel data are not ${syntax.name} as the file says.`, resend);
  }
  const { processes } = syntax.pixels;
  return {
    ...file,
    pixelData,
    syntax,
    coding: codestream.family,
    format: reconcile(codestream, transferSyntaxUid, syntax, processes, format, warnings),
  };
}
