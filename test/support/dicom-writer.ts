/** Writes small DICOM files for tests: explicit VR little endian, native or encapsulated pixels, whole or broken on request. */

/** A value by VR: text for string VRs, numbers for US, SS, UL, FD, bytes for OB, OW, UN, OV, items for SQ. */
export type DicomValue =
  string | readonly string[] | readonly number[] | Uint8Array | readonly DicomAttributes[];

/** Attributes by tag, `GGGGEEEE` in hexadecimal; null leaves out what would be written by itself. */
export type DicomAttributes = Readonly<Record<string, readonly [vr: string, value: DicomValue] | null>>;

export interface DicomOptions {
  rows: number;
  columns: number;
  /**
   * One frame or several, row-major; written with 8 bits a pixel where they are bytes, else with 16. Or, with a compressed
   * transfer syntax, frames of fragments. null: no pixel data.
   */
  pixels: Uint8Array | Uint16Array | Int16Array | readonly (readonly Uint8Array[])[] | null;
  /** Bits of encapsulated pixels; native ones tell by themselves. Default 8. */
  bitsAllocated?: number;
  /** Default: all that are allocated. */
  bitsStored?: number;
  frames?: number;
  photometricInterpretation?: string;
  /** Default: explicit VR little endian, which the data set is written in whatever this says. */
  transferSyntax?: string;
  /** Added to, or instead of, what is written by itself. */
  attributes?: DicomAttributes;
  /** Basic Offset Table; default empty. */
  offsetTable?: readonly number[];
  /** Preamble, DICM and meta information; default true. */
  meta?: boolean;
}

const longVrs = new Set(['OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'SQ', 'SV', 'UC', 'UN', 'UR', 'UT', 'UV']);

function tagBytes(tag: string): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt16LE(parseInt(tag.slice(0, 4), 16), 0);
  bytes.writeUInt16LE(parseInt(tag.slice(4), 16), 2);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function item(value: Uint8Array): Buffer {
  return Buffer.concat([tagBytes('FFFEE000'), uint32(value.length), value]);
}

function even(bytes: Uint8Array, pad: number): Uint8Array {
  return bytes.length % 2 === 0 ? bytes : Buffer.concat([bytes, Buffer.of(pad)]);
}

const numberWriters: Readonly<
  Record<string, [size: number, write: (view: DataView, at: number, value: number) => void]>
> = {
  US: [2, (view, at, value) => view.setUint16(at, value, true)],
  SS: [2, (view, at, value) => view.setInt16(at, value, true)],
  OW: [2, (view, at, value) => view.setUint16(at, value, true)],
  UL: [4, (view, at, value) => view.setUint32(at, value, true)],
  FD: [8, (view, at, value) => view.setFloat64(at, value, true)],
  OV: [8, (view, at, value) => view.setBigUint64(at, BigInt(value), true)],
};

function isAll<T>(values: readonly unknown[], is: (value: unknown) => value is T): values is readonly T[] {
  return values.every(is);
}

function valueBytes(vr: string, value: DicomValue): Uint8Array {
  if (value instanceof Uint8Array) return even(value, 0);
  if (typeof value === 'string') return even(Buffer.from(value, 'latin1'), vr === 'UI' ? 0 : 0x20);
  if (isAll(value, (entry): entry is number => typeof entry === 'number')) {
    const [size, write] = numberWriters[vr] ?? [0, () => undefined];
    const bytes = Buffer.alloc(size * value.length);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    value.forEach((entry, i) => write(view, i * size, entry));
    return bytes;
  }
  if (isAll(value, (entry): entry is string => typeof entry === 'string'))
    return valueBytes(vr, value.join('\\'));
  const items = value;
  return Buffer.concat(items.map((attributes) => item(dataSet(attributes))));
}

function header(tag: string, vr: string, length: number): Buffer {
  if (longVrs.has(vr))
    return Buffer.concat([tagBytes(tag), Buffer.from(vr), Buffer.alloc(2), uint32(length)]);
  return Buffer.concat([tagBytes(tag), Buffer.from(vr), uint32(length).subarray(0, 2)]);
}

function dataSet(attributes: DicomAttributes): Buffer {
  return Buffer.concat(
    Object.keys(attributes)
      .sort()
      .flatMap((tag) => {
        const attribute = attributes[tag];
        if (attribute === null || attribute === undefined) return [];
        const bytes = valueBytes(attribute[0], attribute[1]);
        return [header(tag, attribute[0], bytes.length), bytes];
      }),
  );
}

function pixelData(options: DicomOptions): Uint8Array {
  const { pixels, offsetTable = [] } = options;
  if (pixels === null) return new Uint8Array();
  if (pixels instanceof Uint8Array) return dataSet({ '7FE00010': ['OB', pixels] });
  if (pixels instanceof Uint16Array || pixels instanceof Int16Array) {
    return dataSet({ '7FE00010': ['OW', Array.from(pixels, (value) => value & 0xffff)] });
  }
  return Buffer.concat([
    header('7FE00010', 'OB', 0xffffffff),
    item(Buffer.concat(offsetTable.map(uint32))),
    ...pixels.flat().map((fragment) => item(even(fragment, 0))),
    tagBytes('FFFEE0DD'),
    uint32(0),
  ]);
}

const explicitLittleEndian = '1.2.840.10008.1.2.1';

/** A digital X-ray image of one frame unless `attributes` say otherwise, as the bytes of its file. */
export function writeDicom(options: DicomOptions): Uint8Array {
  const { rows, columns, pixels, frames, transferSyntax = explicitLittleEndian } = options;
  const native = pixels instanceof Uint16Array || pixels instanceof Int16Array ? 16 : 8;
  const bitsAllocated = options.bitsAllocated ?? native;
  const bitsStored = options.bitsStored ?? bitsAllocated;
  const attributes: Record<string, DicomAttributes[string]> = {
    '00080016': ['UI', '1.2.840.10008.5.1.4.1.1.1.1'],
    '00080018': ['UI', '2.25.1'],
    '00080060': ['CS', 'DX'],
    '00100010': ['PN', 'Test^Image'],
    '0020000D': ['UI', '2.25.2'],
    '0020000E': ['UI', '2.25.3'],
    '00280002': ['US', [1]],
    '00280004': ['CS', options.photometricInterpretation ?? 'MONOCHROME2'],
    ...(frames === undefined ? {} : { '00280008': ['IS', String(frames)] as const }),
    '00280010': ['US', [rows]],
    '00280011': ['US', [columns]],
    '00280100': ['US', [bitsAllocated]],
    '00280101': ['US', [bitsStored]],
    '00280102': ['US', [bitsStored - 1]],
    '00280103': ['US', [pixels instanceof Int16Array ? 1 : 0]],
    ...options.attributes,
  };
  // Keys are compared as written: one spelling, so that an override replaces.
  const upper = Object.fromEntries(
    Object.entries(attributes).map(([tag, value]) => [tag.toUpperCase(), value]),
  );
  const body = [dataSet(upper), pixelData(options)];
  if (options.meta === false) return Buffer.concat(body);
  const meta = dataSet({
    '00020001': ['OB', Uint8Array.of(0, 1)],
    '00020002': upper['00080016'] ?? null,
    '00020003': upper['00080018'] ?? null,
    '00020010': ['UI', transferSyntax],
    '00020012': ['UI', '2.25.4'],
  });
  return Buffer.concat([
    Buffer.alloc(128),
    Buffer.from('DICM'),
    dataSet({ '00020000': ['UL', [meta.length]] }),
    meta,
    ...body,
  ]);
}
