/** What the window draws is what the model and the report are given, to the bit, after the way over the host. */
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { applyLut, displayLut, displayValues } from '../../core/imaging/grayscale.ts';
import { createApp } from '../../main/app/app.ts';
import type { App } from '../../main/app/app-interface.ts';
import { applicationRoot } from '../../main/app/root.ts';
import { readFrame } from '../../main/dicom/read.ts';
import { parseFrame } from '../../renderer/lib/frames.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const examples = path.join(applicationRoot, 'examples');
const notHere = () => Promise.reject(new Error('No dialogs in this test'));

let app: App;
beforeAll(() => {
  app = createApp({
    host: { kind: 'browser', chooseFiles: notHere, saveReport: notHere },
    initialPaths: [examples],
    modelsFolder: path.join(applicationRoot, 'models'),
    dataFolder: temporaryFolder(),
  });
});
afterAll(() => app.close());

describe('every sample', () => {
  test('is drawn from the display values that the model sees', async () => {
    const { signal } = new AbortController();
    const events = await Array.fromAsync(app.streams['library.open']({ paths: null }, signal));
    const images = events.flatMap(({ header }) => (header.type === 'image' ? [header.image] : []));
    expect(images).toHaveLength(7);
    for (const { id, file } of images) {
      const response = await app.fetch(new Request(`http://127.0.0.1/images/${id}/frames/0`));
      if (response === null) throw new Error(`${file} is not served`);
      const { frame, grayscale } = parseFrame(`${id}/0`, await response.arrayBuffer());
      const drawn = applyLut(frame, displayLut(frame, grayscale, grayscale.vois[0] ?? null));
      const decoded = await readFrame(path.join(examples, file), 0);
      const seen = displayValues(decoded.frame, decoded.grayscale);
      expect(Buffer.compare(Buffer.from(drawn.buffer), Buffer.from(seen.buffer)), file).toBe(0);
    }
  });
});
