/** Operators that move elements: each gradient moves them back, and adds up where one was used twice. */
import * as attribute from '../../onnx/attributes.ts';
import type { AttributeValues, Value } from '../../onnx/builder.ts';
import type { Call } from '../../onnx/call.ts';
import { axisOf, values } from '../../onnx/call.ts';
import { chosenPlaces, padding, sliceRanges, splitSizes } from '../../onnx/inference.ts';
import { elementCount, strides, tensor } from '../../onnx/tensor.ts';
import type { DifferentiableRule, Rule } from '../rule.ts';
import { inputs, unary } from '../rule.ts';
import { alongAxis } from './resampling.ts';
import { limitTable } from './table-limit.ts';
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

/** Where each element of a padded axis was read from (ONNX Pad: reflect, edge, wrap). What is cut off is not mirrored. */
function paddingSource(mode: string, size: number, begin: number, end: number): number[] {
  const first = Math.max(-begin, 0);
  const kept = size - first - Math.max(-end, 0);
  const within = (at: number): number => {
    const period = mode === 'reflect' ? Math.max(2 * (kept - 1), 1) : kept;
    const place = ((at % period) + period) % period;
    if (mode === 'reflect') return place < kept ? place : period - place;
    return mode === 'wrap' ? place : Math.min(Math.max(at, 0), kept - 1);
  };
  return Array.from({ length: size + begin + end }, (_, index) => first + within(index - Math.max(begin, 0)));
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
    const count = size + before + after;
    limitTable(g, size * count);
    const takes = new Float64Array(size * count);
    paddingSource(mode, size, before, after).forEach((from, at) => (takes[from * count + at] = 1));
    dx = alongAxis(g, size, takes, dx, axis);
  });
  return dx;
}

/** ONNX Runtime fills what lies further in front than one whole turn with zeros. */
function refusePadding(g: Site): string | undefined {
  if (attribute.string(g.node, 'mode', 'constant') !== 'wrap') return undefined;
  const { begin, end } = padding(g.call);
  const turnsTwice = begin.some((before, axis) => {
    if (before <= 0) return false;
    return before > g.size(g.x(), axis) + Math.min(end[axis] ?? 0, 0);
  });
  return turnsTwice ? 'it wraps more than once in front' : undefined;
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

/** As many copies of dy's slices as were taken are added up, each at its place. */
function gatherNDGradient(g: Site): Value {
  const batchAxes = attribute.int(g.node, 'batch_dims', 0);
  if (batchAxes === 0) {
    return g.op('ScatterND', [g.zerosLike(g.x()), g.x(1), g.dy], { reduction: 'add' });
  }
  // [B, D, S]: the batch, the axes that an index speaks of, the slice. An index becomes one number below D.
  const depth = g.size(g.x(1), -1);
  const sizes = g.dimensions(g.x());
  const batch = sizes.slice(0, batchAxes);
  const indexed = g.sizes(g.x(), batchAxes).slice(0, depth);
  const slice = elementCount(g.sizes(g.x(), batchAxes + depth));
  const images = batch.includes('batch') ? 'batch' : elementCount(batch as number[]);
  const taken = elementCount(g.sizes(g.x(1), batchAxes).slice(0, -1));
  const rows = g.reshape(g.x(1), [images, taken, depth]);
  const nonNegative = g.where(g.op('Less', [rows, g.integers([0])]), g.add(rows, g.integers(indexed)), rows);
  const steps = g.integers(strides(indexed));
  const places = g.sum(g.mul(nonNegative, steps), [2]);
  const updates = g.reshape(g.dy, [images, taken, slice]);
  const flat = g.reshape(g.x(), [images, elementCount(indexed), slice]);
  const spread = g.op('Expand', [places, g.op('Shape', [updates])]);
  return g.reshapeLike(g.scatterAdd(flat, spread, updates, 1), g.x());
}

/** A ScatterElements or ScatterND, by how an update meets what stands at its place. */
function scatterRule(
  scatter: 'ScatterElements' | 'ScatterND',
  gather: 'GatherElements' | 'GatherND',
  attributesOf: (g: Site) => AttributeValues,
): DifferentiableRule {
  const reductionOf = (g: Site): string => attribute.string(g.node, 'reduction', 'none');
  const put = (g: Site, onto: Value, updates: Value, reduction = 'none'): Value =>
    g.op(scatter, [onto, g.x(1), updates], {
      ...attributesOf(g),
      ...(reduction === 'none' ? {} : { reduction }),
    });
  const at = (g: Site, value: Value): Value => g.op(gather, [value, g.x(1)], attributesOf(g));
  const onesLike = (g: Site, value: Value): Value => g.add(g.zerosLike(value), g.number(1));
  const equal = (g: Site, a: Value, b: Value): Value => g.asNumber(g.op('Equal', [a, b]));

  /** The greatest (least) of what meets at a place takes the gradient; those that tie share it. */
  const shared = (g: Site): { dy: Value; data: Value; updates: Value } => {
    const data = equal(g, g.x(), g.y());
    const updates = equal(g, g.x(2), at(g, g.y()));
    return { dy: g.div(g.dy, put(g, data, updates, 'add')), data, updates };
  };
  /** The product of all other updates at the place of each: with one 0 among them only that one's is not 0. */
  const others = (g: Site): Value => {
    const isZero = g.op('Equal', [g.x(2), g.number(0)]);
    const nonZero = g.where(isZero, g.number(1), g.x(2));
    const product = at(g, put(g, onesLike(g, g.x()), nonZero, 'mul'));
    const zeros = at(g, put(g, g.zerosLike(g.x()), g.asNumber(isZero), 'add'));
    const when = (count: number): Value => equal(g, zeros, g.number(count));
    return g.where(isZero, g.mul(product, when(1)), g.div(g.mul(product, when(0)), nonZero));
  };
  return inputs(
    (g) => {
      switch (reductionOf(g)) {
        case 'add':
          return g.dy;
        case 'mul':
          return g.mul(g.dy, put(g, onesLike(g, g.x()), g.x(2), 'mul'));
        case 'none':
          // What was overwritten takes no gradient.
          return put(g, g.dy, g.zerosLike(g.x(2)));
        default: {
          const { dy, data } = shared(g);
          return g.mul(dy, data);
        }
      }
    },
    undefined,
    (g) => {
      switch (reductionOf(g)) {
        case 'add':
        case 'none':
          return at(g, g.dy);
        case 'mul':
          return g.mul(at(g, g.mul(g.dy, g.x())), others(g));
        default: {
          const { dy, updates } = shared(g);
          return g.mul(at(g, dy), updates);
        }
      }
    },
  );
}

/** The columns of an image, as Col2Im adds them up: [N, C, H, W] -> [N, C bh bw, L], by kernels that read one place each. */
function columns(g: Site): Value {
  const [imageSizes, block] = [values(g.call, 1), values(g.call, 2)];
  const count = elementCount(block);
  limitTable(g, count * count);
  const kernels = g.constant(
    tensor(
      g.graph.type(g.y()),
      [count, 1, ...block],
      Array.from({ length: count * count }, (_, at) => Number(at % (count + 1) === 0)),
    ),
  );
  const ones = block.map(() => 1);
  const rows = g.op('Conv', [g.reshape(g.dy, ['batch', 1, ...imageSizes]), kernels], {
    kernel_shape: block,
    strides: attribute.ints(g.node, 'strides', ones),
    dilations: attribute.ints(g.node, 'dilations', ones),
    pads: attribute.ints(g.node, 'pads', [...ones, ...ones].fill(0)),
  });
  return g.reshapeLike(rows, g.x());
}

/** What CenterCropPad cut away or put around, undone. */
function centred(g: Site): Value {
  const to = g.dimensions(g.y());
  const taken = g.dimensions(g.x()).map((from, axis) => {
    const made = to[axis] ?? from;
    if (from === made) return [0, 0];
    if (typeof from !== 'number' || typeof made !== 'number') {
      throw g.unsupported(`axis ${axis} depends on the number of images`);
    }
    // What an odd difference leaves over lies at the end.
    const before = Math.floor(Math.abs(from - made) / 2) * Math.sign(from - made);
    return [before, from - made - before];
  });
  return g.pad(
    g.dy,
    taken.map(([before = 0]) => before),
    taken.map(([, after = 0]) => after),
  );
}

function compressGradient(g: Site): Value {
  const axis = attribute.int(g.node, 'axis', undefined);
  const chosen = g.integers(fixed(g, chosenPlaces));
  const back = (like: Value, at: number): Value =>
    g.scatterAdd(like, spreadIndices(g, chosen, g.dy, at), g.dy, at);
  if (axis !== undefined) return back(g.x(), axisOf(g.call, axis, g.rank(g.x())));
  return g.reshapeLike(back(g.reshape(g.x(), [elementCount(g.sizes(g.x(), 0))]), 0), g.x());
}

export const movement = {
  CenterCropPad: inputs(centred, undefined),
  Col2Im: inputs(columns, undefined, undefined),
  Compress: { ...inputs(compressGradient, undefined), limits: 'a constant condition' },
  // Each input takes back its part of the axis.
  Concat: {
    kind: 'differentiable',
    inputs: 'all',
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
  GatherND: inputs(gatherNDGradient, undefined),
  // 1 where an index states it, else 0: the second value has the former's gradient, the first that of the rest.
  OneHot: inputs(undefined, undefined, (g) => {
    const zeroOne = g.constant(tensor(g.graph.type(g.y()), [2], [0, 1]));
    const mask = g.op('OneHot', [g.x(0), g.x(1), zeroOne], { axis: attribute.int(g.node, 'axis', -1) });
    const total = (value: Value): Value => g.reshape(g.sum(value, [...g.dimensions(g.y()).keys()]), [1]);
    const on = total(g.mul(g.dy, mask));
    return g.op('Concat', [g.sub(total(g.dy), on), on], { axis: 0 });
  }),
  Pad: {
    ...inputs(padGradient, undefined, undefined, undefined),
    refuse: refusePadding,
    limits: 'wrapped at most once in front',
  },
  Reshape: backToShape,
  ReverseSequence: inputs(
    (g) =>
      g.op('ReverseSequence', [g.dy, g.x(1)], {
        batch_axis: attribute.int(g.node, 'batch_axis', 1),
        time_axis: attribute.int(g.node, 'time_axis', 0),
      }),
    undefined,
  ),
  ScatterElements: scatterRule('ScatterElements', 'GatherElements', (g) => ({ axis: axisOfNode(g, 0) })),
  ScatterND: scatterRule('ScatterND', 'GatherND', () => ({})),
  Slice: inputs(sliceGradient, undefined, undefined, undefined, undefined),
  // SpaceToDepth stores its blocks as DepthToSpace reads them in DCR mode.
  SpaceToDepth: unary((g) =>
    g.op('DepthToSpace', [g.dy], { blocksize: attribute.int(g.node, 'blocksize', 1), mode: 'DCR' }),
  ),
  Split: {
    ...inputs((g) => {
      const parts = splitSizes(g.call).map((_, index) => g.dyOf(index));
      return g.op('Concat', parts, { axis: axisOfNode(g, 0) });
    }, undefined),
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
