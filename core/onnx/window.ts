/** Where the windows of convolutions and pools lie along each spatial axis. */
import * as attribute from './attributes.ts';
import type { Call } from './call.ts';
import { malformed } from './call.ts';
import { string } from './attributes.ts';

/** One number an axis; `begin` and `end` are paddings, `output` the number of windows. */
export interface Windows {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly begin: readonly number[];
  readonly end: readonly number[];
  readonly output: readonly number[];
}

function common(call: Call, rank: number) {
  const { node } = call;
  const ones = new Array<number>(rank).fill(1);
  const pads = attribute.ints(node, 'pads', new Array<number>(2 * rank).fill(0));
  const strides = attribute.ints(node, 'strides', ones);
  const dilations = attribute.ints(node, 'dilations', ones);
  if (pads.length !== 2 * rank || strides.length !== rank || dilations.length !== rank) {
    throw malformed(call, `pads, strides or dilations do not fit ${rank} spatial axes`);
  }
  if ([...strides, ...dilations].some((step) => step < 1)) {
    throw malformed(
      call,
      `strides [${strides.join(', ')}] and dilations [${dilations.join(', ')}] begin at 1`,
    );
  }
  return { strides, dilations, pads, autoPad: string(node, 'auto_pad', 'NOTSET') };
}

/** Of Conv and the pools, over an input of the given spatial sizes. */
export function windows(call: Call, sizes: readonly number[], kernel: readonly number[]): Windows {
  const { strides, dilations, pads, autoPad } = common(call, sizes.length);
  if (kernel.length !== sizes.length) throw malformed(call, 'the kernel does not fit the input');
  const ceil = attribute.int(call.node, 'ceil_mode', 0) === 1;
  const begin: number[] = [];
  const end: number[] = [];
  const output = sizes.map((size, axis) => {
    const stride = strides[axis] ?? 1;
    const extent = ((kernel[axis] ?? 1) - 1) * (dilations[axis] ?? 1) + 1;
    if (autoPad === 'SAME_UPPER' || autoPad === 'SAME_LOWER') {
      const count = Math.ceil(size / stride);
      const total = Math.max((count - 1) * stride + extent - size, 0);
      const less = Math.floor(total / 2);
      begin.push(autoPad === 'SAME_UPPER' ? less : total - less);
      end.push(autoPad === 'SAME_UPPER' ? total - less : less);
      return count;
    }
    const [before, after] = autoPad === 'VALID' ? [0, 0] : [pads[axis] ?? 0, pads[axis + sizes.length] ?? 0];
    begin.push(before);
    end.push(after);
    const room = (size + before + after - extent) / stride;
    if (room < 0) throw malformed(call, 'the kernel is larger than the padded input');
    if (!ceil) return Math.floor(room) + 1;
    const count = Math.ceil(room) + 1;
    // A window that would begin in the padding at the end is left out.
    return (count - 1) * stride >= size + before ? count - 1 : count;
  });
  return { kernel, strides, dilations, begin, end, output };
}

/** Of ConvTranspose: `output` is the size that it makes. */
export function transposedWindows(call: Call, sizes: readonly number[], kernel: readonly number[]): Windows {
  const rank = sizes.length;
  const { strides, dilations, pads, autoPad } = common(call, rank);
  const extra = attribute.ints(call.node, 'output_padding', new Array<number>(rank).fill(0));
  const stated = attribute.ints(call.node, 'output_shape', undefined)?.slice(-rank);
  const same = autoPad === 'SAME_UPPER' || autoPad === 'SAME_LOWER';
  const begin: number[] = [];
  const end: number[] = [];
  const output = sizes.map((size, axis) => {
    const stride = strides[axis] ?? 1;
    const full =
      stride * (size - 1) + (extra[axis] ?? 0) + ((kernel[axis] ?? 1) - 1) * (dilations[axis] ?? 1) + 1;
    // ONNX Runtime makes no more than the kernels reach, though ONNX says size * stride.
    const wanted = stated?.[axis] ?? (same ? Math.min(size * stride, full) : undefined);
    if (wanted === undefined) {
      const [before, after] = autoPad === 'VALID' ? [0, 0] : [pads[axis] ?? 0, pads[axis + rank] ?? 0];
      begin.push(before);
      end.push(after);
      return full - before - after;
    }
    const total = Math.max(full - wanted, 0);
    const less = Math.floor(total / 2);
    begin.push(autoPad === 'SAME_UPPER' ? less : total - less);
    end.push(autoPad === 'SAME_UPPER' ? total - less : less);
    return wanted;
  });
  return { kernel, strides, dilations, begin, end, output };
}
