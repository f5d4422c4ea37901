/**
 * Writes a graph node by node, knows the type and the shape of every value in it, and folds what is constant.
 *
 * Shapes are computed, not solved for: every node is inferred once for each of a few concrete sizes of the batch. What
 * comes out alike for all of them is fixed, the rest depends on the batch. So no algebra of symbols is needed, and
 * whatever an exporter does with shapes (Shape, Gather, Div, Where, Reshape ...) is followed exactly.
 */
import { PathlightError } from '../contract/errors.ts';
import { attributes } from './attributes.ts';
import type { Call, Fact } from './call.ts';
import { copiesNothing, evaluate } from './evaluation.ts';
import type { Attribute, Node } from './graph.ts';
import { nodeName, operatorName } from './graph.ts';
import type { KnownOperator } from './inference.ts';
import { infer, isKnown } from './inference.ts';
import type { ElementType, Tensor } from './tensor.ts';
import { elementBytes, elementCount, sameTensor, tensor } from './tensor.ts';

/** A size, or 'batch' where it depends on how many images are computed at once. */
export type Dimension = number | 'batch';

/** The name of a value in the graph. */
export type Value = string;

export type AttributeValues = Readonly<Record<string, number | string | readonly number[] | Attribute>>;

/** Elements that any model may have in constants that are computed: masks, grids of places, shapes. */
const FREE_ELEMENTS = 2 ** 24;
/** Constants that are computed, for each element that the file holds: weights cast, dequantised, transposed. */
const COMPUTED_PER_STORED = 4;
/** More axes than any runtime takes. */
const MOST_AXES = 64;
/** Bytes of one value for one image. */
const LARGEST_VALUE = 2 ** 32;

export class GraphBuilder {
  readonly opset: number;
  /** The batch sizes at which every shape is inferred. */
  readonly probes: readonly number[];
  readonly nodes: Node[] = [];
  readonly constants = new Map<Value, Tensor>();
  readonly #facts = new Map<Value, readonly Fact[]>();
  readonly #shared = new Map<string, Value>();
  readonly #reserved: ReadonlySet<string>;
  #count = 0;
  #foldable = FREE_ELEMENTS;

  /** @param reserved names that values made here must not take */
  constructor(opset: number, probes: readonly number[], reserved: ReadonlySet<string> = new Set()) {
    this.opset = opset;
    this.probes = probes;
    this.#reserved = reserved;
  }

  /** Constants may be computed in proportion to the elements that the file holds: beyond that they are left to the runtime. */
  allowFolding(storedElements: number): void {
    this.#foldable += COMPUTED_PER_STORED * storedElements;
  }

  /** Declares a graph input. @param shapes one a probe */
  input(name: Value, type: ElementType, shapes: readonly (readonly number[])[]): void {
    this.#facts.set(
      name,
      shapes.map((shape) => ({ type, shape })),
    );
  }

  /** An initialiser of the graph under a name of its own. */
  initialiser(name: Value, value: Tensor): void {
    this.constants.set(name, value);
    const fact: Fact = { type: value.type, shape: value.shape, data: value };
    this.#facts.set(
      name,
      this.probes.map(() => fact),
    );
  }

  /** A constant; small ones that are alike are shared. */
  constant(value: Tensor): Value {
    const key =
      value.data.length <= 16 ? `${value.type}[${value.shape.join()}]${value.data.join()}` : undefined;
    const shared = key === undefined ? undefined : this.#shared.get(key);
    if (shared !== undefined) return shared;
    const name = this.#unique('constant');
    this.initialiser(name, value);
    if (key !== undefined) this.#shared.set(key, name);
    return name;
  }

  has(name: Value): boolean {
    return this.#facts.has(name);
  }

  /** One fact a probe. */
  facts(name: Value): readonly Fact[] {
    const facts = this.#facts.get(name);
    if (facts === undefined) throw new PathlightError('internal', `The value "${name}" is not in the graph.`);
    return facts;
  }

  type(name: Value): ElementType {
    return this.#first(name).type;
  }

  rank(name: Value): number {
    return this.#first(name).shape.length;
  }

  dimensions(name: Value): Dimension[] {
    const facts = this.facts(name);
    return this.#first(name).shape.map((size, axis) =>
      facts.every(({ shape }) => shape[axis] === size) ? size : 'batch',
    );
  }

  /** Bytes that the value takes for one image, or for the fixed number of them that the graph takes. */
  bytes(name: Value): number {
    return this.#bytes(this.facts(name));
  }

  #bytes(facts: readonly Fact[]): number {
    const [first, second] = facts.map(({ type, shape }) => elementBytes(type) * elementCount(shape));
    const [few, more] = this.probes;
    if (first === undefined || second === undefined || few === undefined || more === undefined) {
      return first ?? 0;
    }
    return Math.max(first - ((few - 1) * (second - first)) / (more - few), first / few);
  }

  /** The value's data where they are the same for every image and every batch. */
  data(name: Value): Tensor | undefined {
    const [first, ...rest] = this.facts(name).map(({ data }) => data);
    if (first === undefined) return undefined;
    return rest.every((other) => other !== undefined && sameTensor(first, other)) ? first : undefined;
  }

  /** Whether both values have the same shape at every probe. */
  sameShape(a: Value, b: Value): boolean {
    const others = this.facts(b);
    return this.facts(a).every(({ shape }, probe) => {
      const other = others[probe]?.shape ?? [];
      return shape.length === other.length && shape.every((size, axis) => size === other[axis]);
    });
  }

  /** Appends a node, unless all its outputs are constant: then they become initialisers. */
  add(node: Node): void {
    const { operator } = node;
    if (node.domain !== '' || !isKnown(operator)) {
      throw new PathlightError(
        'unsupported',
        `Node ${nodeName(node)} is of the unknown operator ${operatorName(node)}.`,
      );
    }
    const twice = node.outputs.find((name) => name !== '' && this.#facts.has(name));
    if (twice !== undefined) {
      throw new PathlightError(
        'damaged',
        `The model's graph makes the value "${twice}" twice (node ${nodeName(node)}).`,
        'Export the model again.',
      );
    }
    const calls = this.calls(node);
    const shapes = calls.map((call) => infer(operator, call));
    const outputs = node.outputs.map((name, output) => {
      const facts = shapes.map((own) => own[output]);
      if (name === '') return [];
      if (!facts.every((fact) => fact !== undefined)) {
        throw new PathlightError(
          'unsupported',
          `Node ${nodeName(node)} (${operatorName(node)}) has an output ${output} that Pathlight does not know.`,
        );
      }
      this.#checkSize(node, facts);
      return facts;
    });
    const elements = outputs.reduce((sum, [fact]) => sum + elementCount(fact?.shape ?? [0]), 0);
    const copies = !copiesNothing(operator);
    const folded = copies && elements > this.#foldable ? [] : this.#fold(operator, calls);
    if (operator === 'Constant') this.allowFolding(elements);
    else if (copies && folded.some((tensors) => tensors !== undefined)) this.#foldable -= elements;
    node.outputs.forEach((name, output) => {
      if (name === '') return;
      const own = (outputs[output] ?? []).map((fact, probe): Fact => {
        const data = folded[probe]?.[output];
        return data === undefined ? fact : { ...fact, data };
      });
      this.#facts.set(name, own);
    });
    const names = node.outputs.filter((name) => name !== '');
    const constants = names.map((name) => this.data(name));
    if (constants.every((value) => value !== undefined)) {
      names.forEach((name, index) => {
        const value = constants[index];
        if (value !== undefined) this.initialiser(name, value);
      });
    } else {
      this.nodes.push(node);
    }
  }

  /** @throws PathlightError: damaged, where a size is none; too-large */
  #checkSize(node: Node, facts: readonly Fact[]): void {
    for (const { shape } of facts) {
      if (shape.length > MOST_AXES || !shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
        throw new PathlightError(
          'damaged',
          `Node ${nodeName(node)} (${operatorName(node)}) gives a value of the shape [${shape.slice(0, MOST_AXES).join(', ')}].`,
          'Export the model again.',
        );
      }
    }
    const bytes = this.#bytes(facts);
    if (bytes > LARGEST_VALUE) {
      throw new PathlightError(
        'too-large',
        `Node ${nodeName(node)} (${operatorName(node)}) gives a value of the shape [${facts[0]?.shape.join(', ') ?? ''}], ${(bytes / 2 ** 30).toFixed(1)} GiB for one image.`,
        'Choose a smaller model, or one with a smaller input.',
      );
    }
  }

  /** An optional output of a node, which it is made to give if it does not yet. */
  output(node: Node, index: number): Value {
    const at = this.nodes.findIndex(({ outputs }) => outputs[0] === node.outputs[0]);
    const present = this.nodes[at] ?? node;
    const stated = present.outputs[index] ?? '';
    if (stated !== '') return stated;
    const name = this.#unique(node.operator);
    const outputs = Array.from({ length: Math.max(present.outputs.length, index + 1) }, (_, place) =>
      place === index ? name : (present.outputs[place] ?? ''),
    );
    const extended = { ...present, outputs };
    if (isKnown(node.operator)) {
      const operator = node.operator;
      this.#facts.set(
        name,
        this.calls(extended).flatMap((call) => infer(operator, call)[index] ?? []),
      );
    }
    this.nodes[at] = extended;
    return name;
  }

  /** The node over its inputs, once a probe. */
  calls(node: Node): Call[] {
    return this.probes.map((_, probe) => ({
      node,
      opset: this.opset,
      inputs: node.inputs.map((name) => (name === '' ? undefined : this.facts(name)[probe])),
    }));
  }

  #fold(operator: KnownOperator, calls: readonly Call[]): (readonly Tensor[] | undefined)[] {
    const [first] = calls;
    if (first === undefined) return [];
    const outcome = evaluate(operator, first);
    return calls.map((call) => {
      if (call === first) return outcome;
      const alike = call.inputs.every(
        (fact, index) => fact?.data !== undefined && fact.data === first.inputs[index]?.data,
      );
      return alike && outcome !== undefined ? outcome : evaluate(operator, call);
    });
  }

  /** Appends a node of one output and returns it. */
  op(operator: KnownOperator, inputs: readonly Value[], values: AttributeValues = {}): Value {
    const output = this.#unique(operator);
    this.addAs(output, operator, inputs, [output], values);
    return output;
  }

  /** Appends a node of several outputs. */
  ops(
    operator: KnownOperator,
    inputs: readonly Value[],
    count: number,
    values: AttributeValues = {},
  ): Value[] {
    const outputs = Array.from({ length: count }, () => this.#unique(operator));
    this.addAs(outputs[0] ?? '', operator, inputs, outputs, values);
    return outputs;
  }

  /** Appends a node of one output whose derivative is taken as 1. */
  opStraightThrough(operator: KnownOperator, input: Value): Value {
    const output = this.#unique(operator);
    this.add({
      name: output,
      operator,
      domain: '',
      inputs: [input],
      outputs: [output],
      attributes: attributes({}),
      straightThrough: true,
    });
    return output;
  }

  /** Appends a node under a name of its own, whose outputs have theirs. */
  addAs(
    name: string,
    operator: KnownOperator,
    inputs: readonly Value[],
    outputs: readonly Value[],
    values: AttributeValues,
  ): void {
    this.add({ name, operator, domain: '', inputs, outputs, attributes: attributes(values) });
  }

  #unique(what: string): Value {
    let name: string;
    do name = `pathlight/${what}_${this.#count++}`;
    while (this.#facts.has(name) || this.#reserved.has(name));
    return name;
  }

  #first(name: Value): Fact {
    const [fact] = this.facts(name);
    if (fact === undefined) throw new PathlightError('internal', 'A graph needs at least one batch size.');
    return fact;
  }
}

/** A tensor of one value in the given type. */
export function filled(type: ElementType, shape: readonly number[], value: number): Tensor {
  return tensor(type, shape, new Float64Array(elementCount(shape)).fill(value));
}
