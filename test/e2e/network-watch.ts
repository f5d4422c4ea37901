/**
 * Watches that no process of the app reaches beyond this machine, Chromium included, in two ways: the kernel's socket tables
 * are sampled all the time; and where strace is installed, the processes run under it, which misses no attempt however short.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {
  allSockets,
  descendants,
  heldBy,
  isLoopback,
  isUnspecified,
  procIsHere,
  type Socket,
} from './processes.ts';

/** An address set aside for documentation (RFC 5737), which nobody has. */
export const ELSEWHERE = '192.0.2.1';

const SAMPLE_MS = 100;

/**
 * Chromium's look-up of any name, 127.0.0.1 too, first asks the kernel whether there is a route to this public address, by
 * connecting a UDP socket to it. That sends nothing, and cannot be switched off. A TCP connection to it would be reported.
 */
const ROUTE_INQUIRY = '2001:4860:4860::8888';

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
    // -D: the program stays the direct child. --seccomp-bpf: no other call is slowed down. What is sent without a
    // connection is left to the samples: Chromium's own messages go through the same calls.
    const strace = `strace -D -f --seccomp-bpf -yy -qqq -e signal=none -e trace=connect -o '${trace}'`;
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
        if (address === undefined || isLoopback(address)) continue;
        if (address === ROUTE_INQUIRY && line.includes('<UDPv6:')) continue;
        this.#seen.add(line.replace(/^\d+\s+/, ''));
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
    const beyond = allSockets().filter(reachesOut);
    if (beyond.length === 0) return;
    for (const { protocol, local, remote, command } of heldBy(descendants(process.pid), beyond)) {
      this.#seen.add(`${protocol} ${local} to ${remote} by ${command.slice(0, 200)}`);
    }
  }
}

/** A UDP socket that is open to the network needs no connection to send. */
function reachesOut({ protocol, local, remote }: Socket): boolean {
  if (remote === ROUTE_INQUIRY && protocol === 'udp6') return false;
  if (!isUnspecified(remote)) return !isLoopback(remote);
  return protocol.startsWith('udp') && !isLoopback(local);
}

/** It may be there and yet not be allowed to trace. */
function straceWorks(): boolean {
  return (
    procIsHere &&
    spawnSync('strace', ['-f', '--seccomp-bpf', '-qqq', '-e', 'trace=connect', 'true']).status === 0
  );
}
