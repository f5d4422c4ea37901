/** Networks drawn at random, as ONNX Runtime rewrites them for this processor: with fewer reorderings they give the same bits. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AttributeValues } from '../../core/onnx/builder.ts';
import { withNodes } from '../../core/onnx/file.ts';
import type { Declaration, Node } from '../../core/onnx/graph.ts';
import { withoutNeedlessReorders } from '../../core/autodiff/reorders.ts';
import { integers, scalar, type Tensor } from '../../core/onnx/tensor.ts';
import { openSession, runSession } from '../../main/engine/sessions.ts';
import { randomNumbers } from '../support/against-runtime.ts';
import { declaration, drawnWeights, floatTensor, modelBytes, node, numbers } from '../support/onnx-models.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
const [HEIGHT, WIDTH] = [5, 4];

/** A network of images [N, channels, 5, 4] and of parts of them, written step by step. */
class Network {
  readonly nodes: Node[] = [];
  readonly constants = new Map<string, Tensor>();
  /** Without the batch. */
  readonly shapes = new Map<string, readonly number[]>([['x', [32, HEIGHT, WIDTH]]]);
  readonly #weights = drawnWeights(1);

  add(
    operator: string,
    inputs: string[],
    shapes: (readonly number[])[],
    values: AttributeValues = {},
  ): string[] {
    const outputs = shapes.map((shape, index) => {
      const name = `v${this.nodes.length}.${index}`;
      this.shapes.set(name, shape);
      return name;
    });
    this.nodes.push(node(operator, inputs, outputs, values));
    return outputs;
  }

  constant(value: Tensor): string {
    const name = `c${this.constants.size}`;
    this.constants.set(name, value);
    return name;
  }

  channels(name: string): number {
    return this.shapes.get(name)?.[0] ?? 0;
  }

  conv(input: string, channels: number): void {
    const kernel = this.constant(this.#weights([channels, this.channels(input), 1, 1], 0.2));
    this.add('Conv', [input, kernel], [[channels, HEIGHT, WIDTH]]);
  }

  /** Of the same shape as its first input. */
  elementwise(operator: string, inputs: string[], values: AttributeValues = {}): void {
    const [first = ''] = inputs.filter((name) => !this.constants.has(name));
    this.add(operator, inputs, [this.shapes.get(first) ?? []], values);
  }

  images(): string[] {
    return [...this.shapes]
      .filter(([name, shape]) => name !== 'x' && shape[1] === HEIGHT)
      .map(([name]) => name);
  }

  unread(): string[] {
    const read = new Set(this.nodes.flatMap(({ inputs }) => inputs));
    return [...this.shapes.keys()].filter((name) => !read.has(name));
  }

  /** Every value that nobody reads is an output. */
  bytes(): Uint8Array {
    const declared = (name: string): Declaration =>
      declaration(name, ['N', ...(this.shapes.get(name) ?? [])]);
    const outputs = this.unread();
    const between = [...this.shapes.keys()].filter((name) => name !== 'x' && !outputs.includes(name));
    return modelBytes({
      nodes: this.nodes,
      constants: this.constants,
      inputs: [declared('x')],
      outputs: outputs.map(declared),
      values: between.map(declared),
    });
  }
}

type Step = (network: Network, a: string, b: string) => void;
const steps: Record<string, Step> = {
  wide: (network, a) => network.conv(a, 32),
  narrow: (network, a) => network.conv(a, 16),
  /** Does not fill blocks of 16. */
  odd: (network, a) => network.conv(a, 24),
  split: (network, a) => {
    const more = network.channels(a) - 16;
    if (more <= 0) return;
    const sizes = network.constant(integers([16, more]));
    network.add(
      'Split',
      [a, sizes],
      [16, more].map((channels) => [channels, HEIGHT, WIDTH]),
      { axis: 1 },
    );
  },
  concat: (network, a, b) => {
    network.add('Concat', [a, b], [[network.channels(a) + network.channels(b), HEIGHT, WIDTH]], { axis: 1 });
  },
  add: (network, a, b) => {
    if (network.channels(a) === network.channels(b)) network.elementwise('Add', [a, b]);
  },
  subtract: (network, a, b) => {
    if (network.channels(a) === network.channels(b)) network.elementwise('Sub', [a, b]);
  },
  scale: (network, a) => network.elementwise('Mul', [network.constant(scalar('float32', 0.5)), a]),
  negate: (network, a) => network.elementwise('Neg', [a]),
  /** One number a channel, spread over the image. */
  gate: (network, a) => {
    const [pool = ''] = network.add('GlobalAveragePool', [a], [[network.channels(a), 1, 1]]);
    network.elementwise('Sub', [a, pool]);
  },
  /** The lower rows of the image above the upper ones. */
  swap: (network, a) => {
    const channels = network.channels(a);
    const sizes = network.constant(integers([2, 3]));
    const parts = network.add(
      'Split',
      [a, sizes],
      [2, 3].map((rows) => [channels, rows, WIDTH]),
      { axis: 2 },
    );
    network.add('Concat', parts.toReversed(), [[channels, HEIGHT, WIDTH]], { axis: 2 });
  },
};

const drawn = fc.array(
  fc.record({ step: fc.constantFrom(...Object.values(steps)), a: fc.nat(4), b: fc.nat(4) }),
  { minLength: 4, maxLength: 16 },
);

/** Each step reads what was made not long before; of what nobody has read in the end, every second image goes into a convolution. */
function networkOf(program: readonly { step: Step; a: number; b: number }[]): Uint8Array {
  const network = new Network();
  network.conv('x', 32);
  for (const { step, a, b } of program) {
    const latest = network.images().slice(-5);
    step(network, latest[a % latest.length] ?? '', latest[b % latest.length] ?? '');
  }
  for (const [index, name] of network.unread().entries()) if (index % 2 === 0) network.conv(name, 16);
  return network.bytes();
}

async function rewritten(bytes: Uint8Array): Promise<Buffer> {
  const file = path.join(folder, 'rewritten.onnx');
  await (await openSession(bytes, 'the network', { keepRewritten: file })).release();
  return readFileSync(file);
}

async function results(bytes: Uint8Array): Promise<Record<string, Float64Array>> {
  const session = await openSession(bytes, 'the network', { rewritten: true });
  const x = floatTensor('float32', randomNumbers('image', 2 * 32 * HEIGHT * WIDTH), [2, 32, HEIGHT, WIDTH]);
  const outputs = await runSession(session, { x }, [...session.outputNames]);
  await session.release();
  return Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, numbers(value)]));
}

describe('a graph of blocked convolutions', () => {
  it('gives the same bits without its needless reorderings', async () => {
    let spared = 0;
    await fc.assert(
      fc.asyncProperty(drawn, async (program) => {
        const before = await rewritten(networkOf(program));
        const after = withNodes(before, withoutNeedlessReorders);
        if (after === null) return;
        spared++;
        expect(await results(after)).toEqual(await results(before));
      }),
      { numRuns: 150, seed: 1 },
    );
    expect(spared).toBeGreaterThan(50);
  });
});
