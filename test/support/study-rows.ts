/** Rows of a study, as tests say them: what they differ in. */
import type { StudyMap, StudyRow } from '../../main/study/row.ts';

export function studyMap(of: Partial<StudyMap> = {}): StudyMap {
  return {
    image: 'a.dcm',
    frame: 0,
    sha256: 'a'.repeat(64),
    group: 'PNEUMONIA',
    model: 'pneumonia',
    target: 'PNEUMONIA',
    prediction: 'NORMAL',
    probability: 0.25,
    scalar: 'logit',
    method: 'guided-ig',
    baseline: 'black',
    steps: 8,
    evaluations: 9,
    seconds: 1.5,
    sum: -0.5,
    expectedSum: -0.625,
    gapRelative: 0.2,
    mask: 'lungs',
    map: 'b.npy',
    ...of,
  };
}

export function studyRow(of: Partial<StudyRow> = {}): StudyRow {
  return { ...studyMap(of), metric: 'insertion', value: 0.75, random: 0.5, edges: null, ...of };
}
