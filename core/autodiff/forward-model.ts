/** ONNX model -> the ONNX model that gives one output to a caller of float32, channels first: itself wherever that is what it does. */
import { PathlightError } from '../contract/errors.ts';
import { readModel, writeModel } from '../onnx/file.ts';
import { needed } from '../onnx/forward.ts';
import type { Model } from '../onnx/graph.ts';
import type { Ends } from './ends.ts';
import { live, OLDEST_IR } from './gradient-model.ts';
import { describeObstacles, openModel } from './opening.ts';

export interface ForwardModel {
  /** The ONNX file itself, or another one of the same input and output. */
  readonly bytes: Uint8Array;
  /** How many images a run may take: any number, or just this one. */
  readonly batch: 'dynamic' | number;
}

/**
 * @param bytes an ONNX file
 * @throws PathlightError as reading and following the model say; what has no gradient may run all the same
 */
export function buildForwardModel(bytes: Uint8Array, ends: Ends): ForwardModel {
  const model = readModel(bytes, ends.externalFiles);
  const rewritten = needsRewriting(model, ends);
  try {
    const { graph, obstacles, batch, shape } = openModel(model, ends);
    if (!rewritten) return { bytes, batch };
    if (obstacles.length > 0) {
      throw new PathlightError(
        'unsupported',
        `The model cannot be run as it is: ${describeObstacles(obstacles).join('; ')}.`,
        'Export the model in float32, with its weights inside.',
      );
    }
    const sizes = graph.dimensions(ends.output).map((size) => (size === 'batch' ? 'N' : size));
    const declare = (name: string, stated: readonly (number | string)[]) => ({
      name,
      type: graph.type(name),
      typeName: graph.type(name),
      shape: stated,
    });
    const written = writeModel({
      irVersion: Math.max(model.irVersion, OLDEST_IR),
      opset: graph.opset,
      graph: {
        name: 'forward',
        ...live(graph, [ends.output]),
        inputs: [declare(ends.input, [batch === 'dynamic' ? 'N' : batch, ...shape])],
        outputs: [declare(ends.output, sizes)],
      },
    });
    return { bytes: written, batch };
  } catch (error) {
    if (!rewritten && error instanceof PathlightError && error.kind === 'unsupported') {
      const [first] = model.graph.inputs.find(({ name }) => name === ends.input)?.shape ?? [];
      return { bytes, batch: typeof first === 'number' && first > 0 ? first : 1 };
    }
    throw error;
  }
}

function needsRewriting(model: Model, ends: Ends): boolean {
  const declared = model.graph.inputs.find(({ name }) => name === ends.input);
  return (
    model.notes.length > 0 ||
    (ends.externalFiles?.size ?? 0) > 0 ||
    Object.keys(ends.heldInputs ?? {}).length > 0 ||
    ends.layout === 'NHWC' ||
    // The runtime wants a value even for inputs that nothing reads.
    model.graph.inputs.length > 1 ||
    // What the output does not need has not been checked, and the runtime would compute some of it while it opens the file.
    needed(model.graph, ends.output).length < model.graph.nodes.length ||
    (ends.elementType !== undefined && declared?.type !== ends.elementType)
  );
}
