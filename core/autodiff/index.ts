/** The gradient of an ONNX model, as an ONNX model. */
export type { GradientModel, GradientOptions, PathNames } from './gradient-model.ts';
export { buildGradientModel } from './gradient-model.ts';
export type { Ends, HeldInput } from './ends.ts';
export { volumeReason } from './ends.ts';
export { buildForwardModel } from './forward-model.ts';
export { representationLayer } from './representation-layer.ts';
export type { ModelSupport } from './support.ts';
export { checkSupport } from './support.ts';
export type { Cost } from '../onnx/cost.ts';
