/** Comma-separated values as of RFC 4180. */
import { PathlightError } from '../../core/contract/errors.ts';

export type CsvCell = string | number | boolean | null;

/** One record with its line ending; null is an empty cell. */
export function csvRecord(cells: readonly CsvCell[]): string {
  return `${cells.map(csvCell).join(',')}\r\n`;
}

function csvCell(cell: CsvCell): string {
  // A spreadsheet reads text that begins so as a formula; a file's name must not become one.
  const formula = typeof cell === 'string' && /^[=+\-@\t]/.test(cell);
  const text = cell === null ? '' : `${formula ? "'" : ''}${String(cell)}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * The records of a text, as cells. What separates cells is the one of comma, semicolon and tab that the first line has most of, as programs
 * write it in different countries; empty lines are passed over.
 */
export function readCsv(text: string): string[][] {
  const body = text.replace(/^\uFEFF/, '');
  const header = body.slice(0, body.search(/[\r\n]|$/));
  const separator = [',', ';', '\t'].reduce((best, each) =>
    header.split(each).length > header.split(best).length ? each : best,
  );
  const records: string[][] = [];
  let record: string[] = [];
  // A quoted cell with its doubled quotes, or a bare one; then what ends it.
  const cell = new RegExp(
    `(?:"((?:[^"]|"")*)"|((?:[^"${separator}\\r\\n][^${separator}\\r\\n]*)?))(${separator}|\\r\\n|\\n|\\r|$)`,
    'y',
  );
  while (cell.lastIndex < body.length) {
    const match = cell.exec(body);
    if (match === null) {
      throw new PathlightError(
        'damaged',
        `The table cannot be read from its record ${records.length + 1} on: a quotation mark is not closed, or text follows one`,
        'Save it again as CSV, each cell that holds a quotation mark quoted.',
      );
    }
    const [, quoted, bare = '', end] = match;
    record.push(quoted === undefined ? bare : quoted.replaceAll('""', '"'));
    if (end === separator && cell.lastIndex === body.length) record.push('');
    if (end === separator && cell.lastIndex < body.length) continue;
    if (record.some((each) => each !== '')) records.push(record);
    record = [];
  }
  return records;
}
