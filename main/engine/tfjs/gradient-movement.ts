/** Gradients of what moves values: padding by mirrors, slices, resizing. */
import type { GradConfig, Rank, Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import { PathlightError } from '../../../core/contract/errors.ts';
import type { Core } from './libraries.ts';

/** dx = the inner part of dy, plus each border turned back onto what it mirrors; one axis after the other. */
export function mirrorPad(core: Core): GradConfig {
  return {
    kernelName: 'MirrorPad',
    inputsToSave: ['x'],
    gradFunc: (dy, saved, attributes) => {
      const [x] = saved as [Tensor];
      const { paddings, mode } = attributes as unknown as {
        paddings: [number, number][];
        mode: 'reflect' | 'symmetric';
      };
      const edge = mode === 'reflect' ? 1 : 0;
      return {
        x: () =>
          paddings.reduce<Tensor>((rest, [before, after], axis) => {
            const size = x.shape[axis] ?? 0;
            const [first, inner, last] = core.split(rest, [before, size, after], axis) as [
              Tensor,
              Tensor,
              Tensor,
            ];
            const placed = (border: Tensor, at: number, length: number): Tensor =>
              core.pad(
                core.reverse(border, axis),
                rest.shape.map((_, each): [number, number] =>
                  each === axis ? [at, size - at - length] : [0, 0],
                ),
              );
            return core.addN([inner, placed(first, edge, before), placed(last, size - edge - after, after)]);
          }, dy as Tensor),
      };
    },
  };
}

interface SliceAttributes {
  begin: number[];
  end: number[];
  strides: number[];
  beginMask: number;
  endMask: number;
  ellipsisMask: number;
  newAxisMask: number;
  shrinkAxisMask: number;
}

/** dx = dy, surrounded by zeros. */
export function stridedSlice(core: Core): GradConfig {
  return {
    kernelName: 'StridedSlice',
    inputsToSave: ['x'],
    gradFunc: (dy, saved, attributes) => {
      const [x] = saved as [Tensor];
      const a = attributes as unknown as SliceAttributes;
      return {
        x: () => {
          const { begin, end, strides } = core.slice_util.sliceInfo(
            x.shape,
            a.begin,
            a.end,
            a.strides,
            a.beginMask,
            a.endMask,
            a.ellipsisMask,
            a.newAxisMask,
            a.shrinkAxisMask,
          );
          if (strides.some((stride) => stride !== 1)) {
            throw new PathlightError(
              'unsupported',
              `The model takes a slice of its values with steps (${strides.join(', ')}), which has no gradient in TensorFlow.js`,
              'Export the model without strided slices, or as ONNX.',
            );
          }
          const taken = begin.map((from, axis) => (end[axis] ?? from) - from);
          return core.pad(
            core.reshape(dy as Tensor, taken),
            x.shape.map((size, axis): [number, number] => {
              const before = begin[axis] ?? 0;
              return [before, size - before - (taken[axis] ?? 0)];
            }),
          );
        },
      };
    },
  };
}

interface ResizeAttributes {
  alignCorners: boolean;
  halfPixelCenters: boolean;
}

/** One axis of a resizing. */
interface Axis extends ResizeAttributes {
  from: number;
  to: number;
}

/** Where a new position lies among the old ones. */
function sourceOf(position: number, { from, to, alignCorners, halfPixelCenters }: Axis): number {
  const scale = alignCorners && to > 1 ? (from - 1) / (to - 1) : from / to;
  return halfPixelCenters ? scale * (position + 0.5) : scale * position;
}

/** Old positions and their weights in the value at a new one. */
type Filter = (position: number, axis: Axis) => [old: number, weight: number][];

const within = (position: number, { from }: Axis): number => Math.min(Math.max(position, 0), from - 1);

export const bilinear: Filter = (position, axis) => {
  const source = sourceOf(position, axis) - (axis.halfPixelCenters ? 0.5 : 0);
  const below = Math.floor(source);
  return [
    [within(below, axis), 1 - (source - below)],
    [within(below + 1, axis), source - below],
  ];
};

export const nearest: Filter = (position, axis) => {
  const source = sourceOf(position, axis);
  return [[within(axis.alignCorners ? Math.round(source) : Math.floor(source), axis), 1]];
};

/** dx = R^T dy C, where y = R x C^T: rows, then columns. TensorFlow.js swaps height and width, and rounds at other places. */
export function resize(core: Core, kernelName: string, filter: Filter): GradConfig {
  const turn = (axis: Axis): Tensor2D => {
    const weights = core.buffer([axis.from, axis.to]);
    for (let position = 0; position < axis.to; position++) {
      for (const [old, weight] of filter(position, axis)) {
        weights.set(weights.get(old, position) + weight, old, position);
      }
    }
    return weights.toTensor() as Tensor2D;
  };
  return {
    kernelName,
    inputsToSave: ['images'],
    gradFunc: (dy, saved, attributes) => {
      const [images] = saved as [Tensor];
      const options = attributes as unknown as ResizeAttributes;
      return {
        images: () => {
          const [count, height, width, channels] = images.shape as [number, number, number, number];
          const [, newHeight, newWidth] = (dy as Tensor).shape as [number, number, number, number];
          const rows = core.matMul(
            turn({ from: height, to: newHeight, ...options }),
            core.reshape<Rank.R3>(dy as Tensor, [count, newHeight, newWidth * channels]),
          );
          const columns = core.matMul(
            turn({ from: width, to: newWidth, ...options }),
            core.reshape<Rank.R3>(rows, [count * height, newWidth, channels]),
          );
          return core.reshape(columns, images.shape);
        },
      };
    },
  };
}
