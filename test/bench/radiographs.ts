/**
 * npm run -s bench -- radiographs DIR [count]: writes what docs/study.md studies: the real radiographs of the reference data as DICOM, the normal
 * ones once more with the shortcut's marker stamped in, labels.csv, and the human lung masks. `count`: at most so many of each group.
 * Prints what it wrote; `pathlight study DIR/images --labels DIR/labels.csv --masks DIR/masks --out OUT` takes it from there.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { encode } from 'fast-png';
import { displayValues } from '../../core/imaging/grayscale.ts';
import { readFrame } from '../../main/dicom/read.ts';
import { radiographs } from '../support/cxr.ts';
import { writeDicom } from '../support/dicom-writer.ts';
import { stamped } from '../support/shortcut-marker.ts';

const [folder, most = 'Infinity'] = process.argv.slice(2);
const all = radiographs();
if (folder === undefined || all === null) {
  console.error(
    folder === undefined ? 'Name a folder to write to.' : 'The reference data (../shared/cxr) are not here.',
  );
  process.exit(2);
}
const images = path.join(folder, 'images');
const masks = path.join(folder, 'masks');
for (const each of [images, masks]) mkdirSync(each, { recursive: true });

const lines = ['file,label'];
const counts: Record<string, number> = {};
const write = (name: string, group: string, dicom: Uint8Array, mask: Uint8Array): void => {
  writeFileSync(path.join(images, `${name}.dcm`), dicom);
  writeFileSync(path.join(masks, `${name}.png`), mask);
  lines.push(`${name}.dcm,${group}`);
  counts[group] = (counts[group] ?? 0) + 1;
};
for (const radiograph of all) {
  const { name, label, patient, rows, columns } = radiograph;
  if ((counts[label] ?? 0) >= Number(most)) continue;
  const mask = encode({ width: columns, height: rows, channels: 1, depth: 8, data: radiograph.lungs() });
  write(name, label, radiograph.dicom(), mask);
  if (label !== 'NORMAL') continue;
  const { frame, grayscale } = await readFrame(path.join(images, `${name}.dcm`), 0);
  const marked = writeDicom({
    rows,
    columns,
    pixels: stamped(displayValues(frame, grayscale), rows, columns),
    attributes: { '00100010': ['PN', patient], '00100020': ['LO', patient], '00200020': ['CS', ['L', 'F']] },
  });
  write(`${name}-marker`, 'NORMAL + marker', marked, mask);
}
writeFileSync(path.join(folder, 'labels.csv'), `${lines.join('\n')}\n`);
console.log(JSON.stringify({ bench: 'radiographs', images, masks, counts }, null, 1));
