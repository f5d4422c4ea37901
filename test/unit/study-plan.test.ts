import { describe, expect, test } from 'vitest';
import { baselineKinds } from '../../core/attribution/baseline-kinds.ts';
import { METHOD_IDS, methods } from '../../core/attribution/methods.ts';
import { parseParameters } from '../../core/attribution/parameters.ts';
import type { MetricId } from '../../core/metrics/metrics.ts';
import { designs, gridsOf, planOf } from '../../main/study/plan.ts';

const nothing = { methods: null, baselines: null, steps: null };
const plan = (grid: Partial<Parameters<typeof planOf>[0][number]>, cohort = 0) =>
  planOf([{ methods: [], baselines: ['black', 'white'], steps: [8, 16], ...grid }], { cohort, seed: 5 });

describe('a plan', () => {
  test('has every map once: what starts from no baseline or takes no steps is not repeated', () => {
    const ways = (method: (typeof METHOD_IDS)[number]) =>
      plan({ methods: [method, method] }).map(({ baseline, steps }) => [baseline, steps]);
    expect(ways('idgi-ig')).toEqual([
      ['black', 8],
      ['black', 16],
      ['white', 8],
      ['white', 16],
    ]);
    expect(ways('blur-ig')).toEqual([
      [null, 8],
      [null, 16],
    ]);
    expect(ways('integrated-gradients')).toEqual([
      ['black', null],
      ['white', null],
    ]);
    expect(ways('gradient')).toEqual([[null, null]]);
  });

  test('shares what two designs have in common', () => {
    const once = planOf([designs.idgi], { cohort: 0, seed: 0 });
    expect(planOf([designs.idgi, designs.idgi], { cohort: 0, seed: 0 })).toEqual(once);
    expect(once).toHaveLength(6 * designs.idgi.steps.length);
  });

  test.each(METHOD_IDS)('gives %s parameters that it takes', (method) => {
    for (const { parameters, baseline, steps, gradients } of plan(
      { methods: [method], baselines: ['uniform'] },
      3,
    )) {
      expect(() => parseParameters(methods[method].parameters, parameters.method, method)).not.toThrow();
      if (baseline !== null) {
        const { parameters: schema } = baselineKinds[baseline];
        expect(parseParameters(schema, parameters.baseline, baseline)).toMatchObject({ seed: 5 });
      }
      if (steps !== null)
        expect(Object.values(parameters.method).map(Number)).toContain(gradientsOf(method, steps));
      expect(gradients).toBeGreaterThan(0);
    }
  });

  /** The parameter that counts its steps. */
  const gradientsOf = (method: string, steps: number): number =>
    ['integrated-gradients-fixed', 'integrated-gradients-adaptive'].includes(method) ? steps + 1 : steps;

  test('counts the gradients of metrics that question the method', () => {
    const gradients = (metrics: readonly MetricId[]) =>
      planOf([{ methods: ['idgi-ig'], baselines: ['black'], steps: [8] }], {
        cohort: 0,
        seed: 0,
        metrics,
      }).map((cell) => cell.gradients);
    expect(gradients(['insertion'])).toEqual([8]);
    // Ten noisy images; one encoded anew, which two metrics look at.
    expect(gradients(['sensitivity-max', 'change-jpeg', 'change-jpeg-shares'])).toEqual([12 * 8]);
  });

  test('is refused where other images are needed and there are none', () => {
    expect(() => plan({ methods: ['expected-gradients'] })).toThrow(/Expected gradients needs other images/);
    expect(plan({ methods: ['expected-gradients'] }, 2)).toHaveLength(2);
    expect(() => plan({ methods: ['idgi-ig'], baselines: ['cohort-mean'] })).toThrow(/Mean of a cohort/);
    expect(() => plan({ methods: ['idgi-ig'], baselines: ['image'] })).toThrow(/no single image/);
  });
});

describe('a design', () => {
  test('is both where nothing is chosen', () => {
    expect(gridsOf(null, nothing)).toEqual([designs.idgi, designs.baselines]);
    expect(gridsOf('all', nothing)).toEqual([designs.idgi, designs.baselines]);
    expect(gridsOf('baselines', nothing)).toEqual([designs.baselines]);
  });

  test.each(['idgi', 'baselines', 'all'] as const)('%s has maps of a method that takes steps', (design) => {
    const cells = planOf(gridsOf(design, { ...nothing, methods: ['guided-ig'] }), { cohort: 0, seed: 0 });
    const wanted = design === 'idgi' ? designs.idgi.baselines : designs.baselines.baselines;
    expect(new Set(cells.map(({ baseline }) => baseline))).toEqual(new Set(wanted));
    expect(cells).toHaveLength(wanted.length * designs.idgi.steps.length);
  });

  test('gives way where something is', () => {
    expect(gridsOf(null, { ...nothing, methods: ['gradient'] })).toEqual([
      { ...designs.idgi, methods: ['gradient'] },
    ]);
    expect(gridsOf('baselines', { ...nothing, steps: [4], baselines: ['grey'] })).toEqual([
      { methods: ['integrated-gradients'], baselines: ['grey'], steps: [4] },
    ]);
  });
});
