/** Typed reading of a data set's attributes. Elements are read when asked for; what does not fit its type is absent. */
import type dicomParser from 'dicom-parser';
import type { CharacterSet } from './character-set.ts';

/** Text VRs that Specific Character Set governs, for this project's attributes. */
type TextVr = 'LO' | 'PN' | 'SH';

export class Dataset {
  readonly #elements: Readonly<Record<string, dicomParser.Element>>;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly littleEndian: boolean;

  /** @param elements by tag, `xggggeeee` */
  constructor(
    elements: Readonly<Record<string, dicomParser.Element>>,
    bytes: Uint8Array,
    littleEndian: boolean,
  ) {
    this.#elements = elements;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.littleEndian = littleEndian;
  }

  has(tag: string): boolean {
    return tag in this.#elements;
  }

  /** The explicit VR; undefined where the file writes none. */
  vr(tag: string): string | undefined {
    return this.#elements[tag]?.vr;
  }

  bytes(tag: string): Uint8Array {
    const element = this.#elements[tag];
    return element === undefined
      ? new Uint8Array()
      : this.#bytes.subarray(element.dataOffset, element.dataOffset + element.length);
  }

  /** Values of CS, UI, DA, AS, DS, IS, without their padding; an absent or empty attribute has none. */
  strings(tag: string): string[] {
    const text = Buffer.from(this.bytes(tag)).toString('latin1').replace(/\0+$/, '');
    return text.trim() === '' ? [] : text.split('\\').map((value) => value.trim());
  }

  string(tag: string): string {
    return this.strings(tag)[0] ?? '';
  }

  /** First value of LO, SH, PN. */
  text(tag: string, vr: TextVr, characterSet: CharacterSet): string {
    const decoded = characterSet.decode(this.bytes(tag), vr);
    return (decoded.split('\\')[0] ?? '').replace(/[\0 ]+$/, '').trimStart();
  }

  /** Values of DS and IS; one that is no number is NaN. */
  numbers(tag: string): number[] {
    return this.strings(tag).map((value) => (value === '' ? NaN : Number(value)));
  }

  /** First value of DS or IS; null where it is absent or no number. */
  number(tag: string): number | null {
    const value = this.numbers(tag)[0];
    return value === undefined || !Number.isFinite(value) ? null : value;
  }

  /** Values of US. */
  uint16s(tag: string): number[] {
    const element = this.#elements[tag];
    if (element === undefined) return [];
    const count = Math.min(element.length, this.#bytes.length - element.dataOffset) >> 1;
    return Array.from({ length: Math.max(count, 0) }, (_, i) =>
      this.#view.getUint16(element.dataOffset + 2 * i, this.littleEndian),
    );
  }

  uint16(tag: string): number | null {
    return this.uint16s(tag)[0] ?? null;
  }

  /** Items of a sequence. */
  items(tag: string): Dataset[] {
    return (this.#elements[tag]?.items ?? []).map(
      (item) => new Dataset(item.dataSet?.elements ?? {}, this.#bytes, this.littleEndian),
    );
  }
}
