/** The figures of a study as files, and its summary. */
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import PDFDocument from 'pdfkit';
import * as v from 'valibot';
import { throwIfCancelled } from '../../../core/attribution/path.ts';
import { writeFilesAtomically } from '../../app/write-files.ts';
import { margin, svgOf } from '../../report/drawing-svg.ts';
import { rasterise } from '../../report/rasterise.ts';
import { Typesetter } from '../../report/typesetter.ts';
import { baselineAgreement, methodAgreement } from './agreement-matrix.ts';
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
 * Writes figures/NAME.svg and .png, one figure after the other, their list, and summary.pdf.
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
  const names: string[] = [];
  for await (const figure of figuresOf(report, gathered, typesetter, signal)) {
    throwIfCancelled(signal);
    const { drawing } = figure;
    const name = unused(figure.name, names);
    const svg = svgOf(drawing, typesetter);
    const png = await rasterise(svg, Math.round(((drawing.width + 2 * margin) * dotsPerInch) / 72));
    await writeFilesAtomically(path.join(folder, 'figures'), [
      { name: `${name}.svg`, bytes: svg },
      { name: `${name}.png`, bytes: png },
    ]);
    names.push(name);
    await summary.add(figure);
    wrote(name);
  }
  throwIfCancelled(signal);
  const { bytes } = await summary.finish();
  await writeFilesAtomically(folder, [{ name: 'summary.pdf', bytes }]);
  await removeEarlier(path.join(folder, 'figures'), names);
  return [
    ...names.flatMap((name) => [`figures/${name}.svg`, `figures/${name}.png`]),
    `figures/${LIST}`,
    'summary.pdf',
  ];
}

/** Two labels may read the same in a file's name. */
function unused(name: string, names: readonly string[]): string {
  let [free, count] = [name, 1];
  while (names.includes(free)) free = `${name}_${++count}`;
  return free;
}

/** The names of the figures of a run, beside them. */
const LIST = 'figures.json';

const ListSchema = v.pipe(
  v.string(),
  v.parseJson(),
  v.array(v.pipe(v.string(), v.regex(/^[\p{L}\p{N}_-]+$/u))),
);

/** Removes what an earlier run drew and this one did not: it would say what no longer holds. What a run did not list is not touched. */
async function removeEarlier(figures: string, names: readonly string[]): Promise<void> {
  const earlier = v.safeParse(ListSchema, await readFile(path.join(figures, LIST), 'utf8').catch(() => '[]'));
  for (const name of earlier.success ? earlier.output : []) {
    if (names.includes(name)) continue;
    for (const ending of ['svg', 'png']) await rm(path.join(figures, `${name}.${ending}`), { force: true });
  }
  await writeFilesAtomically(figures, [{ name: LIST, bytes: `${JSON.stringify(names, null, 1)}\n` }]);
}

export async function* figuresOf(
  report: StudyReport,
  gathered: Gathered,
  typesetter: Typesetter,
  signal: AbortSignal,
): AsyncGenerator<StudyFigure> {
  const { agreement, steps } = report;
  // One label alone says what all images say.
  const several = new Set(gathered.images.map(({ group }) => group)).size > 1;
  const statistics = report.statistics.filter(({ group }) => group === null || several);
  yield* overSteps(statistics, typesetter);
  yield* stepsNeeded(steps, gathered.steps, ({ method }) => gathered.promising.has(method), typesetter);
  yield* overBaselines(statistics, typesetter);
  yield* baselineAgreement(agreement, typesetter);
  yield* methodAgreement(await methodAgreementRows(gathered.finest, report.map, signal), typesetter);
  for (const [model, images] of gathered.sheets) {
    yield* contactSheets(report, model, images, typesetter);
  }
}
