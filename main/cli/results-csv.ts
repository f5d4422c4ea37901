/** `results.csv`: the results of an audit as a table; docs/results.md describes its columns. */
import type { ExplanationResult } from '../../core/contract/result.ts';
import { type CsvCell, csvRecord } from '../app/csv.ts';

const COLUMNS: readonly [name: string, cell: (result: ExplanationResult) => CsvCell][] = [
  ['file', ({ image }) => image.file],
  ['frame', ({ image }) => image.frame],
  ['sop_instance_uid', ({ image }) => image.sopInstanceUid],
  ['image_sha256', ({ image }) => image.sha256],
  ['model', ({ model }) => model.id],
  ['model_sha256', ({ model }) => model.sha256],
  ['label', ({ prediction }) => prediction.label],
  ['target', ({ target }) => target],
  ['score', ({ prediction, target }) => prediction.scores[target] ?? null],
  ['logit', ({ prediction, target }) => prediction.logits[target] ?? null],
  ['threshold', ({ prediction }) => prediction.threshold],
  ['scalar', ({ scalar }) => scalar],
  ['method', ({ method }) => method],
  ['parameters', ({ parameters }) => JSON.stringify(parameters)],
  ['baseline', ({ baseline }) => baseline],
  ['baseline_parameters', ({ baselineParameters }) => JSON.stringify(baselineParameters)],
  ['sum', ({ sum }) => sum],
  ['expected_sum', ({ expectedSum }) => expectedSum],
  ['fx', ({ fx }) => fx],
  ['fb', ({ fb }) => fb],
  ['gap', ({ gap }) => gap],
  ['gap_relative', ({ gapRelative }) => gapRelative],
  ['gap_bound', ({ gapBound }) => gapBound],
  ['map_change', ({ mapChange }) => mapChange],
  ['evaluations', ({ evaluations }) => evaluations],
  ['baseline_evaluations', ({ baselineEvaluations }) => baselineEvaluations],
  ['converged', ({ converged }) => converged],
  ['spread', ({ spread }) => spread?.share ?? null],
  ['runs', ({ spread }) => spread?.runs ?? null],
  ['lung_share', ({ lungs }) => lungs?.share ?? null],
  ['lung_area_share', ({ lungs }) => lungs?.areaShare ?? null],
  ['lung_enrichment', ({ lungs }) => lungs?.enrichment ?? null],
  ['lung_share_random', ({ lungs }) => lungs?.null.random ?? null],
  ['lung_share_edges', ({ lungs }) => lungs?.null.edges ?? null],
  ['peak_row', ({ lungs }) => lungs?.peak.row ?? null],
  ['peak_column', ({ lungs }) => lungs?.peak.column ?? null],
  ['peak_in_lungs', ({ lungs }) => lungs?.peakInside ?? null],
  ['flags', ({ flags }) => flags.map(({ id }) => id).join(' ')],
  ['notes', ({ notes }) => notes.join(' ')],
  ['seconds', ({ seconds }) => seconds],
  ['provider', ({ device }) => device.provider],
  ['device', ({ device }) => device.name],
  ['device_error', ({ device }) => device.selfTest?.error ?? null],
  ['threads', ({ device }) => device.threads],
  ['batch', ({ batch }) => batch],
  ['runtime', ({ device }) => device.runtime],
  ['app_version', ({ app }) => app.version],
  ['app_commit', ({ app }) => app.commit],
];

/** The whole file, its header first. */
export function resultsCsv(results: readonly ExplanationResult[]): string {
  const header = csvRecord(COLUMNS.map(([name]) => name));
  return header + results.map((result) => csvRecord(COLUMNS.map(([, cell]) => cell(result)))).join('');
}
