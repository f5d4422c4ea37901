import type { AppInfo, CallHandlers, StreamHandlers } from '../../../core/contract/calls.ts';
import { PathlightError } from '../../../core/contract/errors.ts';

export const info: AppInfo = {
  host: 'browser',
  version: '0.1.0',
  commit: 'unknown',
  device: { provider: 'cpu', name: 'Test CPU', threads: 2, runtime: 'onnxruntime 1.30.0', selfTest: null },
  deviceRefused: null,
};

const absent = (): Promise<never> => Promise.reject(new PathlightError('unsupported', 'Not in this test'));

/** Handlers of which a test names those it asks for. */
export function handlers(given: { calls?: Partial<CallHandlers>; streams?: Partial<StreamHandlers> }): {
  calls: CallHandlers;
  streams: StreamHandlers;
} {
  return {
    calls: {
      'app.info': () => Promise.resolve(info),
      'models.list': absent,
      'devices.list': absent,
      'devices.use': absent,
      'files.choose': absent,
      'files.list': absent,
      'review.predict': absent,
      'report.create': absent,
      'report.save': absent,
      ...given.calls,
    },
    streams: {
      // eslint-disable-next-line require-yield
      'library.open': async function* () {
        await absent();
      },
      // eslint-disable-next-line require-yield
      'review.explain': async function* () {
        await absent();
      },
      // eslint-disable-next-line require-yield
      'review.compare': async function* () {
        await absent();
      },
      ...given.streams,
    },
  };
}
