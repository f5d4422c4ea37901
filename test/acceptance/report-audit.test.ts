/** The summary of an audit, read back by a reader that is not ours. */
import { beforeAll, describe, expect, it } from 'vitest';
import { writeAuditSummary } from '../../main/report/audit-summary.ts';
import type { WrittenDocument } from '../../main/report/report-data.ts';
import { fontsOf, hasPoppler, infoOf, textOf } from '../support/poppler.ts';
import { auditData } from '../support/report-data.ts';

const poppler = hasPoppler();

describe.skipIf(!poppler)('the audit summary', () => {
  const data = auditData(90, {
    failures: [{ file: 'broken.dcm', reason: 'The file ends inside Pixel Data.', advice: 'Copy it again.' }],
    passedOver: ['notes.txt', '.hidden.dcm'],
    resumed: 12,
    copied: 3,
  });
  let document: WrittenDocument;
  let text: string;

  beforeAll(async () => {
    document = await writeAuditSummary(data);
    text = textOf(document.bytes, '-layout');
  });

  it('counts images, decisions, convergence, flags and failures', () => {
    const count = (label: string): number =>
      data.results.filter((result) => result.prediction.label === label).length;
    const notConverged = data.results.filter((result) => !result.converged).length;
    const flagged = data.results.filter((result) => result.flags.length > 0).length;
    expect(text).toContain(
      `91 ${count('NORMAL')} ${count('PNEUMONIA')} ${90 - notConverged} ${notConverged} ${flagged} 1`,
    );
    expect(text).toContain(
      '90 explained; 12 of them taken over from an earlier run; 3 of them of the same content as another file; 1 failed',
    );
  });

  it('names the files that were passed over', () => {
    expect(text).toContain('2 files that are not DICOM, or hidden');
    expect(text).toContain('notes.txt, .hidden.dcm');
  });

  it('lists every image once, with its score, and every failure with its reason', () => {
    const images = text.slice(text.lastIndexOf('edge map of the image.'));
    for (const { image, prediction } of data.results) {
      expect(images.split(image.file)).toHaveLength(2);
      expect(images).toContain(
        `${image.file} ${(prediction.scores['PNEUMONIA'] ?? 0).toFixed(3)} ${prediction.label}`,
      );
    }
    expect(text).toContain('broken.dcm The file ends inside Pixel Data. Copy it again.');
  });

  it('repeats the head of its table, the notice and the page number on every page', () => {
    const pages = Number(infoOf(document.bytes)['Pages']);
    expect(document.pages).toBe(pages);
    for (let page = 1; page <= pages; page++) {
      const shown = textOf(document.bytes, '-layout', '-f', String(page), '-l', String(page));
      expect(shown).toContain('Not a medical device; not for diagnosis.');
      expect(shown).toContain(`Page ${page} of ${pages}`);
      if (/IM\d{5}\.dcm 0\.\d{3}/.test(shown)) expect(shown).toContain('File Score Called');
    }
  });

  it('says what was run and what it does not show', () => {
    expect(text.replaceAll(' ', '')).toContain(data.card.sha256);
    expect(text).toContain('Gap tolerance 0.01 of the difference · Map tolerance 0.05 of the map');
    expect(text).toContain('A check that can fail, never a proof');
    expect(text).toContain('they do not localise disease');
    for (const font of fontsOf(document.bytes)) expect(font.embedded).toBe(true);
  });

  it('asks for the pictures of flagged images one at a time, and for no more than it shows', async () => {
    let open = 0;
    let asked = 0;
    const rgb = new Uint8Array(16 * 16 * 3).fill(120);
    await writeAuditSummary(
      auditData(300, {
        thumbnail: async () => {
          open++;
          asked++;
          await Promise.resolve();
          expect(open).toBe(1);
          open--;
          return { rows: 16, columns: 16, rgb };
        },
      }),
    );
    expect(asked).toBe(24);
  });

  it('is the same to the byte when written again', async () => {
    expect(Buffer.compare((await writeAuditSummary(data)).bytes, document.bytes)).toBe(0);
  });

  it('never leaves a section empty', async () => {
    const nothing = textOf((await writeAuditSummary(auditData(0))).bytes);
    expect(nothing).toContain('Distributions None: no image was explained.');
    expect(nothing).toContain('Flagged images None.');
    expect(nothing).toContain('Failures None: every image of the folder was explained.');
    const one = await writeAuditSummary(auditData(1));
    expect(one.pages).toBeLessThan(5);
  });
});
