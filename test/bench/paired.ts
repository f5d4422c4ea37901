/**
 * npm run -s bench -- paired STUDY [AGAINST]: each method of a study of the radiographs (`pathlight study … --out STUDY`) against another one on the same
 * images: AGAINST is a method (integrated-gradients by default), or `random` or `edges`, the maps that know nothing of the model. A radiograph that is
 * there with and without the marker counts once, with its mean. `p` is that of the two-sided sign test, ties left out; `corrected` what
 * Holm (1979) makes of it for all comparisons printed.
 */
import path from 'node:path';
import { bootstrapMean } from '../../core/metrics/interval.ts';
import { grouped } from '../../main/study/grouped.ts';
import { records } from '../support/records.ts';

const [study, against = 'integrated-gradients'] = process.argv.slice(2);
if (study === undefined) {
  console.error('Name the folder of a study.');
  process.exit(2);
}

const radiographOf = (image: string): string => image.replace('-marker.dcm', '.dcm');
const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** How often coins fall at least as unevenly. */
function signTest(higher: number, lower: number): number {
  const count = higher + lower;
  let [ways, tail] = [1, 0];
  for (let k = 0; k <= Math.min(higher, lower); k++) {
    tail += ways;
    ways = (ways * (count - k)) / (k + 1);
  }
  return Math.min(1, (2 * tail) / 2 ** count);
}

function holm(p: readonly number[]): number[] {
  const corrected = Array.from(p);
  let least = 0;
  p.map((value, i) => ({ value, i }))
    .toSorted((a, b) => a.value - b.value)
    .forEach(({ value, i }, rank) => {
      least = Math.max(least, Math.min(1, value * (p.length - rank)));
      corrected[i] = least;
    });
  return corrected;
}

const measured = records(path.join(study, 'results.csv')).filter(({ value }) => value !== '');
const of = (row: Record<string, string>): string =>
  JSON.stringify([row['model'], row['metric'], row['image']]);
const references = measured.filter(({ method }) => method === against);
const reference = new Map(references.map((row) => [of(row), Number(row['value'])]));
if (reference.size < references.length) {
  console.error(`The study has several maps an image by ${against}: it cannot tell which is meant.`);
  process.exit(2);
}
const known = (row: Record<string, string>): number | undefined => {
  if (against !== 'random' && against !== 'edges') return reference.get(of(row));
  return row[against] === '' ? undefined : Number(row[against]);
};

const compared = grouped(
  measured.filter((row) => row['method'] !== against && known(row) !== undefined),
  ({ model, metric, method, baseline, steps }) => JSON.stringify([model, metric, method, baseline, steps]),
);
const rows = Array.from(compared.values(), (alike) => {
  const ofRadiographs = grouped(alike, ({ image = '' }) => radiographOf(image)).values();
  const differences = Array.from(ofRadiographs, (same) =>
    mean(same.map((row) => Number(row['value']) - (known(row) ?? NaN))),
  );
  const higher = differences.filter((value) => value > 0).length;
  const lower = differences.filter((value) => value < 0).length;
  const { estimate, low, high } = bootstrapMean(differences) ?? {};
  const { model, metric, method, baseline, steps } = alike[0] ?? {};
  return {
    ...{ model, metric, method, baseline, steps, difference: estimate, low, high, higher, lower },
    p: signTest(higher, lower),
  };
});
const corrected = holm(rows.map(({ p }) => p));
console.log(
  JSON.stringify(
    { bench: 'paired', against, rows: rows.map((row, i) => ({ ...row, corrected: corrected[i] })) },
    null,
    1,
  ),
);
