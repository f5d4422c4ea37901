/** What a study computes: the grid of methods, baselines and steps, each map of it once. */
import {
  BASELINE_IDS,
  type BaselineId,
  type BaselineKind,
  baselineKinds,
} from '../../core/attribution/baseline-kinds.ts';
import { completeMethod, needsOf } from '../../core/attribution/choices.ts';
import { fieldsOf } from '../../core/attribution/fields.ts';
import { type Method, type MethodId, methods } from '../../core/attribution/methods.ts';
import type { Need } from '../../core/attribution/parameters.ts';
import type { MetricId } from '../../core/metrics/metrics.ts';
import { PathlightError } from '../../core/contract/errors.ts';
import type { StudyChoice } from './row.ts';

/** Those that a study may take: it has no single image to start from. */
export const STUDY_BASELINES: readonly BaselineId[] = BASELINE_IDS.filter((id) => {
  const { needs }: BaselineKind = baselineKinds[id];
  return !needs.includes('image');
});

/** Methods, each from every baseline and with every number of steps that it takes. */
export interface Grid {
  methods: readonly MethodId[];
  baselines: readonly BaselineId[];
  steps: readonly number[];
}

/** One map of each image and model. */
export interface Cell extends Omit<StudyChoice, 'model'> {
  /** Other than the defaults. */
  parameters: { method: Readonly<Record<string, unknown>>; baseline: Readonly<Record<string, unknown>> };
  /** Gradients that it will take, as estimated; a method that stops by itself may take more or fewer. */
  gradients: number;
}

/** What a method makes of a number of steps, and how many gradients that is. */
interface Stepping {
  parameters(steps: number): Readonly<Record<string, unknown>>;
  gradients(steps: number): number;
}

const nodes: Stepping = { parameters: (steps) => ({ nodes: steps + 1 }), gradients: (steps) => steps + 1 };
const stepsAndEnd: Stepping = { parameters: (steps) => ({ steps }), gradients: (steps) => steps + 1 };
const stepsAlone: Stepping = { ...stepsAndEnd, gradients: (steps) => steps };
const samples: Stepping = { parameters: (steps) => ({ samples: steps }), gradients: (steps) => steps };

/** Of the methods that are not here a study computes one map, whatever the steps: they have none, or stop by themselves. */
const stepping: Partial<Record<MethodId, Stepping>> = {
  'integrated-gradients-fixed': {
    ...nodes,
    parameters: (steps) => ({ rule: 'trapezoid', nodes: steps + 1 }),
  },
  'integrated-gradients-adaptive': nodes,
  smoothgrad: samples,
  'smoothgrad-squared': samples,
  vargrad: samples,
  'expected-gradients': samples,
  'smooth-taylor': { parameters: (steps) => ({ roots: steps }), gradients: (steps) => steps },
  'blur-ig': stepsAndEnd,
  'guided-ig': stepsAndEnd,
  ig2: stepsAndEnd,
  'idgi-ig': stepsAlone,
  'idgi-blur-ig': stepsAlone,
  'idgi-guided-ig': stepsAlone,
};

/** Of a method without steps: what the progressive default takes on most images, or a single one. */
const usualGradients = 65;

/** Draws of a random baseline: fewer than where one image is looked at, since a study averages over images. */
const draws = 2;

/** Of the IDGI paper. */
const publishedSteps = [8, 16, 32, 64, 128];

/** The published designs, by what they are to find out. */
export const designs = {
  /** Yang et al. 2023 and its reproducibility study: each path with and without IDGI, over the steps. */
  idgi: {
    methods: [
      'integrated-gradients-fixed',
      'idgi-ig',
      'guided-ig',
      'idgi-guided-ig',
      'blur-ig',
      'idgi-blur-ig',
    ],
    baselines: ['blurred'],
    steps: publishedSteps,
  },
  /** Sturmfels et al. 2020, with the maximum-entropy baseline of Tan 2023 in place of the cohort. */
  baselines: {
    methods: ['integrated-gradients'],
    baselines: ['black', 'blurred', 'maximum-distance', 'uniform', 'gaussian', 'maximum-entropy'],
    // Its own method stops by itself; one that is put in its place may not.
    steps: publishedSteps,
  },
} satisfies Record<string, Grid>;

export type DesignId = keyof typeof designs | 'all';
export const DESIGN_IDS: readonly DesignId[] = ['idgi', 'baselines', 'all'];

export const DEFAULT_METRICS: readonly MetricId[] = [
  'completeness-gap',
  'insertion',
  'insertion-ratio',
  'deletion',
  'deletion-ratio',
  'sic-ms-ssim',
  'aic-ms-ssim',
  'pointing-game',
  'relevance-mass',
  'enrichment',
  'sparseness',
];

/** Further maps that the metrics which question the method have it make. */
const furtherMaps: Partial<Record<MetricId, number>> = {
  'sensitivity-max': 10,
  'randomised-ssim': 1,
  'change-jpeg': 1,
  'change-float-noise': 1,
  'change-steps': 2,
};

/** The grids of a design, with what was chosen in place of its own. */
export function gridsOf(design: DesignId | null, chosen: { [Key in keyof Grid]: Grid[Key] | null }): Grid[] {
  const ofDesign = (grid: Grid): Grid => ({
    methods: chosen.methods ?? grid.methods,
    baselines: chosen.baselines ?? grid.baselines,
    steps: chosen.steps ?? grid.steps,
  });
  if (design === 'idgi' || (design === null && chosen.methods !== null)) return [ofDesign(designs.idgi)];
  if (design === 'baselines') return [ofDesign(designs.baselines)];
  return [ofDesign(designs.idgi), ofDesign(designs.baselines)];
}

/**
 * Every map of the grids once: a method without a baseline or without steps is not repeated over them.
 * @param cohort images of the cohort; 0: there is none
 * @param seed of what is drawn
 * @param metrics that are to be measured: some of them take gradients, too
 * @throws PathlightError `bad-request`: a method or a baseline needs what a study does not have
 */
export function planOf(
  grids: readonly Grid[],
  { cohort, seed, metrics = [] }: { cohort: number; seed: number; metrics?: readonly MetricId[] },
): Cell[] {
  const maps = metrics.reduce((sum, metric) => sum + (furtherMaps[metric] ?? 0), 1);
  const cells = new Map<string, Cell>();
  for (const { methods: ids, baselines, steps } of grids) {
    for (const method of ids) {
      const needs = [...needsOf(completeMethod({ id: method, parameters: {} }, 'logit'))];
      checkNeeds(methods[method].name, needs, cohort);
      const baselinesOf = needs.includes('baseline') ? baselines : [null];
      const stepsOf = stepping[method] === undefined ? [null] : steps;
      for (const baseline of baselinesOf) {
        if (baseline !== null)
          checkNeeds(baselineKinds[baseline].name, baselineKinds[baseline].needs, cohort);
        for (const each of stepsOf) {
          const cell = cellOf(method, baseline, each, cohort, seed);
          cells.set(JSON.stringify([cell.method, cell.baseline, cell.parameters]), {
            ...cell,
            gradients: maps * cell.gradients,
          });
        }
      }
    }
  }
  return [...cells.values()];
}

function checkNeeds(name: string, needs: readonly Need[], cohort: number): void {
  if (needs.includes('image')) {
    throw new PathlightError('bad-request', `${name}: a study has no single image to compare with`);
  }
  if (needs.includes('references') && cohort === 0) {
    throw new PathlightError('bad-request', `${name} needs other images`, 'Name their folder with --cohort.');
  }
}

function cellOf(
  method: MethodId,
  baseline: BaselineId | null,
  steps: number | null,
  cohort: number,
  seed: number,
): Cell {
  const by = stepping[method];
  const seeded = hasParameter(methods[method], 'seed') ? { seed } : {};
  const kind: BaselineKind | null = baseline === null ? null : baselineKinds[baseline];
  const ofBaseline =
    kind === null
      ? {}
      : {
          ...(hasParameter(kind, 'seed') ? { seed } : {}),
          ...(hasParameter(kind, 'count') ? { count: draws } : {}),
        };
  const one =
    by === undefined || steps === null ? (oneGradient.has(method) ? 1 : usualGradients) : by.gradients(steps);
  const repeats = kind?.several !== true ? 1 : baseline === 'counterfactual' ? cohort : draws;
  return {
    method,
    baseline,
    steps,
    parameters: {
      method: { ...seeded, ...(by === undefined || steps === null ? {} : by.parameters(steps)) },
      baseline: ofBaseline,
    },
    // IG2 asks for two gradients a step, of each reference.
    gradients: one * repeats * (method === 'ig2' ? 2 * cohort : 1) + making(baseline, cohort),
  };
}

const oneGradient: ReadonlySet<MethodId> = new Set(['gradient', 'gradient-x-input']);

/** Gradients that a baseline takes to be made, with its usual parameters. */
function making(baseline: BaselineId | null, cohort: number): number {
  if (baseline === 'maximum-entropy') return 100;
  return baseline === 'counterfactual' ? 201 * cohort : 0;
}

function hasParameter({ parameters }: Pick<Method | BaselineKind, 'parameters'>, name: string): boolean {
  return fieldsOf(parameters).some(({ key }) => key === name);
}
