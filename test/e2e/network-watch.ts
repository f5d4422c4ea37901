/**
 * Watches that no process of the app reaches beyond this machine, Chromium included, in two ways: the kernel's socket tables
 * are sampled all the time; and where strace is installed, the processes run under it, which misses no attempt however short.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { allSockets, descendants, heldBy, isLoopback, isUnspecified, procIsHere } from './processes.ts';

const SAMPLE_MS = 100;

export class NetworkWatch {
  readonly #folder = mkdtempSync(path.join(os.tmpdir(), 'pathlight-network-'));
  readonly #seen = new Set<string>();
  readonly #traces: string[] = [];
  readonly #timer: NodeJS.Timeout | undefined;
  /** Whether attempts are seen, too, not only connections that last. */
  readonly tracing = straceWorks();

  constructor() {
    if (!procIsHere) {
      console.warn('THE NETWORK IS NOT WATCHED: that takes Linux.');
      return;
    }
    if (!this.tracing) {
      console.warn('strace is not usable here: connections shorter than the sampling interval are not seen.');
    }
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS);
  }

  /** A stand-in for a program that runs it, and all it starts, under watch. */
  watched(program: string): string {
    if (!this.tracing) return program;
    const name = `${this.#traces.length}`;
    const trace = path.join(this.#folder, `${name}.trace`);
    const script = path.join(this.#folder, `${name}.sh`);
    this.#traces.push(trace);
    // -D: the program stays the direct child. --seccomp-bpf: nothing but these calls is slowed down.
    const strace = `strace -D -f --seccomp-bpf -qqq -e signal=none -e trace=connect,sendto -o '${trace}'`;
    writeFileSync(script, `#!/bin/sh\nexec ${strace} '${program}' "$@"\n`);
    chmodSync(script, 0o700);
    return script;
  }

  /** What was reached, or tried, beyond loopback so far: empty, if all is well. */
  violations(): string[] {
    this.#sample();
    for (const trace of this.#traces) {
      if (!existsSync(trace)) continue;
      for (const line of readFileSync(trace, 'latin1').split('\n')) {
        const remote = /inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"/.exec(line);
        const address = remote?.[1] ?? remote?.[2];
        if (address !== undefined && !isLoopback(address)) this.#seen.add(line.replace(/^\d+\s+/, ''));
      }
    }
    return [...this.#seen];
  }

  close(): void {
    clearInterval(this.#timer);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** The table first: it is seldom that there is anything in it whose owner must be found. */
  #sample(): void {
    const beyond = allSockets().filter(({ remote }) => !isLoopback(remote) && !isUnspecified(remote));
    if (beyond.length === 0) return;
    for (const { protocol, remote, command } of heldBy(descendants(process.pid), beyond)) {
      this.#seen.add(`${protocol} ${remote} by ${command.slice(0, 200)}`);
    }
  }
}

/** It may be there and yet not be allowed to trace. */
function straceWorks(): boolean {
  return (
    procIsHere &&
    spawnSync('strace', ['-f', '--seccomp-bpf', '-qqq', '-e', 'trace=connect', 'true']).status === 0
  );
}
