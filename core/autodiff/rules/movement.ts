/** Operators that move elements: each gradient moves them back, and adds up where one was used twice. */
import * as attribute from '../../onnx/attributes.ts';
import type { Value } from '../../onnx/builder.ts';
import type { Call } from '../../onnx/call.ts';
import { axisOf, values } from '../../onnx/call.ts';
import { padding, sliceRanges, splitSizes } from '../../onnx/inference.ts';
import { integers } from '../../onnx/tensor.ts';
import type { Rule } from '../rule.ts';
import { inputs, unary } from '../rule.ts';
import type { Site } from '../site.ts';

const backToShape = inputs((g) => g.reshapeLike(g.dy, g.x()), undefined);

/** What a form computes from the shapes, which must come out alike for every number of images. */
function fixed<T>(g: Site, compute: (call: Call) => T): T {
  const [first, ...rest] = g.graph.calls(g.node).map(compute);
  if (first === undefined || rest.some((other) => JSON.stringify(other) !== JSON.stringify(first))) {
    throw g.unsupported('what it takes depends on the number of images');
  }
  return first;
}

function axisOfNode(g: Site, otherwise: number): number {
  return axisOf(g.call, attribute.int(g.node, 'axis', otherwise), g.rank(g.x()));
}

/** Indices [n] along an axis, repeated to the shape of `updates`. */
function spreadIndices(g: Site, indices: Value, updates: Value, axis: number): Value {
  const rank = g.rank(updates);
  const column = g.reshape(
    indices,
    Array.from({ length: rank }, (_, at) => (at === axis ? -1 : 1)),
  );
  return g.op('Expand', [column, g.op('Shape', [updates])]);
}

function gatherGradient(g: Site): Value {
  const axis = axisOfNode(g, 0);
  const sizes = g.dimensions(g.x());
  const picked = g.dimensions(g.x(1));
  const count = picked.reduce<number>((product, size) => product * (size === 'batch' ? NaN : size), 1);
  if (Number.isNaN(count)) throw g.unsupported('what it takes depends on the number of images');
  const dy = g.reshape(g.dy, [...sizes.slice(0, axis), count, ...sizes.slice(axis + 1)]);
  const indices = g.data(g.x(1));
  const size = sizes[axis];
  if (indices !== undefined && typeof size === 'number') {
    const places = Array.from(indices.data, (at) => (at < 0 ? at + size : at));
    const [start = 0] = places;
    if (places.every((at, index) => at === start + index)) {
      const at = (amount: number): number[] => sizes.map((_, index) => (index === axis ? amount : 0));
      return g.pad(dy, at(start), at(size - start - count));
    }
  }
  const flat = g.reshape(g.x(1), [count]);
  return g.scatterAdd(g.x(), spreadIndices(g, flat, dy, axis), dy, axis);
}

/** Where each element of a padded axis was read from (ONNX Pad: reflect, edge, wrap). */
function paddingSource(mode: string, size: number, begin: number, count: number): number[] {
  const mirror = (at: number): number => {
    if (size === 1) return 0;
    const period = 2 * (size - 1);
    const place = ((at % period) + period) % period;
    return place < size ? place : period - place;
  };
  return Array.from({ length: count }, (_, index) => {
    const at = index - begin;
    if (mode === 'reflect') return mirror(at);
    if (mode === 'wrap') return ((at % size) + size) % size;
    return Math.min(Math.max(at, 0), size - 1);
  });
}

function padGradient(g: Site): Value {
  const { begin, end } = fixed(g, padding);
  const mode = attribute.string(g.node, 'mode', 'constant');
  if (mode === 'constant') {
    return g.pad(
      g.dy,
      begin.map((size) => -size),
      end.map((size) => -size),
    );
  }
  let dx = g.dy;
  begin.forEach((before, axis) => {
    const after = end[axis] ?? 0;
    if (before === 0 && after === 0) return;
    const size = g.size(g.x(), axis);
    const source = g.constant(integers(paddingSource(mode, size, before, size + before + after)));
    const target = g.slice(dx, [axis], [0], [size]);
    dx = g.scatterAdd(target, spreadIndices(g, source, dx, axis), dx, axis);
  });
  return dx;
}

function sliceGradient(g: Site): Value {
  const everything = g.graph.calls(g.node).map(sliceRanges);
  const sizes = g.dimensions(g.x());
  // An axis taken whole is left alone, so that the batch may have any size.
  const cut = sizes.flatMap((_, axis) => {
    const whole = g.graph.facts(g.x()).every(({ shape }, probe) => {
      const range = everything[probe]?.[axis];
      return range?.start === 0 && range.step === 1 && range.count === shape[axis];
    });
    return whole ? [] : [axis];
  });
  const ranges = fixed(g, (call) => cut.map((axis) => sliceRanges(call)[axis]));
  const steps = ranges.map((range) => range?.step ?? 1);
  const forward = g.flip(
    g.dy,
    cut.filter((_, index) => (steps[index] ?? 1) < 0),
  );
  const spread = g.dilate(forward, cut, steps.map(Math.abs));
  const begin = sizes.map(() => 0);
  const end = sizes.map(() => 0);
  cut.forEach((axis, index) => {
    const { start = 0, step = 1, count = 0 } = ranges[index] ?? {};
    const first = step < 0 ? start + (count - 1) * step : start;
    begin[axis] = first;
    end[axis] = g.size(g.x(), axis) - first - count * Math.abs(step);
  });
  return g.pad(spread, begin, end);
}

/** Blocks of a depth-to-space image back to channels: [N, C, H b, W b] -> [N, C b b, H, W]. */
function blocksToDepth(g: Site): Value {
  const block = attribute.int(g.node, 'blocksize', 1);
  const [channels = 1, height = 1, width = 1] = g.sizes(g.y(), 1);
  const apart = g.reshape(g.dy, ['batch', channels, height / block, block, width / block, block]);
  const columnFirst = attribute.string(g.node, 'mode', 'DCR') === 'CRD';
  return g.reshapeLike(g.transpose(apart, columnFirst ? [0, 1, 3, 5, 2, 4] : [0, 3, 5, 1, 2, 4]), g.x());
}

export const movement = {
  // Each input takes back its part of the axis.
  Concat: {
    kind: 'differentiable',
    gradients: (g) => {
      let parts: readonly Value[] | undefined;
      const split = (): readonly Value[] => {
        const axis = axisOfNode(g, 0);
        const sizes = g.node.inputs.map((x) => g.size(x, axis));
        return sizes.length === 1
          ? [g.dy]
          : g.ops('Split', [g.dy, g.integers(sizes)], sizes.length, { axis });
      };
      return g.node.inputs.map((x, index) => () => (parts ??= split())[index] ?? x);
    },
  },
  DepthToSpace: unary(blocksToDepth),
  // The driver adds up over what was repeated.
  Expand: inputs((g) => g.dy, undefined),
  Flatten: backToShape,
  Gather: inputs(gatherGradient, undefined),
  GatherElements: inputs((g) => g.scatterAdd(g.x(), g.x(1), g.dy, axisOfNode(g, 0)), undefined),
  GatherND: {
    kind: 'differentiable',
    gradients: (g) => [
      () => g.op('ScatterND', [g.zerosLike(g.x()), g.x(1), g.dy], { reduction: 'add' }),
      undefined,
    ],
    refuse: (g) => (attribute.int(g.node, 'batch_dims', 0) > 0 ? 'batch_dims is not 0' : undefined),
  },
  Pad: inputs(padGradient, undefined, undefined, undefined),
  Reshape: backToShape,
  // What was overwritten takes no gradient; what was written takes it from its place.
  ScatterElements: {
    kind: 'differentiable',
    gradients: (g) => {
      const axis = axisOfNode(g, 0);
      return [
        () =>
          attribute.string(g.node, 'reduction', 'none') === 'add'
            ? g.dy
            : g.op('ScatterElements', [g.dy, g.x(1), g.zerosLike(g.x(2))], { axis }),
        undefined,
        () => g.op('GatherElements', [g.dy, g.x(1)], { axis }),
      ];
    },
    refuse: refuseReduction,
  },
  ScatterND: {
    kind: 'differentiable',
    gradients: (g) => [
      () =>
        attribute.string(g.node, 'reduction', 'none') === 'add'
          ? g.dy
          : g.op('ScatterND', [g.dy, g.x(1), g.zerosLike(g.x(2))]),
      undefined,
      () => g.op('GatherND', [g.dy, g.x(1)]),
    ],
    refuse: refuseReduction,
  },
  Slice: inputs(sliceGradient, undefined, undefined, undefined, undefined),
  // SpaceToDepth stores its blocks as DepthToSpace reads them in DCR mode.
  SpaceToDepth: unary((g) =>
    g.op('DepthToSpace', [g.dy], { blocksize: attribute.int(g.node, 'blocksize', 1), mode: 'DCR' }),
  ),
  Split: {
    kind: 'differentiable',
    gradients: (g) => [
      () =>
        g.op(
          'Concat',
          splitSizes(g.call).map((_, index) => g.dyOf(index)),
          { axis: axisOfNode(g, 0) },
        ),
      undefined,
    ],
    everyOutput: true,
  },
  Squeeze: backToShape,
  // [a b] is b repeated a times: the sum over the repeats.
  Tile: inputs((g) => {
    const repeats = fixed(g, (call) => values(call, 1));
    const sizes = g.dimensions(g.x());
    const apart = g.reshape(
      g.dy,
      sizes.flatMap((size, axis) => [repeats[axis] ?? 1, size]),
    );
    const repeated = sizes.flatMap((_, axis) => (repeats[axis] === 1 ? [] : [2 * axis]));
    return g.reshapeLike(g.sum(apart, repeated), g.x());
  }, undefined),
  TopK: inputs((g) => g.scatterAdd(g.x(), g.graph.output(g.node, 1), g.dy, axisOfNode(g, -1)), undefined),
  Transpose: unary((g) => {
    const rank = g.rank(g.x());
    const perm = attribute.ints(g.node, 'perm', [...Array(rank).keys()].reverse());
    return g.transpose(
      g.dy,
      perm.map((_, axis) => perm.indexOf(axis)),
    );
  }),
  Trilu: inputs(
    (g) => g.op('Trilu', g.has(1) ? [g.dy, g.x(1)] : [g.dy], { upper: attribute.int(g.node, 'upper', 1) }),
    undefined,
  ),
  Unsqueeze: backToShape,
} satisfies Partial<Record<string, Rule>>;

function refuseReduction(g: Site): string | undefined {
  const reduction = attribute.string(g.node, 'reduction', 'none');
  return reduction === 'none' || reduction === 'add' ? undefined : `its reduction is ${reduction}`;
}
