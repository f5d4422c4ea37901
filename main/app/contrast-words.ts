/** What a contrast shows, in sentences; and what to know before believing it. */
import type { LungShares } from '../../core/metrics/lung-parts.ts';
import { lungName } from '../../core/metrics/lung-parts.ts';
import { mapScale } from '../../core/attribution/choices.ts';
import type { ExplanationResult } from '../../core/contract/result.ts';
import type { ImageEntry } from '../../core/contract/library.ts';
import { type Orientation, sameOrientation } from '../../core/imaging/orientation.ts';
import type { Contrast, ContrastRegion, DensestEvidence, TransformChoice } from './contrast.ts';

type Facts = Omit<Contrast, 'summary' | 'warnings'>;

/** Two places closer than this, as a share of the shorter side, are one: the disc that the densest evidence is measured in. */
const SAME_PLACE = 10 / 224;

/** "zoomed 1.1 times about its middle; moved 8 right, in input pixels; shown with window centre 2000, width 1500" */
export function transformInWords({ zoom, shift, window }: TransformChoice): string {
  const by = (length: number, forth: string, back: string): string[] =>
    length === 0 ? [] : [`${Math.abs(length)} ${length > 0 ? forth : back}`];
  const moved = [...by(shift.columns, 'right', 'left'), ...by(shift.rows, 'down', 'up')];
  const parts = [
    ...(zoom === 1 ? [] : [`zoomed ${zoom} times about its middle`]),
    ...(moved.length === 0 ? [] : [`moved ${moved.join(' and ')}, in input pixels`]),
    ...(window === null ? [] : [`shown with window centre ${window.center}, width ${window.width}`]),
  ];
  return parts.length === 0 ? 'unchanged' : parts.join('; ');
}

/** @param orientation of both pictures; null: not stated, or not the same */
export function summaryOf(
  facts: Facts,
  orientation: Orientation | null,
  size: { height: number; width: number },
): string[] {
  return [
    scoreSentence(facts),
    densestSentence(facts, size),
    ...lungSentences(facts, orientation),
    ...mapSentences(facts),
    ...(facts.moved === null ? [] : [movedSentence(facts.moved, facts)]),
  ];
}

function scoreSentence({ scores, decision, a }: Facts): string {
  const target = scores.find(({ label }) => label === a.result.target);
  const change =
    target === undefined
      ? ''
      : `The probability of ${target.label} goes from ${target.a.probability.toFixed(3)} to ${target.b.probability.toFixed(3)} (logit ${target.a.logit.toFixed(2)} to ${target.b.logit.toFixed(2)}); `;
  return decision.changed
    ? `${change}the decision CHANGES from ${decision.a} to ${decision.b}.`
    : `${change}the decision stays ${decision.a}.`;
}

function densestSentence(
  { a, b, densestOfBInA, registration }: Facts,
  { height, width }: { height: number; width: number },
): string {
  const of = ({ where, row, column, share, areaShare }: DensestEvidence): string =>
    `${where} (row ${row}, column ${column}; ${percent(share)} of |attribution| on ${percent(areaShare)} of the area)`;
  if (registration === 'as-they-lie') {
    return `The densest evidence of A lies ${of(a.densest)}; that of B lies ${of(b.densest)}.`;
  }
  if (densestOfBInA === null) {
    return `The densest evidence of A lies ${of(a.densest)}; that of B lies in the border that came in, which A does not have.`;
  }
  const distance = Math.hypot(densestOfBInA.row - a.densest.row, densestOfBInA.column - a.densest.column);
  const inA = of({ ...b.densest, ...densestOfBInA });
  return distance <= SAME_PLACE * Math.min(height, width)
    ? `The densest evidence stays: ${of(a.densest)}; in B ${percent(b.densest.share)} of |attribution|.`
    : `The densest evidence moves by ${distance.toFixed(0)} input pixels: from ${of(a.densest)} to, in A's frame, ${inA}.`;
}

function lungSentences(facts: Facts, orientation: Orientation | null): string[] {
  const { a, b, lungSharesInA } = facts;
  const [first, second] = [lungSharesInA?.a ?? a.lungShares, lungSharesInA?.b ?? b.lungShares];
  if (first === null || second === null) return [];
  const change = (of: (shares: LungShares) => number): string =>
    `${percent(of(first))} to ${percent(of(second))}`;
  const areas = [a, b].map(({ result }) => percent(result.lungs?.areaShare ?? 0)).join(' and ');
  const outline =
    lungSharesInA === null
      ? `The lungs take ${areas} of the two pictures' areas, which is what random maps have in them.`
      : `The lungs are those of A in both, and take ${percent(lungSharesInA.areaShare)} of the area that is compared, which is what random maps have in them.`;
  return [
    `|Attribution| from A to B: outside the lungs ${change(({ outside }) => outside)}; in ${lungName('left', orientation)} ${change(({ pictureLeft }) => pictureLeft)}; ` +
      `in ${lungName('right', orientation)} ${change(({ pictureRight }) => pictureRight)}. ${outline}`,
  ];
}

function mapSentences({ maps, registration, pictureCorrelation }: Facts): string[] {
  if (maps === null) return [];
  const { rankCorrelation, topOverlap, exact, comparedArea, leftShare, cameShare } = maps;
  const chance = maps.null;
  const how =
    registration === 'transform'
      ? "Brought back into A's frame"
      : registration === 'same-content'
        ? 'Of the same content'
        : 'As they lie, not registered';
  const best = (value: number): string =>
    registration === 'transform' ? `; a map that did not change ${value.toFixed(2)}` : '';
  const sentences = [
    `${how}, the maps have a rank correlation of ${figure(rankCorrelation)} (random maps ${figure(chance.rankCorrelation.mean)}${best(exact.rankCorrelation)}) ` +
      `and share ${topOverlap.toFixed(2)} of their strongest 5 % (random maps ${figure(chance.topOverlap.mean)}${best(exact.topOverlap)}).`,
  ];
  if (registration === 'as-they-lie' && pictureCorrelation !== null) {
    sentences.push(
      `As the model is given them, and as they lie, the two pictures correlate ${figure(pictureCorrelation)} (Pearson).`,
    );
  }
  if (comparedArea < 1) {
    sentences.push(
      `${percent(1 - comparedArea)} of A's area left the picture, with ${percent(leftShare)} of its |attribution|, and is not compared.`,
    );
  }
  if (cameShare > 0) {
    sentences.push(
      `${percent(cameShare)} of B's |attribution| lies in the border that came in from outside A.`,
    );
  }
  return sentences;
}

function movedSentence(moved: readonly ContrastRegion[], { a, registration }: Facts): string {
  const named = (sign: 1 | -1): string[] =>
    moved
      .filter((region) => region.sign === sign)
      .map(
        ({ sum, where, row, column }) =>
          `${sum > 0 ? '+' : ''}${Number(sum.toPrecision(2))} ${where} (row ${row}, column ${column})`,
      );
  const all = [...named(1), ...named(-1)];
  const caveat = registration === 'as-they-lie' ? ', as they lie' : '';
  if (all.length === 0) return `Nothing moved in the map${caveat}.`;
  return `Largest changes of the map of ${a.result.target}, in ${unitOfSums(a.result)}${caveat}: ${all.join('; ')}.`;
}

/** Of a map's values added up over a region: contributions come to a part of the score, slopes and squares to none. */
export function unitOfSums({ method, parameters, scalar }: ExplanationResult): string {
  const { unit, slope, signed } = mapScale({ id: method, parameters }, scalar);
  return slope || !signed ? unit : scalar;
}

export function warningsOf(
  { transform, registration, maps, converged, lungsPlausible, a, b }: Facts,
  images: { a: ImageEntry; b: ImageEntry },
): string[] {
  const warnings: string[] = [];
  for (const [name, { result }, holds] of [
    ['A', a, converged.a],
    ['B', b, converged.b],
  ] as const) {
    if (holds !== false) continue;
    const { gap, gapBound, mapChange } = result;
    const figures = `Gap ${(gap ?? NaN).toPrecision(2)} of at most ${(gapBound ?? NaN).toPrecision(2)}, map change ${percent(mapChange ?? NaN)}.`;
    warnings.push(
      `The map of ${name} has NOT CONVERGED: what moved may be what the computation missed. ${figures}`,
    );
  }
  if (registration === 'as-they-lie') {
    warnings.push(
      maps === null
        ? `Two files, of ${images.a.columns} × ${images.a.rows} and ${images.b.columns} × ${images.b.rows} pixels: no change from one to the other is known, and their maps cannot be laid over one another. There is no difference map.`
        : 'Two files: no change from one to the other is known. Their maps are compared as they lie, and a pixel of one is not the anatomy of that pixel of the other.',
    );
  }
  if (registration === 'same-content') {
    warnings.push('Both files hold the same bytes: nothing but the computation could differ.');
  }
  if (lungsPlausible?.b === false) {
    const areas = `${percent(b.result.lungs?.areaShare ?? 0)} of B's area, and ${percent(a.result.lungs?.areaShare ?? 0)} of A's`;
    warnings.push(
      lungsPlausible.a
        ? `The lungs model drew lungs on ${areas}: on B they are not what the change makes of A's. Its outline of B is left out, and what B's own check of the lungs says means nothing.`
        : `The lungs model drew lungs on ${areas}, more than a factor of 2 apart: at least one outline is wrong. Both are left out, and what either check of the lungs says means nothing.`,
    );
  }
  if (transform !== null && transformInWords(transform) === 'unchanged') {
    warnings.push('The change changes nothing: this holds the computation against itself.');
  }
  if (images.a.modality !== images.b.modality) {
    warnings.push(
      `The modalities differ: A is ${images.a.modality || 'of none stated'}, B ${images.b.modality || 'of none stated'}.`,
    );
  }
  if (!sameOrientation(images.a.orientation, images.b.orientation)) {
    warnings.push(
      "The files state different orientations: the patient's sides do not lie the same way in both.",
    );
  }
  return warnings;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(share !== 0 && Math.abs(share) < 0.01 ? 2 : 1)} %`;
}

/** A figure about 0 without the sign of what rounding hides. */
function figure(value: number): string {
  return value.toFixed(2).replace('-0.00', '0.00');
}
