import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { EngineProcess } from '../app/app-interface.ts';

/**
 * The engine's entry file: process.ts beside this one when run from the sources, engine.js in the bundle, where this code may
 * have been put into a folder of shared chunks.
 */
export function engineEntry(here: string = import.meta.url): string {
  if (here.endsWith('.ts')) return fileURLToPath(new URL('./process.ts', here));
  const folder = here.slice(0, here.lastIndexOf('/') + 1).replace(/chunks\/$/, '');
  return fileURLToPath(new URL('engine.js', folder));
}

/**
 * The engine's environment. ONNX Runtime reports its use to its maker from 1.29 on, unless this is set before it is loaded
 * (onnxruntime#27379): no name server is asked, nothing sent, no device identifier written.
 */
export function engineEnvironment(): Record<string, string> {
  const own = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return {
    // NVIDIA's own switch: CUDA's libraries would round float32 to TensorFloat-32, which no gradient can be held to.
    NVIDIA_TF32_OVERRIDE: '0',
    ...Object.fromEntries(own),
    ORT_DISABLE_TELEMETRY: '1',
  };
}

/**
 * Starts the engine as a child of this Node process. Electron's host passes a `spawnEngine` of its own (utilityProcess).
 * @param environment what is set beside `engineEnvironment`
 * @param stderr what becomes of its standard error
 */
export function forkEngine(
  entry = engineEntry(),
  environment: Readonly<Record<string, string>> = {},
  stderr: 'shown' | 'silent' = 'shown',
): EngineProcess {
  const child = fork(entry, {
    serialization: 'advanced',
    env: { ...engineEnvironment(), ...environment },
    // Flags of this process (a test runner's, a debugger's) are not the engine's.
    execArgv: [],
    // Standard output belongs to the command line's results.
    stdio: stderr === 'shown' ? ['ignore', 2, 2, 'ipc'] : ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  return {
    pid: child.pid,
    send(message) {
      // An error here means that the process is gone; its exit tells what there is to tell.
      if (child.connected) child.send(message as object, () => undefined);
    },
    onMessage: (listener) => child.on('message', listener),
    onExit(listener) {
      let told = false;
      const tell = (code: number | null): void => {
        if (!told) listener(code);
        told = true;
      };
      child.on('exit', tell);
      child.on('error', () => tell(null));
    },
    kill: () => child.kill('SIGKILL'),
  };
}
