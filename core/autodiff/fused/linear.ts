/** Convolutions and matrix products that ONNX Runtime fuses with what stands around them, and older names of standard operators. */
import * as attribute from '../../onnx/attributes.ts';
import type { Value } from '../../onnx/builder.ts';
import { giveActivated } from './activation.ts';
import type { Decomposition, Fusion } from './fusion.ts';

/** A matrix product's operand: its batch axes rotated, its last two exchanged, as the attributes say. */
function operand(f: Fusion, index: number, side: 'A' | 'B'): Value {
  const x = f.x(index);
  const rank = f.rank(x);
  if (rank < 2) return x;
  const axes = [...Array(rank).keys()];
  const batched =
    attribute.int(f.node, `transBatch${side}`, 0) === 1 ? [...axes.slice(1, -1), 0, rank - 1] : axes;
  const [columns = 0, rows = 0] = batched.slice(-2);
  const perm =
    attribute.int(f.node, `trans${side}`, 0) === 1 ? [...batched.slice(0, -2), rows, columns] : batched;
  return f.transpose(x, perm);
}

/** alpha A B */
function matrixProduct(f: Fusion): void {
  const operands = [operand(f, 0, 'A'), operand(f, 1, 'B')];
  const alpha = attribute.float(f.node, 'alpha', 1);
  if (alpha === 1) f.give('MatMul', operands);
  else f.give('Mul', [f.op('MatMul', operands), f.number(alpha)]);
}

function only(
  f: Fusion,
  names: readonly string[],
): Record<string, NonNullable<ReturnType<typeof f.node.attributes.get>>> {
  return Object.fromEntries([...f.node.attributes].filter(([name]) => names.includes(name)));
}

const WINDOW = ['auto_pad', 'dilations', 'group', 'kernel_shape', 'pads', 'strides'];

export const linear = {
  // activation(conv(x) + z)
  'com.microsoft::FusedConv': (f) => {
    const conv = f.op('Conv', [f.x(), f.x(1), ...(f.has(2) ? [f.x(2)] : [])], only(f, WINDOW));
    const sum = f.has(3) ? f.add(conv, f.x(3)) : conv;
    const parameters = attribute.floats(f.node, 'activation_params', []);
    giveActivated(f, sum, attribute.string(f.node, 'activation', ''), parameters);
  },
  // activation(alpha A B + beta C)
  'com.microsoft::FusedGemm': (f) => {
    const product = f.op('Gemm', f.node.inputs, only(f, ['alpha', 'beta', 'transA', 'transB']));
    const parameter = (name: string): number | undefined =>
      attribute.float(f.node, `activation_${name}`, undefined);
    giveActivated(f, product, attribute.string(f.node, 'activation', ''), [
      parameter('alpha'),
      parameter('beta') ?? parameter('gamma'),
    ]);
  },
  'com.microsoft::FusedMatMul': matrixProduct,
  'com.microsoft::TransposeMatMul': matrixProduct,
  'com.microsoft::ExpandDims': (f) => {
    const axis = f.data(f.x(1))?.data[0];
    if (axis === undefined) throw f.unsupported('its axis is not constant');
    f.give('Unsqueeze', [f.x(), f.integers([axis])]);
  },
  'com.microsoft::GatherND': (f) => f.give('GatherND', f.node.inputs),
  'com.microsoft::GridSample': (f) => {
    const mode = attribute.string(f.node, 'mode', 'bilinear');
    // From set 20 on, the names are those of any number of axes.
    const renamed = { bilinear: 'linear', bicubic: 'cubic' }[mode] ?? mode;
    f.give('GridSample', f.node.inputs, {
      mode: f.graph.opset < 20 ? mode : renamed,
      padding_mode: attribute.string(f.node, 'padding_mode', 'zeros'),
      align_corners: attribute.int(f.node, 'align_corners', 0),
    });
  },
  'com.microsoft::Pad': (f) =>
    f.give('Pad', f.node.inputs, { mode: attribute.string(f.node, 'mode', 'constant') }),
  'com.microsoft::Trilu': (f) => f.give('Trilu', f.node.inputs, { upper: attribute.int(f.node, 'upper', 1) }),
} satisfies Record<string, Decomposition>;
