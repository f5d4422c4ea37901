import { PathlightError } from '../contract/errors.ts';
import type { ExternalFiles } from '../onnx/external-data.ts';
import { readModel } from '../onnx/file.ts';
import { producer } from '../onnx/graph.ts';

/** The operators of a linear layer; their first input is what it is applied to. */
const linear: ReadonlySet<string> = new Set(['Gemm', 'MatMul']);

/**
 * The value that stands for what a model has made of an image: the input of the last linear layer before the output.
 * @param model an ONNX file
 * @returns the value's name, for `Ends.output`
 * @throws PathlightError `unsupported` where the output does not come from a linear layer
 */
export function representationLayer(
  model: Uint8Array,
  output: string,
  externalFiles?: ExternalFiles,
): string {
  const { nodes, constants } = readModel(model, externalFiles).graph;
  const passed = new Set<string>();
  for (let value = output; !passed.has(value);) {
    passed.add(value);
    const node = producer(nodes, value);
    value = node?.inputs.find((name) => name !== '' && !constants.has(name)) ?? '';
    if (node !== undefined && linear.has(node.operator)) return value;
  }
  throw new PathlightError(
    'unsupported',
    `No linear layer (${[...linear].join(', ')}) leads to the output "${output}".`,
    "Name the value to be taken as representation in the model's card.",
  );
}
