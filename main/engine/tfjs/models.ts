/** What the engine's process asks of models in TensorFlow.js form. Opened models are kept while they are in use. */
import type { DeviceInfo } from '../../../core/contract/device.ts';
import type { EngineModel } from '../engine.ts';
import { Sessions } from '../sessions.ts';
import { openTfjsModel, type TfjsModel } from './tfjs-model.ts';

export { checkTfjsModel } from './check-tfjs-model.ts';

const models = new Sessions<TfjsModel>(2, async (model) => {
  model.dispose();
  return Promise.resolve();
});

/** Gives `work` the opened model, which stays open until it ends. */
export function withModel<T>(model: EngineModel, work: (opened: TfjsModel) => Promise<T>): Promise<T> {
  const { sha256, externalData, format, input, output } = model;
  const key = JSON.stringify([sha256, externalData, format, input, output]);
  return models.use(key, () => openTfjsModel(model), work);
}

/** What computes that model, after its self-test. */
export function deviceOf(model: EngineModel): Promise<DeviceInfo> {
  return withModel(model, ({ provider, selfTest, refused, version }) => {
    const proof =
      selfTest === null
        ? []
        : [`self-test: ${selfTest.error.toExponential(1)} of ${selfTest.tolerance} allowed against tfjs-cpu`];
    return Promise.resolve({
      provider,
      name: '',
      // Node's WebAssembly and its interpreter compute in one thread.
      threads: 1,
      runtime: [
        `TensorFlow.js ${version}`,
        `Node ${process.versions.node}`,
        ...proof,
        ...refused.map((backend) => `refused: ${backend}`),
      ].join(', '),
      selfTest: null,
    });
  });
}
