/** Typed access to a node's attributes, with ONNX's defaults given where they are read. */
import { PathlightError } from '../contract/errors.ts';
import type { Attribute, Graph, Node } from './graph.ts';
import { nodeName, operatorName } from './graph.ts';
import type { Tensor } from './tensor.ts';

type Kind = Attribute['kind'];

function read(node: Node, name: string, kinds: readonly Kind[]): Attribute | undefined {
  const attribute = node.attributes.get(name);
  if (attribute !== undefined && !kinds.includes(attribute.kind)) {
    throw new PathlightError(
      'damaged',
      `Attribute "${name}" of node ${nodeName(node)} (${operatorName(node)}) is of kind ${attribute.kind}, not ${kinds.join(' or ')}.`,
      'Export the model again.',
    );
  }
  return attribute;
}

/** @returns the attribute, or `otherwise` where the node does not state it */
export function int<D>(node: Node, name: string, otherwise: D): number | D {
  const attribute = read(node, name, ['int']);
  return attribute?.kind === 'int' ? attribute.value : otherwise;
}

export function float<D>(node: Node, name: string, otherwise: D): number | D {
  const attribute = read(node, name, ['float']);
  return attribute?.kind === 'float' ? attribute.value : otherwise;
}

export function ints<D>(node: Node, name: string, otherwise: D): readonly number[] | D {
  const attribute = read(node, name, ['ints']);
  return attribute?.kind === 'ints' ? attribute.value : otherwise;
}

export function floats<D>(node: Node, name: string, otherwise: D): readonly number[] | D {
  const attribute = read(node, name, ['floats']);
  return attribute?.kind === 'floats' ? attribute.value : otherwise;
}

export function string<D>(node: Node, name: string, otherwise: D): string | D {
  const attribute = read(node, name, ['string']);
  return attribute?.kind === 'string' ? attribute.value : otherwise;
}

export function tensorAttribute<D>(node: Node, name: string, otherwise: D): Tensor | D {
  const attribute = read(node, name, ['tensor']);
  return attribute?.kind === 'tensor' ? attribute.value : otherwise;
}

export function graphAttribute<D>(node: Node, name: string, otherwise: D): Graph | D {
  const attribute = read(node, name, ['graph']);
  return attribute?.kind === 'graph' ? attribute.value : otherwise;
}

/** Attributes to write, from plain values: integers and lists of integers as ONNX ints, strings as strings. */
export function attributes(
  values: Readonly<Record<string, number | string | readonly number[] | Attribute>>,
): ReadonlyMap<string, Attribute> {
  return new Map(
    Object.entries(values).map(([name, value]): [string, Attribute] => {
      if (typeof value === 'number') return [name, { kind: 'int', value }];
      if (typeof value === 'string') return [name, { kind: 'string', value }];
      if ('kind' in value) return [name, value];
      return [name, { kind: 'ints', value }];
    }),
  );
}

/** A float attribute to write, which a plain number would not be. */
export function floatValue(value: number): Attribute {
  return { kind: 'float', value };
}
