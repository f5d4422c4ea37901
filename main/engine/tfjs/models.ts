/** What the engine's process asks of models in TensorFlow.js form. Opened models are kept while they are in use. */
import type { DeviceInfo } from '../../../core/contract/device.ts';
import type { Need } from '../../../core/attribution/parameters.ts';
import { PathlightError } from '../../../core/contract/errors.ts';
import type { Seams } from '../attribute.ts';
import { inBatches } from '../between-batches.ts';
import type { AttributionJob, EngineModel } from '../engine.ts';
import { scoreOf } from '../score.ts';
import { Sessions } from '../sessions.ts';
import { openTfjsModel, type TfjsModel } from './tfjs-model.ts';

export { checkTfjsModel } from './check-tfjs-model.ts';

const models = new Sessions<TfjsModel>(2, async (model) => {
  model.dispose();
  return Promise.resolve();
});

/** Gives `work` the opened model, which stays open until it ends. */
function withModel<T>(model: EngineModel, work: (opened: TfjsModel) => Promise<T>): Promise<T> {
  const { sha256, externalData, format, input, output } = model;
  const key = JSON.stringify([sha256, externalData, format, input, output]);
  return models.use(key, () => openTfjsModel(model), work);
}

/**
 * Gives `work` what a job asks of its model.
 * @throws PathlightError `unsupported`: entropy, representation or randomised weights, for which there are graphs of ONNX models only
 */
export async function withSeams(
  job: AttributionJob,
  needs: ReadonlySet<Need>,
  work: (seams: Seams) => Promise<void>,
): Promise<void> {
  const { model, target, scalar, randomised } = job;
  const lacking = [
    ...(needs.has('entropy') ? ['the entropy of what it says (the maximum-entropy baseline)'] : []),
    ...(needs.has('representation') ? ['its representation of images (IG2, counterfactuals)'] : []),
    ...(randomised === undefined ? [] : ['its weights randomised']),
  ];
  if (lacking.length > 0) {
    throw new PathlightError(
      'unsupported',
      `The model ${model.id} is in TensorFlow.js form, of which Pathlight has no gradients of ${lacking.join(' and ')}.`,
      'Choose another method or baseline, or export the model as ONNX.',
    );
  }
  return withModel(model, (opened) => {
    const score = scoreOf(job, (points, count) => inBatches(points, count, 1, opened.run));
    return work({ model: { ...opened.differentiable(target, scalar), score }, batchSize: 1, notes: [] });
  });
}

/** @param points [count, elements] @returns [count, labels] */
export function runTfjs(model: EngineModel, points: Float32Array, count: number): Promise<Float32Array> {
  return withModel(model, (opened) => inBatches(points, count, 1, opened.run));
}

/** What computes that model, after its self-test. */
export function deviceOf(model: EngineModel): Promise<DeviceInfo> {
  return withModel(model, ({ provider, selfTest, refused, version }) =>
    Promise.resolve({
      provider,
      name: '',
      // Node's WebAssembly and its interpreter compute in one thread.
      threads: 1,
      runtime: [
        `TensorFlow.js ${version}`,
        `Node ${process.versions.node}`,
        ...refused.map((backend) => `refused: ${backend}`),
      ].join(', '),
      selfTest,
    }),
  );
}
