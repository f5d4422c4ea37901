/** Attention in one operator: ONNX's own of set 23 on, and the two of ONNX Runtime; and the rotation of positions. */
import * as attribute from '../../onnx/attributes.ts';
import type { Value } from '../../onnx/builder.ts';
import { tensor } from '../../onnx/tensor.ts';
import type { Decomposition, Fusion } from './fusion.ts';

/** The least number of float32, which ONNX Runtime writes where attention may not look. */
const LOWEST = -3.4028234663852886e38;

/** [B, S, heads D] -> [B, heads, S, D] */
function toHeads(f: Fusion, value: Value, heads: number): Value {
  const size = f.size(value, 2);
  if (size % heads !== 0) throw f.unsupported(`${heads} heads do not divide ${size}`);
  const apart = f.op('Reshape', [value, f.integers([0, 0, heads, size / heads])]);
  return f.transpose(apart, [0, 2, 1, 3]);
}

/** [B, heads, S, D] -> output 0, [B, S, heads D] */
function giveJoined(f: Fusion, value: Value): void {
  const width = f.size(value, 1) * f.size(value, 3);
  f.give('Reshape', [f.transpose(value, [0, 2, 1, 3]), f.integers([0, 0, width])]);
}

interface Attending {
  /** Each [B, heads, S or T, D]. */
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
  readonly scale: number;
  /** Added to the scores [B, heads, S, T]. */
  readonly masks: readonly Value[];
  /** Scores are squeezed into (-softcap, softcap); 0: they are not. */
  readonly softcap?: number;
}

/** softmax(scale q kᵀ + masks) v */
function attend(f: Fusion, { q, k, v, scale, masks, softcap = 0 }: Attending): Value {
  const products = f.mul(f.op('MatMul', [q, f.transposed(k)]), f.number(scale));
  const bounded =
    softcap === 0 ? products : f.mul(f.op('Tanh', [f.div(products, f.number(softcap))]), f.number(softcap));
  const scores = masks.reduce((sum, mask) => f.add(sum, mask), bounded);
  return f.op('MatMul', [f.op('Softmax', [scores], { axis: -1 }), v]);
}

/** [S, T]: no place looks at a later one. */
function causal(f: Fusion, q: Value, k: Value): Value {
  const [rows, columns] = [f.size(q, 2), f.size(k, 2)];
  const mask = Float32Array.from({ length: rows * columns }, (_, at) =>
    at % columns > Math.floor(at / columns) ? LOWEST : 0,
  );
  return f.constant(tensor(f.graph.type(f.x()), [rows, columns], mask));
}

/** 0 where a mask of integers is above 0, else the value that masks. */
function keptWhere(f: Fusion, mask: Value, axes: readonly number[]): Value {
  const filter = f.number(attribute.float(f.node, 'mask_filter_value', -10000));
  const zero = f.constant(tensor(f.graph.type(mask), [], [0]));
  const chosen = f.where(f.op('Greater', [mask, zero]), f.number(0), filter);
  return f.op('Unsqueeze', [chosen, f.integers(axes)]);
}

/** The masks of ONNX Runtime's operators: [B, T] or [B, S, T] of 0 and 1, or [B], the number of places to look at. */
function integerMask(f: Fusion, mask: Value, places: number): Value {
  switch (f.rank(mask)) {
    case 1: {
      if (f.dimensions(mask)[0] !== f.dimensions(f.x())[0])
        throw f.unsupported('its mask is of a form that is not supported');
      const type = f.graph.type(mask);
      const place = f.constant(
        tensor(
          type,
          [1, places],
          Array.from({ length: places }, (_, at) => at),
        ),
      );
      const lengths = f.op('Unsqueeze', [mask, f.integers([1])]);
      return keptWhere(f, f.op('Sub', [lengths, place]), [1, 2]);
    }
    case 2:
      return keptWhere(f, mask, [1, 2]);
    case 3:
      return keptWhere(f, mask, [1]);
    default:
      throw f.unsupported('its mask is of a form that is not supported');
  }
}

function statedScale(f: Fusion, headSize: number): number {
  const scale = attribute.float(f.node, 'scale', 0);
  return scale === 0 ? 1 / Math.sqrt(headSize) : scale;
}

function refuse(f: Fusion, inputs: readonly number[], outputs: readonly number[]): void {
  if (inputs.some((index) => f.has(index)) || outputs.some((index) => f.wants(index))) {
    throw f.unsupported('it keeps keys and values of earlier runs, or gives more than its result');
  }
}

/** What both of ONNX Runtime's operators do with their heads; input 5 is added to the scores. */
function giveAttended(f: Fusion, q: Value, k: Value, v: Value, mask: number): void {
  const masks = [
    ...(f.has(mask) ? [integerMask(f, f.x(mask), f.size(k, 2))] : []),
    ...(f.has(5) ? [f.x(5)] : []),
    ...(attribute.int(f.node, 'unidirectional', 0) === 1 ? [causal(f, q, k)] : []),
  ];
  giveJoined(f, attend(f, { q, k, v, scale: statedScale(f, f.size(q, 3)), masks }));
}

/** Of com.microsoft: one projection makes queries, keys and values. */
function projected(f: Fusion): void {
  refuse(f, [4, 6, 7], [1]);
  if (attribute.int(f.node, 'do_rotary', 0) === 1) throw f.unsupported('it rotates positions');
  const heads = attribute.int(f.node, 'num_heads', 1);
  const product = f.op('MatMul', [f.x(), f.x(1)]);
  const all = f.has(2) ? f.add(product, f.x(2)) : product;
  const third = f.size(all, 2) / 3;
  const sizes = attribute.ints(f.node, 'qkv_hidden_sizes', [third, third, third]);
  const [q = '', k = '', v = ''] = f
    .ops('Split', [all, f.integers(sizes)], 3, { axis: 2 })
    .map((part) => toHeads(f, part, heads));
  giveAttended(f, q, k, v, 3);
}

/** Of com.microsoft: queries, keys and values come apart. */
function multiHead(f: Fusion): void {
  refuse(f, [6, 7, 8, 9], [1, 2, 3]);
  if (!f.has(1) || !f.has(2)) throw f.unsupported('its queries, keys and values are packed into one');
  const heads = attribute.int(f.node, 'num_heads', 1);
  const parts = [f.x(), f.x(1), f.x(2)];
  const widths = parts.map((part) =>
    f.rank(part) === 3 ? f.size(part, 2) : f.size(part, 1) * f.size(part, 3),
  );
  let from = 0;
  const [q = '', k = '', v = ''] = parts.map((part, index) => {
    const to = from + (widths[index] ?? 0);
    const bias = f.has(3) ? f.slice(f.x(3), [0], [from], [to]) : undefined;
    from = to;
    if (f.rank(part) === 3) return toHeads(f, bias === undefined ? part : f.add(part, bias), heads);
    if (f.rank(part) !== 4) throw f.unsupported('its keys and values are packed into one');
    if (bias === undefined) return part;
    return f.add(part, f.reshape(bias, [1, heads, 1, f.size(part, 3)]));
  });
  giveAttended(f, q, k, v, 4);
}

/** Of ONNX itself, from set 23 on. */
function standard(f: Fusion): void {
  refuse(f, [4, 5, 6], [1, 2, 3]);
  const flat = f.rank(f.x()) === 3;
  const queries = flat ? attribute.int(f.node, 'q_num_heads', 1) : f.size(f.x(), 1);
  const keys = flat ? attribute.int(f.node, 'kv_num_heads', 1) : f.size(f.x(1), 1);
  const [q = '', own = '', values = ''] = [queries, keys, keys].map((heads, index) =>
    flat ? toHeads(f, f.x(index), heads) : f.x(index),
  );
  // Several heads of queries may share one of keys and values.
  const shared = (value: Value): Value => {
    if (queries === keys) return value;
    const [places, size] = [f.size(value, 2), f.size(value, 3)];
    const apart = f.op('Unsqueeze', [value, f.integers([2])]);
    const repeated = f.op('Tile', [apart, f.integers([1, 1, queries / keys, 1, 1])]);
    return f.op('Reshape', [repeated, f.integers([0, queries, places, size])]);
  };
  const [k, v] = [shared(own), shared(values)];
  const masks = attribute.int(f.node, 'is_causal', 0) === 1 ? [causal(f, q, k)] : [];
  if (f.has(3)) {
    const mask = f.x(3);
    masks.push(f.graph.type(mask) === 'bool' ? f.where(mask, f.number(0), f.number(LOWEST)) : mask);
  }
  const result = attend(f, {
    q,
    k,
    v,
    masks,
    scale: statedScale(f, f.size(q, 3)),
    softcap: attribute.float(f.node, 'softcap', 0),
  });
  if (flat) giveJoined(f, result);
  else f.give('Identity', [result]);
}

/** Pairs of elements turned by the angles of their places: (a cos - b sin, a sin + b cos). */
function rotary(f: Fusion): void {
  const x = f.x();
  const flat = f.rank(x) === 3;
  const heads = attribute.int(f.node, 'num_heads', 0);
  if (flat && heads === 0) throw f.unsupported('it does not state its number of heads');
  const apart = flat
    ? f.op('Reshape', [x, f.integers([0, 0, heads, f.size(x, 2) / heads])])
    : f.transpose(x, [0, 2, 1, 3]);
  const size = f.size(apart, 3);
  const stated = attribute.int(f.node, 'rotary_embedding_dim', 0);
  const turned = stated === 0 ? size : stated;
  // [B, S, turned / 2], the same for every head
  const [cos = '', sin = ''] = [1, 2].map((index) => {
    const cache = f.has(3) ? f.op('Gather', [f.x(index), f.x(3)], { axis: 0 }) : f.x(index);
    return f.op('Unsqueeze', [cache, f.integers([2])]);
  });
  const interleaved = attribute.int(f.node, 'interleaved', 0) === 1;
  const [a, b] = interleaved
    ? [f.lastAxis(apart, 0, turned, 2), f.lastAxis(apart, 1, turned, 2)]
    : [f.lastAxis(apart, 0, turned / 2), f.lastAxis(apart, turned / 2, turned)];
  const pair = [f.sub(f.mul(a, cos), f.mul(b, sin)), f.add(f.mul(a, sin), f.mul(b, cos))];
  const last = f.integers([-1]);
  const rotated = interleaved
    ? f.op('Reshape', [
        f.op(
          'Concat',
          pair.map((value) => f.op('Unsqueeze', [value, last])),
          { axis: -1 },
        ),
        f.integers([0, 0, 0, turned]),
      ])
    : f.op('Concat', pair, { axis: -1 });
  const whole =
    turned === size ? rotated : f.op('Concat', [rotated, f.lastAxis(apart, turned, size)], { axis: -1 });
  if (flat) f.give('Reshape', [whole, f.integers([0, 0, f.size(x, 2)])]);
  else f.give('Transpose', [whole], { perm: [0, 2, 1, 3] });
}

export const attention = {
  Attention: standard,
  RotaryEmbedding: rotary,
  'com.microsoft::Attention': projected,
  'com.microsoft::MultiHeadAttention': multiHead,
} satisfies Record<string, Decomposition>;
