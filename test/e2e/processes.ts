/** The processes of a running app and their sockets, from Linux's /proc. Elsewhere the lists are empty. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface RunningProcess {
  pid: number;
  command: string;
}

export const procIsHere = process.platform === 'linux';

/** All processes that descend from one, itself not among them. */
export function descendants(ancestor: number): RunningProcess[] {
  if (!procIsHere) return [];
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    // "pid (name) state parent …": the name may hold spaces and brackets.
    const parent = read(`/proc/${pid}/stat`).split(')').at(-1)?.trim().split(' ')[1];
    if (parent !== undefined) parents.set(pid, Number(parent));
  }
  const found = new Set([ancestor]);
  for (let before = 0; before < found.size;) {
    before = found.size;
    for (const [pid, parent] of parents) if (found.has(parent)) found.add(pid);
  }
  found.delete(ancestor);
  return [...found].map((pid) => ({
    pid,
    command: read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim(),
  }));
}

export const isRunning = (pid: number): boolean => {
  const state = read(`/proc/${pid}/stat`).split(')').at(-1)?.trim()[0];
  return state !== undefined && state !== 'Z';
};

export interface Socket {
  protocol: string;
  local: string;
  remote: string;
  listening: boolean;
  inode: string;
}

const TABLES = ['tcp', 'tcp6', 'udp', 'udp6'];
const TCP_LISTEN = '0A';

/** Every Internet socket of the machine. */
export function allSockets(): Socket[] {
  if (!procIsHere) return [];
  return TABLES.flatMap((protocol) =>
    read(`/proc/net/${protocol}`)
      .split('\n')
      .slice(1)
      .flatMap((line) => {
        const [, local, remote, state, , , , , , inode] = line.trim().split(/\s+/);
        if (local === undefined || remote === undefined || inode === undefined) return [];
        const listening = protocol.startsWith('tcp') && state === TCP_LISTEN;
        return [{ protocol, local: address(local), remote: address(remote), listening, inode }];
      }),
  );
}

/** Those of them that the processes hold. */
export function heldBy(processes: RunningProcess[], sockets: Socket[]): (Socket & { command: string })[] {
  if (sockets.length === 0) return [];
  const holders = new Map<string, string>();
  for (const { pid, command } of processes) {
    for (const target of links(`/proc/${pid}/fd`)) {
      const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
      if (inode !== undefined) holders.set(inode, command);
    }
  }
  return sockets.flatMap((socket) => {
    const command = holders.get(socket.inode);
    return command === undefined ? [] : [{ ...socket, command }];
  });
}

export const isLoopback = (address: string): boolean =>
  address.startsWith('127.') || address === '::1' || /^::ffff:(127\.|7f)/.test(address);

export const isUnspecified = (address: string): boolean => address === '0.0.0.0' || address === '::';

/** "0100007F:1F90" -> 127.0.0.1; words are in the machine's byte order. */
function address(field: string): string {
  const bytes = (field.split(':')[0] ?? '')
    .match(/.{8}/g)
    ?.flatMap((word) => [6, 4, 2, 0].map((at) => word.slice(at, at + 2)));
  if (bytes === undefined) return field;
  if (bytes.length === 4) return bytes.map((byte) => parseInt(byte, 16)).join('.');
  const groups = bytes.join('').match(/.{4}/g)?.join(':') ?? '';
  // In the short form, as it is written: ::1.
  return new URL(`http://[${groups}]/`).hostname.slice(1, -1);
}

/** A process may be gone by the time that it is looked at. */
function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

function links(folder: string): string[] {
  try {
    return readdirSync(folder).flatMap((name) => {
      try {
        return [readlinkSync(`${folder}/${name}`)];
      } catch {
        return [];
      }
    });
  } catch {
    return [];
  }
}
