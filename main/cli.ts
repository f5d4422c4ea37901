/** Entry of the command line. */
import { PathlightError, toErrorReport } from '../core/contract/errors.ts';
import { applicationVersion } from './app/root.ts';
import { parseCommand, UsageError } from './cli/arguments.ts';
import { helpText } from './cli/help.ts';
import { sentence, type Terminal } from './cli/session.ts';

/** Loads what a command needs when it is wanted, so that `--help` answers at once. */
async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  const command = parseCommand(words);
  switch (command.command) {
    case 'help':
      terminal.out.write(helpText(command.topic));
      return 0;
    case 'version': {
      const { version, commit } = applicationVersion();
      terminal.out.write(`pathlight ${version} (${commit})\n`);
      return 0;
    }
    case 'explain':
      return (await import('./cli/explain.ts')).explain(command, terminal);
    case 'compare':
      return (await import('./cli/compare.ts')).compare(command, terminal);
    case 'audit':
      return (await import('./cli/audit.ts')).audit(command, terminal);
    case 'study':
      return (await import('./cli/study.ts')).study(command, terminal);
    case 'methods':
      return (await import('./cli/methods.ts')).listMethods(command, terminal);
    case 'devices':
      return (await import('./cli/devices.ts')).devices(command, terminal);
    case 'model check':
      return (await import('./cli/model-check.ts')).modelCheck(command, terminal);
    case 'serve':
      return (await import('./host/serve.ts')).serve(command.args);
  }
}

/** Mistakes in what was typed, rather than failures of the work. */
const USAGE_KINDS: ReadonlySet<string> = new Set(['bad-request', 'model-refused', 'not-found']);

async function exitCodeOf(words: readonly string[]): Promise<number> {
  const interrupt = new AbortController();
  const terminal: Terminal = { out: process.stdout, err: process.stderr, signal: interrupt.signal };
  // `serve` ends by signals of its own.
  if (words[0] !== 'serve') onInterrupt(() => interrupt.abort());
  try {
    return await run(words, terminal);
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(`${sentence(error.message)}\n'pathlight --help' lists the commands.\n`);
      return 2;
    }
    const { kind, message, advice } = toErrorReport(error);
    if (kind === 'cancelled') {
      process.stderr.write('Interrupted. What was finished is kept.\n');
      return 130;
    }
    process.stderr.write(`${sentence(message)}${advice === '' ? '' : ` ${sentence(advice)}`}\n`);
    return error instanceof PathlightError && USAGE_KINDS.has(kind) ? 2 : 1;
  }
}

/** The first signal asks to stop; one more, a second or longer after it, ends at once. */
function onInterrupt(stop: () => void): void {
  let first: number | undefined;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      first ??= performance.now();
      if (performance.now() - first > 1000) process.exit(130);
      stop();
    });
  }
}

// A reader such as `head` may close its end early.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

process.exitCode = await exitCodeOf(process.argv.slice(2));
