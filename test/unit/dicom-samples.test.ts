/** The shipped samples, from file to the shipped model's answer. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import * as v from 'valibot';
import { beforeAll, describe, expect, it } from 'vitest';
import { ModelCardSchema, type ModelCard } from '../../core/contract/model-card.ts';
import { applyLut, displayLut, displayValues } from '../../core/imaging/grayscale.ts';
import { modelInput } from '../../core/imaging/model-input.ts';
import { readFrame, readHeader } from '../../main/dicom/read.ts';
import { radiographs } from '../support/cxr.ts';
import { fileWriter } from '../support/dicom-files.ts';

const root = path.resolve(import.meta.dirname, '../..');
const sample = (name: string) => path.join(root, 'examples', `${name}.dcm`);
const modelFolder = path.join(root, 'models/pneumonia');
const write = fileWriter();

let session: InferenceSession;
let card: ModelCard;

beforeAll(async () => {
  card = v.parse(ModelCardSchema, JSON.parse(readFileSync(path.join(modelFolder, 'card.json'), 'utf8')));
  session = await InferenceSession.create(path.join(modelFolder, card.file), { intraOpNumThreads: 1 });
});

async function probability(file: string): Promise<number> {
  const { frame, grayscale } = await readFrame(file, 0);
  const input = modelInput(displayValues(frame, grayscale), frame.rows, frame.columns, card.input);
  const { height, width, channels, name } = card.input;
  const outputs = await session.run({ [name]: new Tensor('float32', input, [1, channels, height, width]) });
  const logits = outputs[card.output.name]?.data;
  return 1 / (1 + Math.exp(Number(logits?.[0]) - Number(logits?.[1])));
}

describe('samples', () => {
  // p as measured when the samples were made; means of the display values by DCMTK's dcm2pnm at 16 bits.
  it.each([
    ['01-normal-dx', 890, 930, 12, 0.013, 0.62889],
    ['02-normal-cr-monochrome1', 850, 940, 10, 0.018, 0.5977],
    ['03-normal-dx-rle', 890, 955, 12, 0.011, null],
    ['04-pneumonia-dx-jpeg', 855, 920, 8, 0.936, null],
    ['05-pneumonia-dx-voilut', 855, 980, 14, 0.907, null],
    ['06-pneumonia-cr-jpeg2000', 855, 970, 16, 0.913, null],
    ['07-normal-marker-dx', 850, 940, 12, 0.013, 0.59999],
  ])('%s', async (name, rows, columns, bitsStored, p, mean) => {
    const header = await readHeader(sample(name));
    expect(header).toMatchObject({
      rows,
      columns,
      bitsStored,
      frames: 1,
      orientation: { right: 'L', bottom: 'F' },
      spacing: { row: 0.25, column: 0.25, basis: 'detector' },
      viewPosition: 'AP',
      studyDescription: 'CHEST AP',
      manufacturer: 'Composite phantom',
      warnings: [],
    });
    expect(Math.abs((await probability(sample(name))) - p)).toBeLessThan(0.003);
    if (mean !== null) {
      const { frame, grayscale } = await readFrame(sample(name), 0);
      const display = displayValues(frame, grayscale);
      expect(display.reduce((sum, value) => sum + value, 0) / display.length).toBeCloseTo(mean, 4);
    }
  });

  it('offers both VOI LUTs of sample 05; the second agrees with DCMTK', async () => {
    const { frame, grayscale } = await readFrame(sample('05-pneumonia-dx-voilut'), 0);
    expect(grayscale.vois).toMatchObject([
      { kind: 'table', table: { bits: 12, firstValue: 0, explanation: 'STANDARD' } },
      { kind: 'table', table: { bits: 12, firstValue: 0, explanation: 'HARD' } },
    ]);
    const display = applyLut(frame, displayLut(frame, grayscale, grayscale.vois[1] ?? null));
    expect(display.reduce((sum, value) => sum + value, 0) / display.length).toBeCloseTo(0.4322, 3);
  });

  it('reads the three groups of a Japanese name, whose bytes hold delimiters', async () => {
    const { patient } = await readHeader(sample('07-normal-marker-dx'));
    expect(patient).toEqual({
      name: { alphabetic: 'Sample^Marker', ideographic: '見本^印', phonetic: 'みほん^しるし' },
      id: 'SAMPLE-007',
      birthDate: '',
      age: '003Y',
      sex: 'M',
    });
  });
});

const real = radiographs();

it.skipIf(real === null)(
  'gives the shipped model what its training gave it: 28 of 32 real radiographs right',
  async () => {
    let right = 0;
    for (const radiograph of real ?? []) {
      const p = await probability(write(radiograph.dicom()));
      if (p >= 0.5 === (radiograph.label === 'PNEUMONIA')) right++;
    }
    expect(right).toBe(28);
  },
);
