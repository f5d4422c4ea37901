/** Gathers what the report of one explanation is made of. Nothing is computed twice: it takes what the session has finished. */
import { makeBaseline } from '../../core/attribution/baselines.ts';
import { PathlightError } from '../../core/contract/errors.ts';
import { BASELINES } from '../../core/contract/result.ts';
import { displayValues } from '../../core/imaging/grayscale.ts';
import { displayOfModelInput } from '../../core/imaging/model-input.ts';
import type { ReportData } from '../report/report-data.ts';
import { agreementBetween, type Analysis, type Explanation, type ExplanationRequest } from './analysis.ts';
import type { ModelCatalogue } from './models.ts';

/** @throws PathlightError `bad-request` where the explanation was not made in this session */
export async function reportData(
  analysis: Analysis,
  models: ModelCatalogue,
  request: ExplanationRequest,
  maskPatient: boolean,
): Promise<ReportData> {
  const explanation = await analysis.finished(request);
  if (explanation === undefined) {
    throw new PathlightError('bad-request', 'This image has not been explained yet', 'Explain it first.');
  }
  const { card } = await models.find(request.model);
  const [{ frame, grayscale }, input] = await Promise.all([
    analysis.images.decoded(request),
    analysis.images.input(request, card.input),
  ]);
  const compared: Explanation[] = [];
  for (const baseline of BASELINES) {
    const finished = await analysis.finished({ ...request, baseline });
    if (finished !== undefined) compared.push(finished);
  }
  // One map alone is no comparison.
  const baselines = compared.length > 1 ? compared : [];
  const baselineImage = (of: Explanation): Float32Array =>
    displayOfModelInput(makeBaseline(of.result.baseline, input, card.input), card.input);

  return {
    entry: request.image.entry,
    display: displayValues(frame, grayscale),
    grayscale,
    voi: grayscale.vois[0] ?? null,
    result: explanation.result,
    card,
    map: explanation.map,
    modelImage: displayOfModelInput(input, card.input),
    baselineImage: baselineImage(explanation),
    baselines: baselines.map((of) => ({
      baseline: of.result.baseline,
      map: of.map,
      image: baselineImage(of),
      convergence: of.result,
    })),
    agreement: baselines.length > 1 ? agreementBetween(baselines) : null,
    lungs:
      explanation.lungs === null
        ? null
        : { card: explanation.lungs.card, mask: explanation.lungs.probability },
    createdAt: new Date(),
    maskPatient,
  };
}
