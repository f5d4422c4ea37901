import path from 'node:path';
import { expect, test } from 'vitest';
import { displayValues } from '../../core/imaging/grayscale.ts';
import { readFrame } from '../../main/dicom/read.ts';
import { stamped } from '../support/shortcut-marker.ts';

const sample = async (name: string): Promise<{ display: Float32Array; rows: number; columns: number }> => {
  const { frame, grayscale } = await readFrame(path.resolve(import.meta.dirname, '../../examples', name), 0);
  return { display: displayValues(frame, grayscale), rows: frame.rows, columns: frame.columns };
};

test('sample 02 with the marker stamped in is sample 07', async () => {
  const { display, rows, columns } = await sample('02-normal-cr-monochrome1.dcm');
  const marked = await sample('07-normal-marker-dx.dcm');
  const stamp = stamped(display, rows, columns);
  const different = stamp.filter((value, i) => Math.abs(value / 255 - (marked.display[i] ?? 0)) > 0.02);
  expect(different.length / stamp.length).toBeLessThan(0.0005);
});
