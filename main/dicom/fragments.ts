/** Encapsulated pixel data (PS3.5 A.4): the fragments, and which of them make up a frame. */
import { PathlightError } from '../../core/contract/errors.ts';
import type { ByteSource } from './byte-source.ts';
import type { Dataset } from './dataset.ts';
import type { PixelDataElement } from './part10.ts';

export interface Fragment {
  /** Of the item's tag, from the first item behind the Basic Offset Table: what offset tables count. */
  offset: number;
  /** Of the value in the body. */
  start: number;
  length: number;
}

export interface Encapsulation {
  /** Basic Offset Table; empty where the file leaves it so. */
  offsets: number[];
  fragments: Fragment[];
}

const itemTag = 0xfffee000;
const delimiterTag = 0xfffee0dd;
const largestFragmentCount = 1_000_000;
const readAhead = 64 * 1024;

function damaged(message: string): PathlightError {
  return new PathlightError('damaged', message, 'Export or send the image again.');
}

/** Reads short runs of bytes one after the other, each chunk of the source once. */
function sequentialReader(source: ByteSource): (offset: number, length: number) => Promise<DataView> {
  let chunk: Uint8Array = new Uint8Array();
  let chunkStart = 0;
  return async (offset, length) => {
    if (offset < chunkStart || offset + length > chunkStart + chunk.length) {
      chunk = await source.read(offset, Math.max(length, readAhead));
      chunkStart = offset;
    }
    const bytes = chunk.subarray(offset - chunkStart, offset - chunkStart + length);
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
}

/**
 * Walks the items of encapsulated pixel data.
 * @param most stop after this many fragments
 * @throws PathlightError `damaged` where an item runs past the end of the file or something else stands in an item's place
 */
export async function readEncapsulation(
  source: ByteSource,
  pixelData: PixelDataElement,
  most = Infinity,
): Promise<Encapsulation> {
  const read = sequentialReader(source);
  const readItem = async (at: number) => {
    const view = await read(at, 8);
    if (view.byteLength < 8) return null;
    const item = {
      tag: view.getUint16(0, true) * 0x10000 + view.getUint16(2, true),
      start: at + 8,
      length: view.getUint32(4, true),
    };
    if (item.tag === itemTag && item.start + item.length > source.size) {
      throw damaged('The compressed pixel data are cut off.');
    }
    return item;
  };

  const table = await readItem(pixelData.offset);
  if (table?.tag !== itemTag) throw damaged('The compressed pixel data do not start with an offset table.');
  const tableView = await read(table.start, table.length);
  const offsets = Array.from({ length: table.length >> 2 }, (_, i) => tableView.getUint32(4 * i, true));

  const first = table.start + table.length;
  const fragments: Fragment[] = [];
  let at = first;
  while (fragments.length < most) {
    const item = await readItem(at);
    // A file that ends without the delimiter is complete where its frames are, which is checked of each frame.
    if (item === null || item.tag === delimiterTag) break;
    if (item.tag !== itemTag) throw damaged('The compressed pixel data are not divided into items.');
    if (fragments.length >= largestFragmentCount) {
      throw new PathlightError(
        'too-large',
        `The pixel data have more than ${largestFragmentCount} fragments.`,
      );
    }
    fragments.push({ offset: at - first, start: item.start, length: item.length });
    at = item.start + item.length;
  }
  return { offsets, fragments };
}

/** Extended Offset Table (7FE0,0001): 64-bit offsets, as the Basic Offset Table counts them. */
function extendedOffsets(dataset: Dataset): number[] {
  const bytes = dataset.bytes('x7fe00001');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length >> 3 }, (_, i) =>
    Number(view.getBigUint64(8 * i, dataset.littleEndian)),
  );
}

/**
 * The fragments of one frame: by the offset tables; else one fragment a frame; else a frame starts with every fragment that
 * starts a codestream.
 */
async function fragmentsOfFrame(
  source: ByteSource,
  { offsets, fragments }: Encapsulation,
  dataset: Dataset,
  frames: number,
  index: number,
): Promise<Fragment[]> {
  if (frames === 1) return fragments;
  const extended = extendedOffsets(dataset);
  const table = extended.length === frames ? extended : offsets;
  if (table.length === frames) {
    const start = table[index] ?? 0;
    const end = table[index + 1] ?? Infinity;
    const chosen = fragments.filter(({ offset }) => offset >= start && offset < end);
    if (chosen[0]?.offset !== start) throw damaged('The offset table does not fit the fragments.');
    return chosen;
  }
  if (fragments.length === frames) return fragments.slice(index, index + 1);

  const starts: number[] = [];
  for (const [i, fragment] of fragments.entries()) {
    const mark = await source.read(fragment.start, 3);
    if (mark[0] === 0xff && (mark[1] === 0xd8 || (mark[1] === 0x4f && mark[2] === 0xff))) starts.push(i);
  }
  if (starts.length !== frames) {
    throw damaged(`The compressed pixel data hold ${starts.length} frames; the file says ${frames}.`);
  }
  return fragments.slice(starts[index], starts[index + 1]);
}

/** The codestream of one frame, its fragments joined. */
export async function readEncapsulatedFrame(
  source: ByteSource,
  pixelData: PixelDataElement,
  dataset: Dataset,
  frames: number,
  index: number,
): Promise<Uint8Array> {
  const encapsulation = await readEncapsulation(source, pixelData);
  const chosen = await fragmentsOfFrame(source, encapsulation, dataset, frames, index);
  if (chosen.length === 0) throw damaged('The compressed pixel data hold no fragment.');
  const parts: Uint8Array[] = [];
  for (const { start, length } of chosen) parts.push(await source.read(start, length));
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
}
