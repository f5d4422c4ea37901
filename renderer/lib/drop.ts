/** Where dropped files and folders are. Only Electron may tell; a browser gives their contents, not their paths. */

/** @returns null where the host cannot know paths */
export function droppedPaths(transfer: DataTransfer | null): string[] | null {
  const { pathlight } = window;
  if (pathlight === undefined) return null;
  return Array.from(transfer?.files ?? [], (file) => pathlight.pathForFile(file)).filter(Boolean);
}
