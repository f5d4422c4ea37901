/** The figures of a study as files, and its summary. */
import path from 'node:path';
import PDFDocument from 'pdfkit';
import { writeFilesAtomically } from '../../app/write-files.ts';
import { margin, svgOf } from '../../report/drawing-svg.ts';
import { rasterise } from '../../report/rasterise.ts';
import { Typesetter } from '../../report/typesetter.ts';
import { baselineAgreement, methodAgreement } from './agreement-matrix.ts';
import { throwIfCancelled } from './cancelled.ts';
import { contactSheets } from './contact-sheet.ts';
import { gather, type Gathered } from './gather.ts';
import { methodAgreementRows } from './method-agreement.ts';
import { overBaselines } from './over-baselines.ts';
import { overSteps } from './over-steps.ts';
import type { StudyReport } from './report.ts';
import type { StudyFigure } from './sheet.ts';
import { stepsNeeded } from './steps-needed.ts';
import { StudySummary } from './summary.ts';

/** Of the PNGs: print's. */
const dotsPerInch = 300;

export interface WritingOptions {
  signal?: AbortSignal;
  /** Called with the name of each figure when it is on the disk. */
  wrote?: (name: string) => void;
}

/**
 * Writes figures/NAME.svg and .png, one figure after the other, and summary.pdf.
 * @param folder the study's
 * @returns the paths written, relative to the folder
 * @throws PathlightError `cancelled`; `write-failed`
 */
export async function writeStudyFigures(
  report: StudyReport,
  folder: string,
  { signal = new AbortController().signal, wrote = () => undefined }: WritingOptions = {},
): Promise<string[]> {
  // Of a document that is never written: it measures text and knows the letters' outlines.
  const typesetter = new Typesetter(new PDFDocument({ autoFirstPage: false }));
  const gathered = await gather(report.rows);
  const summary = new StudySummary(report, gathered);
  const written: string[] = [];
  for await (const figure of figuresOf(report, gathered, typesetter, signal)) {
    throwIfCancelled(signal);
    const { name, drawing } = figure;
    const svg = svgOf(drawing, typesetter);
    const png = await rasterise(svg, Math.round(((drawing.width + 2 * margin) * dotsPerInch) / 72));
    await writeFilesAtomically(path.join(folder, 'figures'), [
      { name: `${name}.svg`, bytes: svg },
      { name: `${name}.png`, bytes: png },
    ]);
    written.push(`figures/${name}.svg`, `figures/${name}.png`);
    await summary.add(figure);
    wrote(name);
  }
  throwIfCancelled(signal);
  const { bytes } = await summary.finish();
  await writeFilesAtomically(folder, [{ name: 'summary.pdf', bytes }]);
  return [...written, 'summary.pdf'];
}

export async function* figuresOf(
  report: StudyReport,
  gathered: Gathered,
  typesetter: Typesetter,
  signal: AbortSignal,
): AsyncGenerator<StudyFigure> {
  const { statistics, agreement, steps } = report;
  yield* overSteps(statistics, typesetter);
  yield* stepsNeeded(steps, gathered.steps, ({ method }) => gathered.promising.has(method), typesetter);
  yield* overBaselines(statistics, typesetter);
  yield* baselineAgreement(agreement, typesetter);
  yield* methodAgreement(await methodAgreementRows(gathered.finest, report.map, signal), typesetter);
  for (const [model, images] of gathered.sheets) {
    yield* contactSheets(report, model, images, typesetter);
  }
}
