/**
 * How a window in a browser hands over what was dropped on it: a page cannot see paths, so the files themselves travel.
 *
 * - `POST /drops?bytes=N`, N their sizes' sum: 201 and a `Drop` as JSON.
 * - `PUT /drops/ID/files?path=FOLDER/FILE`, one for each file, its content the body: 204.
 * - `DELETE /drops/ID` gives a drop up that was not opened: 204.
 *
 * `library.open {paths: [path]}` then opens it; it is kept as long as a window shows it. Failures are an `ErrorReport` as JSON,
 * with status 400, 404, 413 (more than the budget) or 507 (the disk is full); one with a file ends the drop.
 */
export interface Drop {
  id: string;
  /** What to open once all files have arrived. */
  path: string;
}
