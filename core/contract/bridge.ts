/** What the preload script puts into the window as `window.pathlight`. Absent in the browser host. */
export interface Bridge {
  /** Asks for a channel; its MessagePort arrives as a `message` event of the window whose data is `CHANNEL_MESSAGE`. */
  connect(): void;
  /** Where a dropped file or folder is. */
  pathForFile(file: File): string;
}

export const CHANNEL_MESSAGE = 'pathlight:channel';
