/** What is asked of an image: by which method, compared with what, with which parameters. What is left out takes its default. */
import { type BaselineId, BASELINE_IDS } from '../../core/attribution/baseline-kinds.ts';
import { type Choice, completeMethod, criterionOf, needsOf } from '../../core/attribution/choices.ts';
import type { MethodId } from '../../core/attribution/methods.ts';
import { baselineKindOf } from '../../core/attribution/stated.ts';
import type { Need } from '../../core/attribution/parameters.ts';
import type { ModelCard } from '../../core/contract/model-card.ts';
import { BASELINES, DEFAULT_BASELINE } from '../../core/contract/result.ts';

export interface OwnImage {
  image: string;
  frame: number;
}

const usualMethod: Choice<MethodId> = { id: 'integrated-gradients', parameters: {} };
const usualBaselines: readonly Choice<BaselineId>[] = BASELINES.map((id) => ({ id, parameters: {} }));

export interface Wish {
  method?: Choice<MethodId>;
  baselines?: readonly Choice<BaselineId>[];
  cohort?: string | null;
  image?: OwnImage | null;
}

export class Question {
  method = $state.raw(usualMethod);
  /** Compared with each other; in the order of the table, each once. */
  baselines = $state.raw(usualBaselines);
  /** The one that is shown, and that Explain starts from. */
  baselineId = $state<BaselineId>(DEFAULT_BASELINE);
  /** A folder whose images stand for a cohort. */
  cohort = $state<string | null>(null);
  /** The reader's own baseline, among the open images. */
  image = $state.raw<OwnImage | null>(null);

  readonly usualMethod = $derived(this.method === usualMethod);
  /** With every parameter. */
  readonly completeMethod = $derived(completeMethod(this.method, 'logit'));
  /** When it stops by itself; null where it does the work that its parameters set. */
  readonly criterion = $derived(criterionOf(this.completeMethod));
  readonly needs = $derived([...needsOf(this.completeMethod)]);
  readonly comparesBaselines = $derived(this.needs.includes('baseline'));
  /** What a map is computed from, one after the other: null where the method takes no baseline. */
  readonly asked = $derived<readonly (Choice<BaselineId> | null)[]>(
    this.comparesBaselines ? this.baselines : [null],
  );
  readonly baseline = $derived<Choice<BaselineId> | null>(
    this.comparesBaselines
      ? (this.baselines.find(({ id }) => id === this.baselineId) ?? this.baselines[0] ?? null)
      : null,
  );
  /** What decides a map besides its baseline: what nothing needs does not. */
  readonly subject = $derived({
    method: this.method,
    cohort: this.#anyNeeds('references') && this.cohort !== null ? { folder: this.cohort } : null,
    baselineImage: this.#anyNeeds('image') ? this.image : null,
  });

  /** Other images are open: those of before are no longer at hand. */
  forgetImage(): void {
    this.image = null;
    const others = this.baselines.filter(({ id }) => id !== 'image');
    if (others.length < this.baselines.length) {
      this.#compareWith(others.length === 0 ? usualBaselines : others);
    }
  }

  /** What is not said stays as it was. */
  ask({ method, baselines, cohort, image }: Wish): void {
    if (method !== undefined) this.method = isUsual(method, usualMethod) ? usualMethod : method;
    if (baselines !== undefined) this.#compareWith(baselines);
    if (cohort !== undefined) this.cohort = cohort;
    if (image !== undefined) this.image = image;
  }

  #compareWith(chosen: readonly Choice<BaselineId>[]): void {
    const ordered = chosen.toSorted((a, b) => BASELINE_IDS.indexOf(a.id) - BASELINE_IDS.indexOf(b.id));
    const usual =
      ordered.length === usualBaselines.length &&
      usualBaselines.every((each, i) => isUsual(ordered[i] ?? each, each));
    this.baselines = usual ? usualBaselines : ordered;
    if (!this.baselines.some(({ id }) => id === this.baselineId)) {
      this.baselineId = this.baselines[0]?.id ?? DEFAULT_BASELINE;
    }
  }

  #anyNeeds(need: Need): boolean {
    return (
      this.needs.includes(need) ||
      this.asked.some((choice) => choice !== null && baselineKindOf(choice.id).needs.includes(need))
    );
  }

  /** The next of the compared ones becomes the one that is shown. */
  stepBaseline(by: number): void {
    const at = this.baselines.findIndex(({ id }) => id === this.baselineId);
    const count = this.baselines.length;
    this.baselineId = this.baselines[(at + by + count) % count]?.id ?? DEFAULT_BASELINE;
  }
}

const needed: Record<Need, string> = {
  baseline: 'a baseline',
  references: 'a folder of images to compare with',
  image: 'one of the open images',
  entropy: 'the probabilities that the model gives',
  representation: 'the model\u2019s last layer but one',
};

export function needText(needs: readonly Need[]): string {
  return needs.length === 0 ? 'nothing but the image' : needs.map((need) => needed[need]).join(', and ');
}

/** What the reader must still give before it can be computed; empty where nothing is missing. */
export function missing(
  needs: readonly Need[],
  { cohort, image, model }: { cohort: string | null; image: OwnImage | null; model: ModelCard | null },
): string[] {
  const inside = needs.filter((need) => need === 'entropy' || need === 'representation');
  const closed = model?.format !== undefined && model.format !== 'onnx';
  return [
    ...(closed
      ? inside.map((need) => `${needed[need]}, which a model in TensorFlow.js form does not give here`)
      : []),
    ...(needs.includes('references') && cohort === null ? [needed.references] : []),
    ...(needs.includes('image') && image === null ? [needed.image] : []),
  ];
}

function isUsual<Id extends string>(a: Choice<Id>, b: Choice<Id>): boolean {
  return a.id === b.id && Object.keys(a.parameters).length === 0;
}
