/** Specific Character Set (0008,0005), PS3.3 C.12.1.1.2 and PS3.5 6.1: the text of a data set, multi-byte names included. */
import { convertBytes } from 'dicom-character-set';

/** Decodes values; `problem` is set once something could not be read as the file says. */
export class CharacterSet {
  readonly #terms: string;
  #problem: string | null = null;

  /** @param terms the attribute's value as in the file, several joined by backslashes; empty where absent */
  constructor(terms: string) {
    this.#terms = terms
      .split('\\')
      .map((term) =>
        term
          .trim()
          .toUpperCase()
          // Frequent misspellings of the standard's terms.
          .replace(/^ISO[ _-]?IR[ _-]?/, 'ISO_IR ')
          .replace(/^ISO[ _-]?2022[ _-]?IR[ _-]?/, 'ISO 2022 IR '),
      )
      .join('\\');
  }

  get problem(): string | null {
    return this.#problem;
  }

  /** @param vr decides which characters end a code extension (PS3.5 6.1.2.5.3) */
  decode(bytes: Uint8Array, vr: string): string {
    try {
      const text = convertBytes(this.#terms, bytes, { vr });
      if (!text.includes('\uFFFD')) return text;
      this.#problem ??= 'Some text is not in the character set that the file names.';
    } catch {
      this.#problem ??= 'The file names a character set that is not known, or text is not in it.';
    }
    return guess(bytes);
  }
}

/** UTF-8 where it is valid, else Latin-1, which always reads. */
function guess(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('windows-1252').decode(bytes);
  }
}
