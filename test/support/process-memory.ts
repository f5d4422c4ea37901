/** What a process has taken of the memory. */
import { readFileSync } from 'node:fs';

/** Largest resident memory that a process has had, in MB; null where the system does not tell. */
export function peakMemory(pid: number): number | null {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024;
  } catch {
    return null;
  }
}
