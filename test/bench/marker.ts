/**
 * npm run -s bench -- marker STUDY: what the maps of a study of the radiographs (`pathlight study … --out STUDY`) put on the shortcut's marker, over the
 * images with it: on how many the map is largest there, and which share of |map| lies there; in the rectangle around the letter, and on the
 * letter itself. Of maps made with several numbers of steps, those with the most.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { readNpy } from '../../core/imaging/npy.ts';
import { largestAt, magnitudeOf } from '../../core/metrics/map.ts';
import { grouped } from '../../main/study/grouped.ts';
import { records } from '../support/records.ts';
import { aroundMarker, onMarker } from '../support/shortcut-marker.ts';

const [study] = process.argv.slice(2);
if (study === undefined) {
  console.error('Name the folder of a study.');
  process.exit(2);
}

type Place = (row: number, column: number) => boolean;

function on(place: Place, file: string): { peak: boolean; share: number } {
  const { shape, data } = readNpy(readFileSync(file));
  const [, width = 0] = shape;
  const map = magnitudeOf(Float32Array.from(data as Float32Array), data.length);
  const inside = (i: number): boolean => place(Math.floor(i / width), i % width);
  let [there, total] = [0, 0];
  map.forEach((value, i) => {
    total += value;
    if (inside(i)) there += value;
  });
  return { peak: inside(largestAt(map)), share: there / total };
}

function over(place: Place, files: readonly string[]): { peaks: number; share: number } {
  const each = files.map((file) => on(place, file));
  return {
    peaks: each.filter(({ peak }) => peak).length,
    share: each.reduce((sum, { share }) => sum + share, 0) / each.length,
  };
}

const marked = records(path.join(study, 'results.csv')).filter(({ group }) => group === 'NORMAL + marker');
const made = grouped(marked, ({ model, method, baseline }) => JSON.stringify([model, method, baseline]));
const rows = Array.from(made.values(), (alike) => {
  const most = Math.max(...alike.map(({ steps }) => Number(steps)));
  const files = new Set(alike.filter(({ steps }) => Number(steps) === most).map(({ map = '' }) => map));
  const maps = Array.from(files, (map) => path.join(study, 'maps', map));
  const { model, method, baseline } = alike[0] ?? {};
  return {
    ...{ model, method, baseline, steps: most === 0 ? null : most, images: maps.length },
    rectangle: over(aroundMarker, maps),
    letter: over(onMarker, maps),
  };
});
console.log(JSON.stringify({ bench: 'marker', rows }, null, 1));
