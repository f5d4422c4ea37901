/** GridSample and AffineGrid: an image read at places that a grid states (ONNX Operators.md; Jaderberg et al. 2015). */
import * as attribute from '../../onnx/attributes.ts';
import type { Value } from '../../onnx/builder.ts';
import { values } from '../../onnx/call.ts';
import { elementCount, tensor } from '../../onnx/tensor.ts';
import type { Rule } from '../rule.ts';
import { inputs } from '../rule.ts';
import type { Site } from '../site.ts';
import { limitTable } from './table-limit.ts';

/** One of the samples that are mixed along one axis, for every place [N, 1, P] of the grid. */
interface Tap {
  /** Where it lies along the axis, a whole number within the image. */
  readonly at: Value;
  /** Its share; 0 outside of the image, where that reads as zeros. */
  readonly weight: Value;
  /** How the share changes when the grid's coordinate does. */
  readonly slope: Value;
}

interface Sampling {
  readonly mode: string;
  readonly padding: string;
  readonly alignCorners: boolean;
}

function samplingOf(g: Site): Sampling {
  const stated = attribute.string(g.node, 'mode', 'linear');
  // Set 20 renamed two of the modes.
  const mode = stated === 'bilinear' ? 'linear' : stated === 'bicubic' ? 'cubic' : stated;
  return {
    mode,
    padding: attribute.string(g.node, 'padding_mode', 'zeros'),
    alignCorners: attribute.int(g.node, 'align_corners', 0) === 1,
  };
}

/** Mirrors coordinates into the image: at its outermost pixels' centres (corners aligned) or at their borders. */
function reflected(g: Site, at: Value, size: number, alignCorners: boolean): { at: Value; slope: Value } {
  const low = alignCorners ? 0 : -0.5;
  const range = alignCorners ? size - 1 : size;
  if (range === 0) return { at: g.mul(at, g.number(0)), slope: g.number(0) };
  const from = g.sub(at, g.number(low));
  const away = g.op('Abs', [from]);
  const period = g.number(2 * range);
  const turned = g.sub(away, g.mul(g.op('Floor', [g.div(away, period)]), period));
  const beyond = g.sub(turned, g.number(range));
  return {
    at: g.sub(g.number(low + range), g.op('Abs', [beyond])),
    slope: g.neg(g.mul(g.sign(from), g.sign(beyond))),
  };
}

function clamped(g: Site, at: Value, size: number): Value {
  return g.op('Clip', [at, g.number(0), g.number(size - 1)]);
}

/** The samples along one axis of the given size, from the grid's coordinate along it. */
function tapsOf(g: Site, coordinate: Value, size: number, sampling: Sampling): Tap[] {
  const { mode, padding, alignCorners } = sampling;
  const half = g.number(0.5);
  const factor = alignCorners ? (size - 1) / 2 : size / 2;
  const raw = alignCorners
    ? g.mul(g.add(coordinate, g.number(1)), g.number(factor))
    : g.sub(g.mul(g.add(coordinate, g.number(1)), g.number(factor)), half);
  const read = mode === 'nearest' ? g.op('Round', [raw]) : raw;

  // Where it is read, and how that moves with the coordinate. A cubic's samples are brought into the image one by one.
  let place = read;
  let move = g.number(factor);
  if (mode !== 'cubic' && padding === 'border') {
    place = clamped(g, read, size);
    // None at the outermost pixels themselves, as in PyTorch.
    const within = g.mul(g.positive(read), g.positive(g.sub(g.number(size - 1), read)));
    move = g.mul(move, within);
  } else if (mode !== 'cubic' && padding === 'reflection') {
    const mirrored = reflected(g, read, size, alignCorners);
    place = mirrored.at;
    move = g.mul(move, mirrored.slope);
  }
  const tap = (at: Value, weight: Value, slope: Value): Tap => {
    const own = padding === 'reflection' ? reflected(g, at, size, alignCorners).at : at;
    const inside = clamped(g, own, size);
    const counts = padding === 'zeros' ? g.asNumber(g.op('Equal', [inside, at])) : g.number(1);
    return { at: inside, weight: g.mul(weight, counts), slope: g.mul(g.mul(slope, counts), move) };
  };
  if (mode === 'nearest') return [tap(place, g.number(1), g.number(0))];
  const base = g.op('Floor', [place]);
  const part = g.sub(place, base);
  if (mode === 'linear') {
    return [
      tap(base, g.sub(g.number(1), part), g.number(-1)),
      tap(g.add(base, g.number(1)), part, g.number(1)),
    ];
  }
  // Keys' cubic (1981), a = -0.75: distances t + 1, t, 1 - t and 2 - t of the samples at -1, 0, 1 and 2.
  const a = -0.75;
  const near = [1, 0, -(a + 3), a + 2];
  const far = [-4 * a, 8 * a, -5 * a, a];
  return [
    { offset: -1, of: far, distance: g.add(part, g.number(1)), sign: 1 },
    { offset: 0, of: near, distance: part, sign: 1 },
    { offset: 1, of: near, distance: g.sub(g.number(1), part), sign: -1 },
    { offset: 2, of: far, distance: g.sub(g.number(2), part), sign: -1 },
  ].map(({ offset, of, distance, sign }) =>
    tap(
      g.add(base, g.number(offset)),
      polynomial(g, of, distance),
      g.mul(
        g.number(sign),
        polynomial(
          g,
          of.slice(1).map((coefficient, power) => coefficient * (power + 1)),
          distance,
        ),
      ),
    ),
  );
}

/** c0 + c1 t + c2 t² + ... */
function polynomial(g: Site, coefficients: readonly number[], t: Value): Value {
  return coefficients
    .slice(0, -1)
    .reduceRight(
      (sum, coefficient) => g.add(g.mul(sum, t), g.number(coefficient)),
      g.number(coefficients.at(-1) ?? 0),
    );
}

/** Every combination of one sample an axis. */
function combinations(taps: readonly (readonly Tap[])[]): Tap[][] {
  return taps.reduce<Tap[][]>(
    (chosen, own) => chosen.flatMap((some) => own.map((tap) => [...some, tap])),
    [[]],
  );
}

/** What a GridSample reads: T samples for each of P places. */
interface Samples {
  readonly spatial: readonly number[];
  readonly places: number;
  readonly chosen: readonly (readonly Tap[])[];
  /** [N, 1, T P]: the places of the samples in the image, laid out in a row. */
  readonly indices: Value;
}

function samplesOf(g: Site): Samples {
  const spatial = g.sizes(g.x(), 2);
  const sampling = samplingOf(g);
  const places = elementCount(g.sizes(g.x(1), 1).slice(0, -1));
  const chosen = combinations(
    spatial.map((size, axis) => {
      // The grid states x before y before z: the last axis of the image first.
      const component = spatial.length - 1 - axis;
      const coordinate = g.slice(g.x(1), [spatial.length + 1], [component], [component + 1]);
      return tapsOf(
        g,
        g.reshape(coordinate, [...g.dimensions(g.x(1)).slice(0, 1), 1, places]),
        size,
        sampling,
      );
    }),
  );
  const rows = chosen.map((taps) =>
    taps
      .map(({ at }) => at)
      .reduce((index, at, axis) => g.add(g.mul(index, g.number(spatial[axis] ?? 1)), at)),
  );
  return { spatial, places, chosen, indices: g.cast(joined(g, rows), 'int64') };
}

function joined(g: Site, parts: readonly Value[]): Value {
  return parts.length === 1 ? (parts[0] ?? '') : g.op('Concat', parts, { axis: 2 });
}

/** dX: every place hands its gradient to the samples it was mixed from. */
function imageGradient(g: Site): Value {
  const { spatial, places, chosen, indices } = samplesOf(g);
  const [images = 1, channels = 1] = g.dimensions(g.x());
  const dy = g.reshape(g.dy, [images, channels, places]);
  const updates = joined(
    g,
    chosen.map((taps) => taps.reduce((value, { weight }) => g.mul(value, weight), dy)),
  );
  const flat = g.reshape(g.x(), [images, channels, elementCount(spatial)]);
  const spread = g.op('Expand', [indices, g.op('Shape', [updates])]);
  return g.reshapeLike(g.scatterAdd(flat, spread, updates, 2), g.x());
}

/** dgrid: how the mix changes as the samples' shares do. */
function gridGradient(g: Site): Value {
  const { spatial, places, chosen, indices } = samplesOf(g);
  const [images = 1, channels = 1] = g.dimensions(g.x());
  const flat = g.reshape(g.x(), [images, channels, elementCount(spatial)]);
  const shape = g.op('Concat', [g.op('Shape', [flat], { end: 2 }), g.integers([chosen.length * places])], {
    axis: 0,
  });
  const samples = g.op('GatherElements', [flat, g.op('Expand', [indices, shape])], { axis: 2 });
  const apart = g.reshape(samples, [images, channels, chosen.length, places]);
  const dy = g.reshape(g.dy, [images, channels, 1, places]);
  // [N, T, P]: what a share of the sample is worth.
  const worth = g.op('Squeeze', [g.sum(g.mul(apart, dy), [1]), g.integers([1])]);
  const components = spatial.map((_, axis) => {
    const slopes = chosen.map((taps) => {
      const factors = taps.map(({ weight, slope }, other) => (other === axis ? slope : weight));
      const slope = factors.reduce((product, factor) => g.mul(product, factor));
      return g.op('Expand', [slope, g.op('Shape', [g.slice(worth, [1], [0], [1])])]);
    });
    const stacked = slopes.length === 1 ? (slopes[0] ?? '') : g.op('Concat', slopes, { axis: 1 });
    return g.sum(g.mul(worth, stacked), [1]);
  });
  // x first again: [N, k, P] -> [N, P, k].
  const stacked = g.op('Concat', components.toReversed(), { axis: 1 });
  return g.reshapeLike(g.transpose(stacked, [0, 2, 1]), g.x(1));
}

/** The coordinates [P, k + 1] of an untransformed grid: x, y (, z) and 1. */
function identityGrid(g: Site): Value {
  const spatial = values(g.call, 1).slice(2);
  limitTable(g, elementCount(spatial) * (spatial.length + 1));
  const alignCorners = attribute.int(g.node, 'align_corners', 0) === 1;
  const along = (size: number, at: number): number => {
    if (!alignCorners) return (2 * at + 1) / size - 1;
    return size === 1 ? 0 : (2 * at) / (size - 1) - 1;
  };
  const rows = spatial.reduce<number[][]>(
    (places, size) =>
      places.flatMap((place) => Array.from({ length: size }, (_, at) => [along(size, at), ...place])),
    [[]],
  );
  const columns = spatial.length + 1;
  return g.constant(
    tensor(
      g.graph.type(g.y()),
      [rows.length, columns],
      rows.flatMap((row) => [...row, 1]),
    ),
  );
}

export const sampling = {
  // grid[n, p] = theta[n] (x, y, 1) of p
  AffineGrid: inputs((g) => {
    const identity = identityGrid(g);
    const axes = g.size(g.y(), -1);
    const rows = g.size(identity, 0);
    const [images = 1] = g.dimensions(g.y());
    return g.op('MatMul', [g.transposed(g.reshape(g.dy, [images, rows, axes])), identity]);
  }, undefined),
  GridSample: inputs(imageGradient, gridGradient),
} satisfies Partial<Record<string, Rule>>;
