/** The report of one explained image. */
import { mapName, methodOf } from '../../core/attribution/stated.ts';
import { columns, facts, stack, text, type Block, type Fact } from './block.ts';
import { writeAttribution } from './attribution-section.ts';
import { writeBaselines } from './baselines-section.ts';
import { gravestFirst, severityColor } from './flags.ts';
import { writeFirstPage } from './first-page.ts';
import { writeLungCheck } from './lungs-section.ts';
import { list, writeModel } from './model-section.ts';
import { duration, stated, timestamp } from './numbers.ts';
import { Paper } from './paper.ts';
import { identity, type Identity } from './patient.ts';
import type { ReportData, WrittenDocument } from './report-data.ts';
import { section } from './section.ts';
import { color, size } from './theme.ts';
import { deviceText, missingCharacters, noticeOf, parametersText, selfTestText } from './words.ts';

/** @returns the PDF; the same data give the same bytes */
export async function writeReport(data: ReportData): Promise<WrittenDocument> {
  const who = identity(data.entry, data.maskPatient);
  const paper = new Paper({
    title: 'Pathlight report: what moved the score',
    subject: `${methodOf(data.result.method).name} of the model ${data.card.id}`,
    createdAt: data.createdAt,
    app: data.result.app,
    running: {
      left: data.maskPatient
        ? 'Patient masked'
        : `${who.names.join('  ')} \u00b7 ID ${who.id} \u00b7 study of ${who.studyDate}`,
      right: `${data.result.target}: ${mapName(data.result.method, data.result.baseline)}`,
    },
    notice: noticeOf(data.card),
  });
  writeFirstPage(paper, data, who);
  writeWarnings(paper, data);
  writeAttribution(paper, data);
  writeBaselines(paper, data);
  writeLungCheck(paper, data);
  writeModel(paper, 'The model', data.card);
  if (data.lungs !== null) writeModel(paper, 'The lungs model', data.lungs.card);
  writeProvenance(paper, data, who);
  const missing = paper.typesetter.missing;
  const bytes = await paper.finish();
  return {
    bytes,
    pages: paper.pages,
    warnings: missing.length === 0 ? [] : [missingCharacters(missing)],
  };
}

function writeWarnings(paper: Paper, data: ReportData): void {
  const raised = [...data.result.flags];
  // Said where the score is read, too: whoever reads the first page alone must not miss it.
  if (data.agreement?.stable === false) {
    raised.push({
      id: 'unstable',
      severity: 'warning',
      text: 'The map depends on the baseline: other baselines give other maps (see \u201cOther baselines\u201d).',
    });
  }
  const flags = gravestFirst(raised).map((flag) =>
    text(paper, 'P', `${flag.severity.toUpperCase()}  ${flag.text}`, {
      size: size.body,
      weight: flag.severity === 'info' ? 'regular' : 'semibold',
      color: severityColor[flag.severity],
    }),
  );
  const warnings: Block[] = data.entry.warnings.length === 0 ? [] : [list(paper, data.entry.warnings)];
  const none = text(paper, 'P', 'None.', { size: size.body });
  section(
    paper,
    'Warnings and flags',
    flags.length + warnings.length === 0 ? [none] : [...flags, ...warnings],
    3,
  );
}

function writeProvenance(paper: Paper, data: ReportData, who: Identity): void {
  const { entry, result } = data;
  const { device } = result;
  const missing = paper.typesetter.missing;
  const left: Fact[] = [
    { label: 'Study UID', value: who.studyInstanceUid },
    { label: 'Series UID', value: who.seriesInstanceUid },
    { label: 'SOP Instance UID', value: who.sopInstanceUid },
    { label: 'File', value: who.file },
    { label: 'Image SHA-256', value: stated(result.image.sha256) },
    { label: 'Frame', value: `${result.image.frame + 1} of ${entry.frames}` },
    {
      label: 'Pixels',
      value: `${entry.rows} rows \u00d7 ${entry.columns} columns, ${entry.bitsStored} bits stored`,
    },
    {
      label: 'Transfer syntax',
      value: `${stated(entry.transferSyntax.name)} (${stated(entry.transferSyntax.uid)})`,
    },
    { label: 'Manufacturer', value: stated(entry.manufacturer) },
  ];
  const right: Fact[] = [
    { label: 'Written', value: timestamp(data.createdAt) },
    { label: 'Pathlight', value: `version ${result.app.version}, commit ${stated(result.app.commit)}` },
    { label: 'Model SHA-256', value: result.model.sha256 },
    ...(result.lungs === null ? [] : [{ label: 'Lungs SHA-256', value: result.lungs.model.sha256 }]),
    { label: 'Device', value: deviceText(device) },
    ...(device.selfTest === null ? [] : [{ label: 'Self-test', value: selfTestText(device.selfTest) }]),
    {
      label: 'Runtime',
      value: `${stated(device.runtime)}${result.batch === null ? '' : `; ${result.batch} ${result.batch === 1 ? 'point' : 'points'} at once`}`,
    },
    ...result.notes.map((note): Fact => ({ label: 'Note', value: note })),
    { label: 'Computing time', value: duration(result.seconds) },
    {
      label: 'Parameters',
      value: parametersText(result),
    },
    ...(missing.length === 0
      ? []
      : [{ label: 'Characters', value: missingCharacters(missing), color: color.amber }]),
  ];
  section(paper, 'Provenance', [
    stack([
      columns(
        [
          { share: 1, block: facts(paper, left) },
          { share: 1, block: facts(paper, right) },
        ],
        20,
      ),
    ]),
  ]);
}
