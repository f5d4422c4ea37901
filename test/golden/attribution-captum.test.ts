/**
 * Integrated Gradients against captum 0.8's, stored with torch's own float32 error against float64. A ReLU net's gradient jumps where
 * a unit's sign flips, and float32 flips a few on the way: so the median and the 99th percentile are compared, not the L2 norm alone.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { integrateFixed } from '../../core/attribution/integrate-fixed.ts';
import { lastFrame } from '../../core/attribution/inquiry.ts';
import type { DifferentiableModel } from '../../core/attribution/model.ts';
import type { QuadratureRule } from '../../core/attribution/quadrature.ts';
import { buildGradientModel } from '../../core/autodiff/index.ts';
import { readModel } from '../../core/onnx/file.ts';
import { differentiableModel } from '../../main/engine/gradient-model.ts';
import { openSession } from '../../main/engine/sessions.ts';
import { readArray } from '../support/npy.ts';
import { sharedFolder } from '../support/shared.ts';

const golden = sharedFolder('golden');

const MetaSchema = v.object({
  target: v.number(),
  ig_gl50_black_f32_error_vs_f64: v.optional(
    v.object({ p50_over_rms: v.number(), p99_over_rms: v.number() }),
  ),
});

/** Quantiles of |error| over the reference's root mean square. */
function errorOf(map: Float32Array, reference: Float64Array): { p50: number; p99: number } {
  const rms = Math.sqrt(reference.reduce((sum, value) => sum + value * value, 0) / reference.length);
  const errors = reference.map((value, i) => Math.abs(value - (map[i] ?? NaN)) / rms).toSorted();
  const quantile = (share: number): number => errors[Math.floor(share * errors.length)] ?? NaN;
  return { p50: quantile(0.5), p99: quantile(0.99) };
}

describe.skipIf(golden === null)('Integrated Gradients agree with captum', () => {
  const file = (id: string, name: string): string => path.join(golden ?? '', id, name);

  async function open(id: string) {
    const bytes = readFileSync(file(id, 'model.onnx'));
    const meta = v.parse(MetaSchema, JSON.parse(readFileSync(file(id, 'meta.json'), 'utf8')));
    const { inputs, outputs } = readModel(bytes).graph;
    const x = readArray(file(id, 'input.npy'));
    const graph = buildGradientModel(bytes, {
      input: inputs[0]?.name ?? '',
      output: outputs[0]?.name ?? '',
      objective: 'logit',
      activation: 'none',
      inputShape: x.shape.slice(1),
    });
    const session = await openSession(graph.bytes, id);
    return { meta, model: differentiableModel(session, graph, meta.target), x: Float32Array.from(x.values) };
  }

  const integral = async (
    model: DifferentiableModel,
    x: Float32Array,
    baseline: Float32Array,
    rule: QuadratureRule,
    nodes: number,
  ) => {
    const run = { batchSize: 4, measureSum: false };
    return (await lastFrame(integrateFixed(model, x, baseline, rule, nodes, run))).map;
  };
  const gaussLegendre50 = (model: DifferentiableModel, id: string, x: Float32Array, baseline: string) =>
    integral(model, x, Float32Array.from(readArray(file(id, baseline)).values), 'gauss-legendre', 50);

  test.each(['tiny_cnn', 'xrv_densenet121', 'mobilenet_v2', 'efficientnet_b0'])(
    "%s: within three times torch's own float32 error of its float64 map",
    async (id) => {
      const { meta, model, x } = await open(id);
      const own = meta.ig_gl50_black_f32_error_vs_f64;
      const map = await gaussLegendre50(model, id, x, 'baseline_black.npy');
      const error = errorOf(map, readArray(file(id, 'ig_gl50_black_f64.npy')).values);
      expect(error.p50).toBeLessThan(3 * (own?.p50_over_rms ?? NaN));
      expect(error.p99).toBeLessThan(3 * (own?.p99_over_rms ?? NaN));
    },
    300_000,
  );

  test('tiny_cnn with the blurred baseline', async () => {
    const { model, x } = await open('tiny_cnn');
    const map = await gaussLegendre50(model, 'tiny_cnn', x, 'baseline_blur.npy');
    expect(errorOf(map, readArray(file('tiny_cnn', 'ig_gl50_blur.npy')).values).p99).toBeLessThan(1e-5);
  });

  const tiny = ['densenet', 'vit', '3dcnn', 'inception', 'mbconv', 'shuffle', 'unet'].map(
    (name) => `tiny_${name}`,
  );

  test.each(tiny.filter((id) => existsSync(file(id, 'model.onnx'))))(
    '%s by Gauss-Legendre and by midpoints, to float32 precision',
    async (id) => {
      const { model, x } = await open(id);
      const baseline = Float32Array.from(readArray(file(id, 'baseline.npy')).values);
      for (const [rule, nodes, name] of [
        ['gauss-legendre', 50, 'ig_gausslegendre50.npy'],
        ['midpoint', 64, 'ig_riemann_middle64.npy'],
      ] as const) {
        const map = await integral(model, x, baseline, rule, nodes);
        const error = errorOf(map, readArray(file(id, name)).values);
        expect(error.p50, rule).toBeLessThan(3e-7);
        // A single flip of a unit moves a patch of so small an image.
        expect(error.p99, rule).toBeLessThan(1e-3);
      }
    },
  );
});
