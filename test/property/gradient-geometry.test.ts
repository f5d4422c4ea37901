/**
 * Windows, grids and paths of elements, drawn at random. All of these operators are homogeneous: scaling an operand scales the
 * result. So (Euler) the gradient times the image is the number of operands times the score, whatever their geometry;
 * for a linear operator at a random image under random weights, no other gradient has this property.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { GradientModel } from '../../core/autodiff/index.ts';
import { PathlightError } from '../../core/contract/errors.ts';
import type { AttributeValues } from '../../core/onnx/builder.ts';
import { floatValue } from '../../core/onnx/attributes.ts';
import { elementCount } from '../../core/onnx/tensor.ts';
import { differentiate, evaluateGradient } from '../support/gradient-under-test.ts';
import { floatTensor, openSession } from '../support/onnx-models.ts';
import type { Operand, OperatorCase } from '../support/onnx-operator-cases.ts';
import { operatorModel } from '../support/onnx-operator-model.ts';
import { seededRandom } from '../support/onnx-random.ts';

const RUNS = 40;

const image = (shape: readonly number[]): Operand => ({ kind: 'image', shape, domain: 'spread' });
const real = (shape: readonly number[], values?: readonly number[]): Operand => ({
  kind: 'real',
  shape,
  domain: 'spread',
  ...(values === undefined ? {} : { values }),
});
const integers = (values: readonly number[]): Operand => ({
  kind: 'exact',
  type: 'int64',
  shape: [values.length],
  values,
});
const none: Operand = { kind: 'none' };

const whole = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max });
const each = (count: number, min: number, max: number): fc.Arbitrary<number[]> =>
  fc.array(whole(min, max), { minLength: count, maxLength: count });

/** Where ONNX Runtime's result is not ONNX's. */
const REFUSED = /pads by itself|wraps more than once|ceil mode whose last window/;

function unlessRefused(bytes: Uint8Array): GradientModel | undefined {
  try {
    return differentiate(bytes);
  } catch (error) {
    if (error instanceof PathlightError && REFUSED.test(error.message)) return undefined;
    throw error;
  }
}

/** Forms that ONNX Runtime does not take, and those that are refused, are left out. */
async function expectHomogeneous(operator: string, form: OperatorCase): Promise<void> {
  const random = seededRandom(JSON.stringify(form));
  const { bytes, point } = operatorModel(operator, form, 'float32', random);
  const feeds = { image: floatTensor('float32', point, [1, point.length]) };
  const forward = await openSession(bytes).catch(() => undefined);
  fc.pre(forward !== undefined);
  const results = await forward.run(feeds).catch(() => undefined);
  await forward.release();
  fc.pre(results?.['result'] !== undefined && results['result'].size > 0);

  const model = unlessRefused(bytes);
  fc.pre(model !== undefined);
  const session = await openSession(model.bytes);
  const weights = Array.from({ length: model.outputCount }, () => 2 * random() - 1);
  const { f, output, gradient } = await evaluateGradient(session, model, 'float32', [point], [weights]);
  await session.release();
  const operands = form.operands.filter(({ kind }) => kind === 'image').length;
  const terms = point.map((value, index) => value * (gradient[index] ?? NaN));
  const scale = Math.hypot(...terms, ...output, 1);
  expect(Math.abs(terms.reduce((sum, term) => sum + term, 0) - operands * f)).toBeLessThan(1e-5 * scale);
}

function holdsFor(operator: string, forms: fc.Arbitrary<Omit<OperatorCase, 'what'>>, of = ''): void {
  it(`${operator}${of}`, async () => {
    const property = fc.asyncProperty(forms, (form) =>
      expectHomogeneous(operator, { what: operator, ...form }),
    );
    await fc.assert(property, { numRuns: RUNS });
  });
}

/** How far the kernels below reach at most, dilated, by the number of axes. */
const LARGEST_KERNEL = [1, 5, 5, 3];

/** Kernel, strides, dilations and either pads or a rule for them, one number (of pads two) an axis. */
const windows = (rank: number): fc.Arbitrary<{ kernel: number[]; attributes: AttributeValues }> =>
  fc
    .record({
      kernel: each(rank, 1, rank === 3 ? 2 : 3),
      strides: each(rank, 1, 3),
      dilations: each(rank, 1, 2),
      pads: each(2 * rank, 0, 2),
      auto_pad: fc.constantFrom('NOTSET', 'NOTSET', 'SAME_UPPER', 'SAME_LOWER', 'VALID'),
    })
    .map(({ kernel, pads, auto_pad, ...rest }) => ({
      kernel,
      attributes: { ...rest, kernel_shape: kernel, ...(auto_pad === 'NOTSET' ? { pads } : { auto_pad }) },
    }));

const convolution = (
  shapes: (c: { group: number; inner: number; outer: number }) => [number, number, number],
) =>
  whole(1, 3).chain((rank) =>
    fc
      .record({
        images: whole(1, 2),
        sizes: each(rank, LARGEST_KERNEL[rank] ?? 1, (LARGEST_KERNEL[rank] ?? 1) + 3),
        windows: windows(rank),
        group: whole(1, 3),
        inner: whole(1, 2),
        outer: whole(1, 2),
      })
      .map(({ images, sizes, windows: { kernel, attributes }, ...channels }) => {
        const [taken, first, second] = shapes(channels);
        return {
          operands: [image([images, taken, ...sizes]), real([first, second, ...kernel])],
          attributes: { ...attributes, group: channels.group },
        };
      }),
  );

holdsFor(
  'Conv',
  convolution(({ group, inner, outer }) => [group * inner, group * outer, inner]),
);

// Written otherwise: phases of whole blocks of channels each by itself, and larger blocks of places for images of few channels.
const strided = (channels: number): fc.Arbitrary<Omit<OperatorCase, 'what'>> =>
  fc
    .record({
      sizes: each(2, 7, 12),
      kernel: each(2, 2, 7),
      stride: whole(2, 3),
      pads: each(4, 0, 3),
      outputs: whole(1, 3),
    })
    .map(({ sizes, kernel, stride, pads, outputs }) => ({
      operands: [image([1, channels, ...sizes]), real([outputs, channels, ...kernel])],
      attributes: { kernel_shape: kernel, strides: [stride, stride], pads },
    }));
holdsFor('Conv', strided(16), ', strided, of 16 channels');
holdsFor('Conv', strided(1), ', strided, of 1 channel');

holdsFor(
  'ConvTranspose',
  convolution(({ group, inner, outer }) => [group * inner, group * inner, outer]),
);

/** Before set 22, ONNX and ONNX Runtime disagreed on windows that begin in the padding at the end. */
const pools = (
  more: fc.Arbitrary<AttributeValues>,
  sets: readonly number[] = [22],
): fc.Arbitrary<Omit<OperatorCase, 'what'>> =>
  whole(1, 3).chain((rank) =>
    fc
      .record({
        sizes: each(rank, LARGEST_KERNEL[rank] ?? 1, (LARGEST_KERNEL[rank] ?? 1) + 3),
        windows: windows(rank),
        more,
        opset: fc.constantFrom(...sets),
      })
      .map((drawn) => ({
        operands: [image([1, 2, ...drawn.sizes])],
        attributes: { ...drawn.windows.attributes, ...drawn.more },
        opset: drawn.opset,
      })),
  );

holdsFor('AveragePool', pools(fc.record({ ceil_mode: whole(0, 1), count_include_pad: whole(0, 1) })));
holdsFor('MaxPool', pools(fc.record({ ceil_mode: whole(0, 1) }), [12, 18, 22]));
holdsFor('LpPool', pools(fc.record({ ceil_mode: whole(0, 1), p: whole(1, 3) })));

it.each(['AveragePool', 'MaxPool', 'LpPool'])(
  '%s takes a ceil mode whose last window begins in the image',
  async (operator) => {
    const attributes = { kernel_shape: [3], strides: [2], ceil_mode: 1 };
    const form = { what: operator, operands: [image([1, 2, 4])], attributes, opset: 22 };
    expect(
      unlessRefused(operatorModel(operator, form, 'float32', seededRandom(operator)).bytes),
    ).toBeDefined();
    await expectHomogeneous(operator, form);
  },
);

holdsFor(
  'Resize',
  fc
    .record({
      from: each(2, 1, 6),
      to: each(2, 1, 8),
      byScales: fc.boolean(),
      attributes: fc.record({
        mode: fc.constantFrom('nearest', 'linear', 'cubic'),
        coordinate_transformation_mode: fc.constantFrom(
          ...['half_pixel', 'half_pixel_symmetric', 'pytorch_half_pixel', 'align_corners', 'asymmetric'],
        ),
        nearest_mode: fc.constantFrom('round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil'),
        exclude_outside: whole(0, 1),
        antialias: whole(0, 1),
      }),
    })
    // Which sample is nearest hangs on the last bit there, where two are equally far.
    .filter(
      ({ attributes: { mode, coordinate_transformation_mode } }) =>
        mode !== 'nearest' || coordinate_transformation_mode !== 'half_pixel_symmetric',
    )
    .map(({ from, to, byScales, attributes }) => ({
      operands: [
        image([1, 2, ...from]),
        none,
        byScales
          ? { kind: 'exact', type: 'float32', shape: [4], values: [1, 1, ...to.map((size) => size / 4)] }
          : none,
        byScales ? none : integers([1, 2, ...to]),
      ],
      attributes,
      opset: 19,
    })),
);

holdsFor(
  'Pad',
  fc
    .record({
      shape: each(3, 1, 5),
      pads: each(6, -2, 3),
      mode: fc.constantFrom('constant', 'reflect', 'edge', 'wrap'),
    })
    .map(({ shape, pads, mode }) => ({
      operands: [image(shape), integers(pads)],
      attributes: { mode },
      opset: 19,
    })),
);

holdsFor(
  'Slice',
  fc
    .record({
      shape: each(3, 1, 6),
      axes: fc.shuffledSubarray([0, -2, 2], { minLength: 1 }),
      starts: each(3, -8, 8),
      ends: each(3, -8, 8),
      steps: fc.array(fc.constantFrom(-3, -2, -1, 1, 2, 3), { minLength: 3, maxLength: 3 }),
    })
    .map(({ shape, axes, ...lists }) => {
      const [starts, ends, steps] = [lists.starts, lists.ends, lists.steps].map((list) =>
        integers(list.slice(0, axes.length)),
      );
      return { operands: [image(shape), starts ?? none, ends ?? none, integers(axes), steps ?? none] };
    }),
);

holdsFor(
  'GridSample',
  whole(2, 3).chain((rank) =>
    fc
      .record({
        sizes: each(rank, 1, 4),
        places: each(rank, 1, 3),
        grid: fc.array(fc.double({ min: -2.5, max: 2.5, noNaN: true }), { minLength: 81, maxLength: 81 }),
        attributes: fc.record({
          mode:
            rank === 2 ? fc.constantFrom('linear', 'nearest', 'cubic') : fc.constantFrom('linear', 'nearest'),
          padding_mode: fc.constantFrom('zeros', 'border', 'reflection'),
          align_corners: whole(0, 1),
        }),
      })
      .map(({ sizes, places, grid, attributes }) => {
        const shape = [1, ...places, rank];
        return {
          operands: [image([1, 2, ...sizes]), real(shape, grid.slice(0, elementCount(shape)))],
          attributes,
          opset: 20,
        };
      }),
  ),
);

/** Sizes of the labels a to d, whole lists of labels for two operands, and some of these labels for the result. */
holdsFor(
  'Einsum',
  fc
    .record({
      sizes: each(4, 1, 3),
      left: fc.array(whole(0, 3), { minLength: 1, maxLength: 4 }),
      right: fc.array(whole(0, 3), { minLength: 1, maxLength: 3 }),
      kept: fc.shuffledSubarray([0, 1, 2, 3]),
      ellipsis: fc.boolean(),
      repeats: fc.boolean(),
    })
    .map(({ sizes, left, right, kept, ellipsis, repeats }) => {
      const letters = (labels: readonly number[]): string => labels.map((label) => 'abcd'[label]).join('');
      const dots = ellipsis ? '...' : '';
      const result = kept.filter((label) => left.includes(label) || right.includes(label));
      const shape = (labels: readonly number[]): number[] => labels.map((label) => sizes[label] ?? 1);
      const many = ellipsis ? [2, 3] : [];
      const equation = `${dots}${letters(left)},${letters(right)}${dots}->${dots}${letters(result)}`;
      return {
        operands: [
          image([...many, ...shape(left)]),
          image([...shape(right), ...many.map((size) => (repeats ? 1 : size))]),
        ],
        attributes: { equation },
      };
    }),
);

/** Vectors, matrices and stacks of them that broadcast. */
holdsFor(
  'MatMul',
  fc
    .record({
      stack: each(2, 1, 3),
      rows: whole(1, 3),
      inner: whole(1, 3),
      columns: whole(1, 3),
      forms: each(2, 0, 3),
    })
    .map(({ stack, rows, inner, columns, forms: [left = 0, right = 0] }) => ({
      operands: [
        image([[inner], [rows, inner], [stack[1] ?? 1, rows, inner], [...stack, rows, inner]][left] ?? []),
        image(
          [[inner], [inner, columns], [1, inner, columns], [stack[0] ?? 1, 1, inner, columns]][right] ?? [],
        ),
      ],
    })),
);

holdsFor(
  'Gemm',
  fc
    .record({
      rows: whole(1, 4),
      inner: whole(1, 4),
      columns: whole(1, 4),
      transA: whole(0, 1),
      transB: whole(0, 1),
    })
    .map(({ rows, inner, columns, transA, transB }) => ({
      operands: [
        image(transA === 1 ? [inner, rows] : [rows, inner]),
        image(transB === 1 ? [columns, inner] : [inner, columns]),
      ],
      attributes: { transA, transB, alpha: floatValue(1.5) },
    })),
);

holdsFor(
  'GatherND',
  fc
    .record({
      shape: each(4, 1, 3),
      batchAxes: whole(0, 2),
      depth: whole(1, 2),
      count: whole(1, 4),
      picks: each(64, -9, 9),
    })
    .map(({ shape, batchAxes, depth, count, picks }) => {
      const indices = [...shape.slice(0, batchAxes), count, depth];
      const values = Array.from({ length: elementCount(indices) }, (_, at) => {
        const size = shape[batchAxes + (at % depth)] ?? 1;
        return (picks[at % picks.length] ?? 0) % size;
      });
      return {
        operands: [image(shape), { kind: 'exact', type: 'int64', shape: indices, values }],
        attributes: { batch_dims: batchAxes },
      };
    }),
);
