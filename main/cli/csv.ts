/** Comma-separated values as of RFC 4180. */

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
