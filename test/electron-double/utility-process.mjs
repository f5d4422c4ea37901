// utilityProcess.fork by child_process.fork.
import { fork } from 'node:child_process';
import { EventEmitter } from 'node:events';

class UtilityProcess extends EventEmitter {
  #child;

  constructor(file, args, { env }) {
    super();
    this.#child = fork(file, args, {
      serialization: 'advanced',
      env,
      execArgv: ['--import', new URL('./utility-child.mjs', import.meta.url).href],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.pid = this.#child.pid;
    this.#child.on('spawn', () => this.emit('spawn'));
    this.#child.on('message', (message) => this.emit('message', message));
    this.#child.on('exit', (code) => {
      this.pid = undefined;
      this.emit('exit', code ?? 1);
    });
  }

  postMessage(message) {
    if (this.#child.connected) this.#child.send(message);
  }

  kill = () => this.#child.kill();
}

export const utilityProcess = {
  fork: (file, args = [], options = {}) => new UtilityProcess(file, args, options),
};
