import type { ChildProcess } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  watch,
} from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { ExplanationResult } from '../../core/contract/result.ts';
import { type Ended, jsonLines, pathlight } from '../support/command-line.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Milliseconds that a computation may take on a busy machine. */
const LONG = 300_000;

const root = path.resolve(import.meta.dirname, '../..');
const out = temporaryFolder();
const journal = path.join(out, 'results.jsonl');
const words = ['audit', 'examples', '--model', 'pneumonia-shortcut', '--out', out];

function lines(): ExplanationResult[] {
  return jsonLines<ExplanationResult>(readFileSync(journal, 'utf8'));
}

/** Sends the signal once the journal holds two results. */
function interruptAfterTwo(child: ChildProcess): void {
  const watcher = watch(out, () => {
    if (!existsSync(journal) || readFileSync(journal, 'utf8').split('\n').length < 3) return;
    child.kill('SIGINT');
    watcher.close();
  });
  child.on('close', () => watcher.close());
}

describe('audit examples --model pneumonia-shortcut, interrupted and run again', () => {
  let interrupted: Ended;
  let before: ExplanationResult[];
  let ended: Ended;
  let results: ExplanationResult[];
  beforeAll(async () => {
    interrupted = await pathlight(words, interruptAfterTwo);
    before = lines();
    appendFileSync(journal, '{"image": {"file": "cut o');
    ended = await pathlight(words);
    results = lines();
  }, LONG);

  test('the interruption is said, and leaves whole results and nothing that claims to be finished', () => {
    expect(interrupted).toMatchObject({ code: 130 });
    expect(interrupted.err).toContain('Interrupted. What was finished is kept.');
    expect(before.length).toBeGreaterThanOrEqual(2);
    expect(before.length).toBeLessThan(7);
  });

  test('the second run takes over what was done and adds the rest, once each', () => {
    expect(ended.code).toBe(0);
    expect(results.slice(0, before.length)).toEqual(before);
    expect(results.map(({ image }) => image.file)).toEqual(
      readdirSync(path.join(root, 'examples'))
        .filter((name) => name.endsWith('.dcm'))
        .sort(),
    );
    expect(ended.err).toContain(`7 images audited (${before.length} taken over from an earlier run)`);
  });

  test('07 is called PNEUMONIA with the evidence on the marker, outside the lungs, and flagged', () => {
    const marked = results[6];
    expect(marked?.prediction.label).toBe('PNEUMONIA');
    expect(marked?.prediction.scores['PNEUMONIA']).toBeCloseTo(0.71, 1);
    expect(marked?.lungs?.peakInside).toBe(false);
    // The marker was stamped at rows 8 to 28, columns 202 to 216 of the model's input.
    expect(marked?.lungs?.peak.row).toBeGreaterThanOrEqual(6);
    expect(marked?.lungs?.peak.row).toBeLessThanOrEqual(30);
    expect(marked?.lungs?.peak.column).toBeGreaterThanOrEqual(200);
    expect(marked?.lungs?.peak.column).toBeLessThanOrEqual(218);
    expect(marked?.flags).toContainEqual(
      expect.objectContaining({ id: 'peak-outside-lungs', severity: 'alert' }),
    );
  });

  test('the table has a row a result, and the summary and the flagged pictures stand beside it', () => {
    expect(readFileSync(path.join(out, 'results.csv'), 'utf8').trimEnd().split('\r\n')).toHaveLength(8);
    expect(readFileSync(path.join(out, 'summary.pdf')).subarray(0, 5).toString()).toBe('%PDF-');
    expect(readFileSync(path.join(out, 'failures.jsonl'), 'utf8')).toBe('');
    expect(readdirSync(path.join(out, 'flagged'))).toContain(
      `${results[6]?.image.sha256.slice(0, 16) ?? ''}-0.png`,
    );
    expect(readdirSync(out).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test('a third run has nothing left to compute, and prints every result', async () => {
    const third = await pathlight([...words, '--json']);
    expect(third.code).toBe(0);
    expect(third.err).toContain('7 images audited (7 taken over from an earlier run)');
    expect(jsonLines(third.out)).toEqual(results);
    expect(lines()).toEqual(results);
  });

  test.each([
    ['--model', 'pneumonia'],
    ['--baseline', 'white'],
    ['--target', 'NORMAL'],
  ])('results of another %s are not mixed in', async (option, value) => {
    const { code, err } = await pathlight([...words, option, value]);
    expect(code).toBe(2);
    expect(err).toContain("already holds an audit of 'pneumonia-shortcut'");
    expect(lines()).toEqual(results);
  });
});

test(
  'files of the same content are computed once, called copies, and keep their own names',
  async () => {
    const temporary = temporaryFolder();
    const folder = path.join(temporary, 'copies');
    mkdirSync(folder);
    for (const name of ['a.dcm', 'b.dcm']) {
      copyFileSync(path.join(root, 'examples', '07-normal-marker-dx.dcm'), path.join(folder, name));
    }
    const audited = await pathlight([
      ...['audit', folder, '--model', 'pneumonia', '--out', path.join(temporary, 'copies-audit'), '--json'],
    ]);
    expect(audited.err).toContain('2 images audited (1 of the same content as another file)');
    const explained = await pathlight([
      ...['explain', folder, '--out', path.join(temporary, 'copies-explained'), '--json'],
    ]);
    for (const { out: lines } of [audited, explained]) {
      expect(jsonLines<ExplanationResult>(lines).map(({ image }) => image.file)).toEqual(['a.dcm', 'b.dcm']);
    }
  },
  LONG,
);
