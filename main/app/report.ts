/** Gathers what the report of one explanation is made of. Nothing is computed twice: it takes what the session has finished. */
import type { BaselineId } from '../../core/attribution/baseline-kinds.ts';
import type { Choice } from '../../core/attribution/choices.ts';
import { PathlightError } from '../../core/contract/errors.ts';
import { BASELINES } from '../../core/contract/result.ts';
import { displayValues } from '../../core/imaging/grayscale.ts';
import { displayOfModelInput } from '../../core/imaging/model-input.ts';
import type { ReportData } from '../report/report-data.ts';
import { agreementBetween, type Analysis, type Explanation, type ExplanationRequest } from './analysis.ts';
import type { ModelCatalogue } from './models.ts';

const PLAIN: readonly Choice<BaselineId>[] = BASELINES.map((id) => ({ id, parameters: {} }));

/**
 * @param compared baselines whose maps stand beside it, where they were made in this session
 * @throws PathlightError `bad-request` where the explanation was not made in this session
 */
export async function reportData(
  analysis: Analysis,
  models: ModelCatalogue,
  request: ExplanationRequest,
  maskPatient: boolean,
  compared: readonly Choice<BaselineId>[] = PLAIN,
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
  const others: { baseline: BaselineId; of: Explanation; image: Float32Array }[] = [];
  for (const baseline of compared) {
    const of = await analysis.finished({ ...request, baseline });
    const image = of === undefined ? null : baselineImage(of);
    if (of !== undefined && image !== null) others.push({ baseline: baseline.id, of, image });
  }
  // One map alone is no comparison.
  const baselines = others.length > 1 ? others : [];
  function baselineImage({ baseline }: Explanation): Float32Array | null {
    return baseline === null ? null : displayOfModelInput(baseline, card.input);
  }

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
    baselines: baselines.map(({ baseline, of, image }) => ({
      baseline,
      map: of.map,
      image,
      convergence: of.result,
    })),
    agreement: baselines.length > 1 ? agreementBetween(baselines.map(({ of }) => of)) : null,
    lungs:
      explanation.lungs === null
        ? null
        : { card: explanation.lungs.card, mask: explanation.lungs.probability },
    createdAt: new Date(),
    maskPatient,
  };
}
