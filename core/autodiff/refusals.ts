/** Why an operator cannot be differentiated at all, where that is known by its name. */
import type { Node } from '../onnx/graph.ts';
import { operatorName } from '../onnx/graph.ts';
import { ruleOf } from './rules/index.ts';

/** Of ONNX Runtime. */
const INTEGERS = /^(QLinear|QAttention|QGemm|QOrdered|QEmbed|MatMulInteger|DynamicQuantize)/;

/** @returns undefined for operators that have a rule */
export function refusal(node: Node): string | undefined {
  const rule = node.domain === '' ? ruleOf(node.operator) : undefined;
  if (rule !== undefined) return rule.kind === 'refused' ? rule.reason : undefined;
  if (node.domain === 'com.microsoft' && INTEGERS.test(node.operator)) {
    return 'it computes in integers: a model quantised so has no gradient, but may have one in its QDQ form';
  }
  if (node.domain === 'ai.onnx.ml') {
    return 'the operators of classical machine learning have no gradient rule';
  }
  if (node.domain === 'com.microsoft.nchwc') {
    return 'it is part of a model that ONNX Runtime has optimised for one processor: use the model as it was before';
  }
  return `the operator ${operatorName(node)} is not supported`;
}
