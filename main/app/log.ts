/** What happened, as JSON lines for whoever looks after the machine. Never a name, a file name, or a message that may hold one. */
import { mkdirSync, renameSync, statSync } from 'node:fs';
import path from 'node:path';
import { destination, type Logger, pino } from 'pino';

export type Log = Pick<Logger, 'info' | 'warn' | 'error'>;

const LARGEST_LOG = 4 * 2 ** 20;

/**
 * Logs into `pathlight.log` of a folder, keeping one older file. Without a folder, or where it cannot be written, logs to
 * standard error, and there warnings alone.
 */
export function openLog(folder: string | null): Log {
  const options = { base: { pid: process.pid }, timestamp: () => `,"time":"${new Date().toISOString()}"` };
  if (folder !== null) {
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      const file = path.join(folder, 'pathlight.log');
      if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > LARGEST_LOG) renameSync(file, `${file}.1`);
      return pino(options, destination({ dest: file, sync: true }));
    } catch {
      // A log that cannot be written does not stop the app.
    }
  }
  return pino({ ...options, level: 'warn' }, destination({ dest: 2, sync: true }));
}
