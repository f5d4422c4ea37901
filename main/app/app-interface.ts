/** The seam between a host (Electron or browser) and what the app does: a host carries, the app answers. */
import type { CallHandlers, StreamHandlers } from '../../core/contract/calls.ts';
import type { Provider } from '../../core/contract/device.ts';

/** What `createApp` answers. */
export interface App {
  calls: CallHandlers;
  streams: StreamHandlers;
  /**
   * Bulk data: `GET /images/ID/frames/N`, `/images/ID/thumbnail`, `/reports/ID`. Hosts add their security headers.
   * @returns null where the path is not one of these
   */
  fetch(request: Request): Promise<Response | null>;
  /** Ends all work and the engine process. */
  close(): Promise<void>;
}

/** What only a host can do. In the browser host both reject with PathlightError `unsupported`. */
export interface HostServices {
  kind: 'electron' | 'browser';
  /** The system's folder dialog. null: dismissed. */
  chooseFiles(): Promise<string[] | null>;
  /** The system's save dialog, then the writing. @returns whether the file was saved (false: dismissed) */
  saveReport(fileName: string, bytes: Uint8Array): Promise<boolean>;
}

/** The engine's process as the app sees it; messages are structured clones. Node's fork or Electron's utilityProcess. */
export interface EngineProcess {
  readonly pid: number | undefined;
  send(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
  /** Called once: the process ended or could not start. */
  onExit(listener: (code: number | null) => void): void;
  kill(): void;
}

export interface AppOptions {
  host: HostServices;
  /** What `library.open {paths: null}` opens: the samples, or the paths on the command line. Absolute. */
  initialPaths: string[];
  /** One folder a model, each with its card. */
  modelsFolder: string;
  /** What gradients are computed on in this session, whatever the settings say. */
  device?: Provider;
  /** Where the app may write: per user, made when missing. */
  dataFolder: string;
  /** Starts the engine process; without it Node's `fork`. */
  spawnEngine?: () => EngineProcess;
}
