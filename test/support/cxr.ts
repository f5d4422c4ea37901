/** The 32 real radiographs of the reference data (CC BY 4.0), wrapped as DICOM as an archive would keep them. */
import { decode } from 'fast-png';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { writeDicom } from './dicom-writer.ts';
import { sharedFolder } from './shared.ts';

export interface Radiograph {
  /** File name without its ending. */
  name: string;
  label: 'NORMAL' | 'PNEUMONIA';
  patient: string;
  rows: number;
  columns: number;
  /** The JPEG's own bytes in a DX image, JPEG baseline: decoded by the codec that the application uses. */
  dicom(): Uint8Array;
  /** [rows, columns] human lung mask: 0 outside, 127 ignore, 255 lung. */
  lungs(): Uint8Array;
}

/** null, with a warning, where the reference data are absent. */
export function radiographs(): Radiograph[] | null {
  const folder = sharedFolder('cxr');
  if (folder === null) return null;
  const lines = readFileSync(path.join(folder, 'labels.csv'), 'utf8').trim().split(/\r?\n/).slice(1);
  return lines.map((line): Radiograph => {
    const [image = '', mask = '', label = '', , patient = '', width = '', height = ''] = line.split(',');
    if (label !== 'NORMAL' && label !== 'PNEUMONIA') throw new Error(`labels.csv: label ${label}`);
    const rows = Number(height);
    const columns = Number(width);
    return {
      name: path.basename(image, '.jpg'),
      label,
      patient,
      rows,
      columns,
      dicom: () =>
        writeDicom({
          rows,
          columns,
          pixels: [[readFileSync(path.join(folder, image))]],
          transferSyntax: '1.2.840.10008.1.2.4.50',
          attributes: {
            '00100010': ['PN', patient],
            '00100020': ['LO', patient],
            '00181164': ['DS', ['0.25', '0.25']],
            '00185101': ['CS', 'AP'],
            '00200020': ['CS', ['L', 'F']],
            '20500020': ['CS', 'IDENTITY'],
          },
        }),
      lungs: () => Uint8Array.from(decode(readFileSync(path.join(folder, mask))).data),
    };
  });
}
