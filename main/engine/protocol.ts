/** The messages between the engine's client and its process: structured clones, one reply or stream for each request. */
import type { ErrorReport } from '../../core/contract/errors.ts';
import type { DeviceInfo, DeviceOffer, Provider } from '../../core/contract/device.ts';
import type {
  AttributionEvent,
  AttributionJob,
  EngineModel,
  GradientMeasurement,
  ModelSupport,
} from './engine.ts';

export type EngineRequest =
  | { call: 'device'; provider: Provider; model: EngineModel | null }
  | { call: 'probe'; provider: Provider }
  | { call: 'run'; model: EngineModel; points: Float32Array; count: number }
  /** `prepared`: the folder of prepared gradient graphs, or null. */
  | { call: 'attribute'; job: AttributionJob; prepared: string | null }
  | { call: 'check'; subject: string | EngineModel }
  | { call: 'measure'; file: string; provider: Provider };

/** What each call answers; `attribute` answers with items, then with an end without a value. */
export interface EngineAnswers {
  device: DeviceInfo;
  probe: DeviceOffer;
  run: Float32Array;
  attribute: undefined;
  check: ModelSupport;
  measure: GradientMeasurement;
}

export type EngineCall = EngineRequest['call'];

/** `cancel` has no reply of its own: the call that it names ends with an error of kind `cancelled`. */
export type ToEngine = { id: number; request: EngineRequest } | { cancel: number };

export type FromEngine =
  | { id: number; item: AttributionEvent }
  | { id: number; answer: EngineAnswers[EngineCall] }
  | { id: number; error: ErrorReport };
