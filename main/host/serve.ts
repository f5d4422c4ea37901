/** The browser host from start to end: arguments, app, server, window, and an orderly end of them all. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { type Provider, PROVIDERS } from '../../core/contract/device.ts';
import { PathlightError, toErrorReport } from '../../core/contract/errors.ts';
import { createApp } from '../app/app.ts';
import type { HostServices } from '../app/app-interface.ts';
import { applicationRoot } from '../app/root.ts';
import { dataFolder } from '../store/data-folder.ts';
import { startBrowserHost } from './browser.ts';
import { openWindow } from './window.ts';

const USAGE = `Usage: pathlight serve [FILE or FOLDER ...] [options]

Opens the files in a browser window; without any, the samples.

  --port N       the port on 127.0.0.1; default: any free one
  --no-open      open no window; print the address alone
  --models DIR   the folder of the models; default: the ones that Pathlight ships
  --device NAME  what computes the gradients this time: cpu, webgpu, cuda, dml or coreml; default: as set in the window
  --json         print {"url": ...} instead of a sentence

The address works once, for one browser. From another machine: ssh -L N:127.0.0.1:N server, with the same N on both sides.
`;

/** Runs until the window is closed or a signal asks to end. @returns the exit code */
export async function serve(args: string[]): Promise<number> {
  try {
    return await run(args);
  } catch (error) {
    const { message, advice } = toErrorReport(error);
    process.stderr.write(`${message}${advice === '' ? '' : `. ${advice}`}\n`);
    return error instanceof PathlightError && ['bad-request', 'not-found'].includes(error.kind) ? 2 : 1;
  }
}

async function run(args: string[]): Promise<number> {
  const options = readOptions(args);
  if (options === null) {
    process.stdout.write(USAGE);
    return 0;
  }
  const app = createApp({
    host: browserServices,
    initialPaths: options.paths,
    modelsFolder: options.models,
    dataFolder: dataFolder(),
    ...(options.device === undefined ? {} : { device: options.device }),
  });
  try {
    const rendererFolder = path.join(applicationRoot, 'out', 'renderer');
    const host = await startBrowserHost({ app, rendererFolder, port: options.port });
    try {
      const ending = signalled();
      process.stdout.write(
        options.json ? `${JSON.stringify({ url: host.url })}\n` : `Pathlight is at ${host.url}\n`,
      );
      const window = options.open ? openWindow(host.url) : null;
      if (options.open && window === null) {
        process.stderr.write('There is no display here to open it on. Open the address in a browser.\n');
      }
      if (window === null || window === 'untracked') await ending;
      else {
        const closed = window.closed.then((byReader) => {
          if (byReader) return;
          process.stderr.write('The window could not be shown. Open the address in a browser.\n');
          return ending;
        });
        await Promise.race([ending, closed]);
        window.close();
        await window.closed;
      }
    } finally {
      await host.close();
    }
  } finally {
    await app.close();
  }
  return 0;
}

interface Options {
  paths: string[];
  models: string;
  device: Provider | undefined;
  port: number;
  open: boolean;
  json: boolean;
}

/** null: the usage was asked for. */
function readOptions(args: string[]): Options | null {
  const { values, positionals } = parse(args);
  if (values.help) return null;
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new PathlightError(
      'bad-request',
      `'${values.port}' is not a port`,
      'Give a number from 1 to 65535',
    );
  }
  const device = PROVIDERS.find((provider) => provider === values.device);
  if (values.device !== undefined && device === undefined) {
    throw new PathlightError(
      'bad-request',
      `'${values.device}' is not a device`,
      `The devices: ${PROVIDERS.join(', ')}`,
    );
  }
  const paths = positionals.length > 0 ? positionals : [path.join(applicationRoot, 'examples')];
  for (const given of [...paths, values.models]) {
    if (!existsSync(given)) throw new PathlightError('not-found', `There is no file or folder '${given}'`);
  }
  return {
    paths: paths.map((given) => path.resolve(given)),
    models: path.resolve(values.models),
    device,
    port,
    open: !values['no-open'],
    json: values.json,
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        port: { type: 'string', default: '0' },
        'no-open': { type: 'boolean', default: false },
        models: { type: 'string', default: path.join(applicationRoot, 'models') },
        device: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new PathlightError('bad-request', toErrorReport(error).message, '--help lists the options');
  }
}

function signalled(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
  });
}

const unsupported = (what: string): Promise<never> =>
  Promise.reject(
    new PathlightError(
      'unsupported',
      `${what} in the browser`,
      'The browser itself does this: use the window.',
    ),
  );

const browserServices: HostServices = {
  kind: 'browser',
  chooseFiles: () => unsupported('There is no folder dialog'),
  saveReport: () => unsupported('There is no save dialog'),
};
