/** How far a command has come, on standard error: a line that redraws itself on a terminal, a plain line now and then elsewhere. */

export interface ProgressOutput {
  isTTY?: boolean;
  columns?: number;
  write(text: string): unknown;
}

export interface Progress {
  /** Shows `text` in place of what was shown before; not more often than a reader can follow. */
  show(text: string): void;
  /** Takes the line away, so that other output can be printed. */
  clear(): void;
}

const TERMINAL_INTERVAL_MS = 100;
const PLAIN_INTERVAL_MS = 10_000;
const QUIET_START_MS = 500;

/** @param clock milliseconds, monotonic */
export function createProgress(output: ProgressOutput, clock = () => performance.now()): Progress {
  const terminal = output.isTTY === true;
  const interval = terminal ? TERMINAL_INTERVAL_MS : PLAIN_INTERVAL_MS;
  let next = clock() + (terminal ? QUIET_START_MS : PLAIN_INTERVAL_MS);
  let shown = false;

  return {
    show(text) {
      const now = clock();
      if (now < next) return;
      next = now + interval;
      if (terminal) {
        output.write(`\r\u001b[2K${text.slice(0, Math.max(1, (output.columns ?? 80) - 1))}`);
        shown = true;
      } else {
        output.write(`${text}\n`);
      }
    },
    clear() {
      if (shown) output.write('\r\u001b[2K');
      shown = false;
    },
  };
}

/** "[#########-----------]" */
export function bar(share: number, width = 20): string {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * width);
  return `[${'#'.repeat(filled)}${'-'.repeat(width - filled)}]`;
}

/** "45 s", "3 min 20 s", "2 h 5 min" */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${whole % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
