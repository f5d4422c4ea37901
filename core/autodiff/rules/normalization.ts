/** Normalisation layers, in inference: statistics that were learned are constants, others are part of the derivative. */
import * as attribute from '../../onnx/attributes.ts';
import type { Value } from '../../onnx/builder.ts';
import { axisOf } from '../../onnx/call.ts';
import { elementCount } from '../../onnx/tensor.ts';
import type { Rule } from '../rule.ts';
import { inputs, unary } from '../rule.ts';
import type { Site } from '../site.ts';

/** [C] as [C, 1, ...], to be multiplied with [N, C, ...]. */
function perChannel(g: Site, value: Value): Value {
  const after = g.rank(g.x()) - 2;
  return after === 0 ? value : g.reshape(value, [-1, ...Array<number>(after).fill(1)]);
}

/**
 * Of x̂ = (x - mean) / sqrt(variance + epsilon) over the given axes:
 * dx = (h - mean(h) - x̂ mean(h x̂)) / sqrt(variance + epsilon), where h is the gradient of x̂.
 */
function standardised(g: Site, x: Value, h: Value, axes: readonly number[], epsilon = epsilonOf(g)): Value {
  const { hat, deviation, mean } = statistics(g, x, axes, epsilon);
  const rest = g.sub(g.sub(h, mean(h)), g.mul(hat, mean(g.mul(h, hat))));
  return g.div(rest, deviation);
}

function epsilonOf(g: Site): number {
  return attribute.float(g.node, 'epsilon', 1e-5);
}

/** x̂, the deviation it was divided by, and the mean over the same axes. */
function statistics(
  g: Site,
  x: Value,
  axes: readonly number[],
  epsilon: number,
): { hat: Value; deviation: Value; mean: (value: Value) => Value } {
  const count = g.number(axes.reduce((product, axis) => product * g.size(x, axis), 1));
  const mean = (value: Value): Value => g.div(g.sum(value, axes), count);
  const centred = g.sub(x, mean(x));
  const deviation = g.op('Sqrt', [g.add(mean(g.mul(centred, centred)), g.number(epsilon))]);
  return { hat: g.div(centred, deviation), deviation, mean };
}

function from(first: number, rank: number): number[] {
  return Array.from({ length: rank - first }, (_, index) => first + index);
}

/** y = x / s^b, s = bias + alpha / size sum(x²) over neighbouring channels. */
function localResponse(g: Site): Value {
  const x = g.x();
  const size = attribute.int(g.node, 'size', 1);
  const alpha = attribute.float(g.node, 'alpha', 1e-4);
  const beta = attribute.float(g.node, 'beta', 0.75);
  const before = Math.floor((size - 1) / 2);
  const places = elementCount(g.sizes(x, 2));
  // The sum over neighbours, or over those whose neighbour one is, as a pool over the channel axis.
  const neighbours = (value: Value, pads: readonly [number, number]): Value => {
    const rows = g.reshape(value, ['batch', 1, g.size(x, 1), places]);
    const padded = g.pad(rows, [0, 0, pads[0], 0], [0, 0, pads[1], 0]);
    const mean = g.op('AveragePool', [padded], { kernel_shape: [size, 1] });
    return g.reshapeLike(g.mul(mean, g.number(size)), x);
  };
  const after = size - 1 - before;
  const s = g.add(
    g.number(attribute.float(g.node, 'bias', 1)),
    g.mul(g.number(alpha / size), neighbours(g.mul(x, x), [before, after])),
  );
  const direct = g.mul(g.dy, g.op('Pow', [s, g.number(-beta)]));
  const through = neighbours(g.div(g.mul(g.dy, g.y()), s), [after, before]);
  return g.sub(direct, g.mul(g.mul(g.number((2 * alpha * beta) / size), x), through));
}

export const normalization = {
  // y = scale (x - mean) / sqrt(variance + epsilon) + bias, all of them learned
  BatchNormalization: unary(
    (g) => {
      const deviation = g.op('Sqrt', [g.add(g.x(4), g.number(epsilonOf(g)))]);
      return g.mul(g.dy, perChannel(g, g.div(g.x(1), deviation)));
    },
    {
      refuse: (g) => (attribute.int(g.node, 'training_mode', 0) === 1 ? 'it is in training mode' : undefined),
      limits: 'in inference',
    },
  ),
  // Standardised over the channels of a group and all places.
  GroupNormalization: inputs(
    (g) => {
      const channels = g.size(g.x(), 1);
      const groups = attribute.int(g.node, 'num_groups', 1);
      const parts = [groups, channels / groups, ...g.sizes(g.x(), 2)];
      const rows = (value: Value): Value => g.reshape(value, [...g.dimensions(value).slice(0, 1), ...parts]);
      // The scale is one a group before set 21, one a channel from then on.
      const scale = g.reshape(g.x(1), [
        groups,
        g.graph.opset < 21 ? 1 : channels / groups,
        ...Array<number>(parts.length - 2).fill(1),
      ]);
      const h = g.mul(rows(g.dy), scale);
      return g.reshapeLike(standardised(g, rows(g.x()), h, from(2, parts.length + 1)), g.x());
    },
    undefined,
    undefined,
  ),
  // Standardised over the places of each channel.
  InstanceNormalization: inputs(
    (g) => standardised(g, g.x(), g.mul(g.dy, perChannel(g, g.x(1))), from(2, g.rank(g.x()))),
    undefined,
    undefined,
  ),
  LRN: unary(localResponse),
  // Standardised over the axes from `axis` on.
  LayerNormalization: inputs(
    (g) => standardised(g, g.x(), g.mul(g.dy, g.x(1)), layerAxes(g)),
    (g) => g.mul(g.dy, statistics(g, g.x(), layerAxes(g), epsilonOf(g)).hat),
    (g) => g.dy,
  ),
  // y = x / n, n the norm: dx = (dy - dn sum(dy y)) / n, with dn = y for p = 2 and sign(x) for p = 1; 0 where n is 0
  LpNormalization: unary((g) => {
    const axes = [axisOf(g.call, attribute.int(g.node, 'axis', -1), g.rank(g.x()))];
    const first = attribute.int(g.node, 'p', 2) === 1;
    const norm = first ? g.sum(g.op('Abs', [g.x()]), axes) : g.op('Sqrt', [g.sum(g.mul(g.x(), g.x()), axes)]);
    const slope = first ? g.sign(g.x()) : g.y();
    const zero = g.number(0);
    const share = g.where(g.op('Equal', [norm, zero]), zero, g.op('Reciprocal', [norm]));
    return g.mul(share, g.sub(g.dy, g.mul(slope, g.sum(g.mul(g.dy, g.y()), axes))));
  }),
  // x̂ alone; an epsilon that ONNX fixes
  MeanVarianceNormalization: unary((g) => standardised(g, g.x(), g.dy, standardisedAxes(g), 1e-9), {
    refuse: (g) =>
      standardisedAxes(g).some((axis) => g.dimensions(g.x())[axis] === 'batch')
        ? 'it standardises over the images'
        : undefined,
    limits: 'one image at a time where it standardises over the images',
  }),
  // y = scale x̂, x̂ = x / r, r = sqrt(mean(x²) + epsilon): dx = (h - x̂ mean(h x̂)) / r, h = scale dy
  RMSNormalization: inputs(
    (g) => {
      const { hat, root, mean } = rootMeanSquare(g);
      const h = g.mul(g.dy, g.x(1));
      return g.div(g.sub(h, g.mul(hat, mean(g.mul(h, hat)))), root);
    },
    (g) => g.mul(g.dy, rootMeanSquare(g).hat),
  ),
} satisfies Partial<Record<string, Rule>>;

function standardisedAxes(g: Site): number[] {
  const stated = attribute.ints(g.node, 'axes', [0, 2, 3]);
  return stated.map((axis) => axisOf(g.call, axis, g.rank(g.x())));
}

/** The axes from `axis` on. */
function layerAxes(g: Site): number[] {
  return from(axisOf(g.call, attribute.int(g.node, 'axis', -1), g.rank(g.x())), g.rank(g.x()));
}

function rootMeanSquare(g: Site): { hat: Value; root: Value; mean: (value: Value) => Value } {
  const axes = layerAxes(g);
  const count = g.number(axes.reduce((product, axis) => product * g.size(g.x(), axis), 1));
  const mean = (value: Value): Value => g.div(g.sum(value, axes), count);
  const root = g.op('Sqrt', [g.add(mean(g.mul(g.x(), g.x())), g.number(epsilonOf(g)))]);
  return { hat: g.div(g.x(), root), root, mean };
}
