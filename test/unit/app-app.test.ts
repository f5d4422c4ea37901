import { decode } from 'fast-png';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type {
  AgreementHeader,
  AssessmentHeader,
  Frame,
  MapHeader,
  PreparationHeader,
} from '../../core/contract/calls.ts';
import type { FrameHeader, ImageEntry } from '../../core/contract/library.ts';
import { createApp } from '../../main/app/app.ts';
import type { App, HostServices } from '../../main/app/app-interface.ts';
import { shippedModels } from '../../main/app/models.ts';
import { applicationRoot } from '../../main/app/root.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { asked, from } from '../support/integrated-gradients.ts';

/** Milliseconds that a computation may take on a busy machine. */
const LONG = 300_000;

const COMPARED = ['black', 'blurred'] as const;
const dataFolder = temporaryFolder();
const saved: { fileName: string; bytes: number }[] = [];
const host: HostServices = {
  kind: 'browser',
  chooseFiles: () => Promise.resolve(['/chosen']),
  saveReport: (fileName, bytes) => {
    saved.push({ fileName, bytes: bytes.length });
    return Promise.resolve(true);
  },
};
const options = {
  host,
  initialPaths: [path.join(applicationRoot, 'examples')],
  modelsFolder: shippedModels,
  dataFolder,
};
const choices = { frame: 0, model: 'pneumonia', target: null, scalar: 'logit', ...asked } as const;

async function openExamples(app: App): Promise<ImageEntry[]> {
  const events = await Array.fromAsync(
    app.streams['library.open']({ paths: null }, new AbortController().signal),
  );
  return events.flatMap(({ header }) => (header.type === 'image' ? [header.image] : []));
}

function get(app: App, pathname: string): Promise<Response | null> {
  return app.fetch(new Request(`http://127.0.0.1${pathname}`));
}

let app: App;
let images: ImageEntry[];
beforeAll(async () => {
  app = createApp(options);
  images = await openExamples(app);
}, LONG);
afterAll(() => app.close());

const image = (index: number): string => images[index]?.id ?? '';

function explain(
  index: number,
  signal = new AbortController().signal,
): Promise<Frame<PreparationHeader | MapHeader | AssessmentHeader>[]> {
  return Array.fromAsync(
    app.streams['review.explain']({ ...choices, image: image(index), baseline: from('black') }, signal),
  );
}

describe('what there is', () => {
  test('the samples', () => {
    expect(images.map(({ file }) => file)).toHaveLength(7);
  });

  test('the models, and which can be explained', async () => {
    const { models, refused } = await app.calls['models.list'](undefined);
    expect(models.map(({ id, explainable }) => [id, explainable])).toEqual([
      ['lungs', false],
      ['pneumonia', true],
      ['pneumonia-shortcut', true],
    ]);
    expect(refused).toEqual([]);
  });

  test('the app and its device', async () => {
    expect(await app.calls['app.info'](undefined)).toMatchObject({
      host: 'browser',
      version: '0.1.0',
      device: { provider: 'cpu' },
    });
  });

  test('folders, for a host without a folder dialog', async () => {
    const { path: listed, parent, folders, files } = await app.calls['files.list']({ path: applicationRoot });
    expect([listed, parent]).toEqual([applicationRoot, path.dirname(applicationRoot)]);
    expect(folders).toContainEqual({ name: 'core', path: path.join(applicationRoot, 'core') });
    expect(folders.map(({ name }) => name)).not.toContain('.git');
    expect(files).toBeGreaterThan(5);
    await expect(app.calls['files.list']({ path: '/no/such/folder' })).rejects.toMatchObject({
      kind: 'not-found',
    });
  });
});

describe('an explanation', () => {
  let frames: Frame<PreparationHeader | MapHeader | AssessmentHeader>[];
  beforeAll(async () => {
    frames = await explain(0);
  }, LONG);

  test('comes as maps that sharpen, the last one final, then its assessment', () => {
    const maps = frames.slice(0, -1);
    expect(maps.length).toBeGreaterThan(3);
    for (const [i, { header, data }] of maps.entries()) {
      expect(header).toMatchObject({ type: 'map', final: i === maps.length - 1, height: 224, width: 224 });
      expect(data).toHaveLength(224 * 224);
    }
    expect(frames.at(-1)?.header).toMatchObject({
      type: 'assessment',
      result: { target: 'PNEUMONIA', converged: true, image: { file: '01-normal-dx.dcm' } },
    });
    const lungs = frames.at(-1)?.data ?? new Float32Array();
    expect(lungs).toHaveLength(224 * 224);
    expect(lungs.every((probability) => probability >= 0 && probability <= 1)).toBe(true);
  });

  test('made before is there at once, the same', async () => {
    const again = await explain(0);
    expect(again).toHaveLength(2);
    expect(again[0]?.data).toEqual(frames.at(-2)?.data);
    expect(again[1]).toEqual(frames.at(-1));
  });

  test('made in an earlier session, too; and no name of a patient or file is kept on disk', async () => {
    const later = createApp(options);
    try {
      const [first] = await openExamples(later);
      const again = await Array.fromAsync(
        later.streams['review.explain'](
          { ...choices, image: first?.id ?? '', baseline: from('black') },
          new AbortController().signal,
        ),
      );
      expect(again.map(({ header }) => header.type)).toEqual(['map', 'assessment']);
      expect(again[0]?.data).toEqual(frames.at(-2)?.data);
      const last = frames.at(-1)?.header;
      expect(again[1]?.header).toMatchObject({ result: last?.type === 'assessment' ? last.result : null });
    } finally {
      await later.close();
    }
    const entries = readdirSync(dataFolder, { recursive: true, withFileTypes: true });
    for (const { name, parentPath } of entries.filter((entry) => entry.isFile())) {
      const kept = name + readFileSync(path.join(parentPath, name)).toString('latin1');
      for (const secret of [images[0]?.patient.name.alphabetic, images[0]?.sopInstanceUid, '01-normal-dx']) {
        expect(kept).not.toContain(secret);
      }
    }
  });

  test('ends when it is cancelled', async () => {
    const cancel = new AbortController();
    const partial = app.streams['review.explain'](
      { ...choices, image: image(1), baseline: from('white') },
      cancel.signal,
    );
    await expect(
      (async () => {
        for await (const { header } of partial) {
          expect(header).toMatchObject({ type: 'map', final: false });
          cancel.abort();
        }
      })(),
    ).rejects.toMatchObject({ kind: 'cancelled' });
  });

  test('of an image that is not open is refused', () => {
    const unknown = { ...choices, image: 'unknown', baseline: from('black') } as const;
    expect(() => app.streams['review.explain'](unknown, new AbortController().signal)).toThrow('not open');
  });
});

describe('a comparison and its report', () => {
  let frames: Frame<PreparationHeader | MapHeader | AssessmentHeader | AgreementHeader>[];
  beforeAll(async () => {
    const request = { ...choices, image: image(0), baselines: COMPARED.map(from) };
    frames = await Array.fromAsync(app.streams['review.compare'](request, new AbortController().signal));
  }, LONG);

  test('brings the final map of each baseline, then how they agree', () => {
    const finals = frames.flatMap(({ header }) =>
      header.type === 'map' && header.final ? [header.baseline?.id] : [],
    );
    expect(finals).toEqual(COMPARED);
    const assessed = frames.flatMap(({ header }) =>
      header.type === 'assessment' ? [header.result.baseline] : [],
    );
    expect(assessed).toEqual(COMPARED);
    const last = frames.at(-1)?.header;
    expect(last).toMatchObject({ type: 'agreement', agreement: { baselines: COMPARED } });
  });

  test('the map that was there was not computed again', () => {
    expect(
      frames.filter(({ header }) => header.type === 'map' && header.baseline?.id === 'black'),
    ).toHaveLength(1);
  });

  test('the report is written, fetched and saved', async () => {
    const request = { ...choices, image: image(0), baseline: from('black'), maskPatient: false } as const;
    const { report, fileName, bytes } = await app.calls['report.create'](request);
    expect(fileName).toBe('pathlight-pneumonia-c36d510c.pdf');
    const response = await get(app, `/reports/${report}`);
    expect(response?.headers.get('content-type')).toBe('application/pdf');
    expect(response?.headers.get('content-disposition')).toContain(fileName);
    const body = Buffer.from((await response?.arrayBuffer()) ?? new ArrayBuffer());
    expect([body.length, body.subarray(0, 5).toString()]).toEqual([bytes, '%PDF-']);
    expect(await app.calls['report.save']({ report })).toEqual({ saved: true });
    expect(saved).toEqual([{ fileName, bytes }]);
  });

  test('there is no report of what has not been explained', async () => {
    const request = { ...choices, image: image(4), baseline: from('black'), maskPatient: false } as const;
    await expect(app.calls['report.create'](request)).rejects.toMatchObject({
      kind: 'bad-request',
      advice: 'Explain it first.',
    });
    await expect(app.calls['report.save']({ report: 'none' })).rejects.toMatchObject({ kind: 'not-found' });
  });
});

describe('bulk data', () => {
  test('a frame is its header and its stored values, aligned', async () => {
    const response = await get(app, `/images/${image(0)}/frames/0`);
    const body = (await response?.arrayBuffer()) ?? new ArrayBuffer();
    const length = new DataView(body).getUint32(0, true);
    expect(length % 4).toBe(0);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(body, 4, length))) as FrameHeader;
    expect(header).toMatchObject({ rows: 890, columns: 930, bitsStored: 12, signed: false });
    expect(header.grayscale.vois).toHaveLength(1);
    const values = new Uint16Array(body, 4 + length);
    expect(values).toHaveLength(890 * 930);
    expect(values.every((value) => value < 4096)).toBe(true);
  });

  test('a thumbnail is a PNG, 160 pixels high', async () => {
    const response = await get(app, `/images/${image(0)}/thumbnail`);
    const { height, width, channels } = decode((await response?.arrayBuffer()) ?? new ArrayBuffer());
    expect([height, width, channels]).toEqual([160, 167, 1]);
  });

  test.each([['/images/unknown/frames/0'], ['/images/unknown/thumbnail'], ['/reports/unknown']])(
    '%s is not found, and says why',
    async (pathname) => {
      const response = await get(app, pathname);
      expect(response?.status).toBe(404);
      expect(await response?.json()).toMatchObject({ message: expect.any(String) as string });
    },
  );

  test('a frame that the image does not have is not found', async () => {
    expect((await get(app, `/images/${image(0)}/frames/1`))?.status).toBe(404);
  });

  test.each([
    ['/'],
    ['/index.html'],
    ['/images'],
    ['/images/a/other'],
    ['/images/a/frames/x'],
    ['/reports/a/b'],
  ])('%s is for others to answer', async (pathname) => {
    expect(await get(app, pathname)).toBeNull();
  });
});
