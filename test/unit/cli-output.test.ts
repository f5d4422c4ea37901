import { describe, expect, test } from 'vitest';
import { csvRecord } from '../../main/app/csv.ts';
import { folderNames } from '../../main/cli/explain.ts';
import { bar, createProgress, duration } from '../../main/cli/progress.ts';

describe('a CSV record', () => {
  test('quotes what would end a cell', () => {
    expect(csvRecord(['a', 1.5, true, null, 'x,y', 'say "no"', 'two\nlines'])).toBe(
      'a,1.5,true,,"x,y","say ""no""","two\nlines"\r\n',
    );
  });
});

describe('folders of results', () => {
  test('are named after the files, and never shared', () => {
    expect(folderNames(['a.dcm', 'sub/b.DCM', 'c', 'c.dcm', 'c.dcm', 'A.dicom'])).toEqual([
      'a',
      'sub/b',
      'c',
      'c.dcm',
      'c.dcm-2',
      'A.dicom',
    ]);
  });
});

describe('progress', () => {
  function shownOn(isTTY: boolean): string {
    let now = 0;
    let shown = '';
    const output = { isTTY, columns: 20, write: (text: string) => (shown += text) };
    const progress = createProgress(output, () => now);
    for (; now < 25_000; now += 50) progress.show(`${now / 1000} s of a long computation`);
    progress.clear();
    return shown;
  }

  test('redraws one line on a terminal, cut to its width, and takes it away', () => {
    const shown = shownOn(true);
    expect(shown).not.toContain('\n');
    expect(shown.split('\r').every((line) => line.length <= 19 + '\u001b[2K'.length)).toBe(true);
    expect(shown.endsWith('\r\u001b[2K')).toBe(true);
  });

  test('is a plain line every ten seconds elsewhere', () => {
    expect(shownOn(false)).toBe('10 s of a long computation\n20 s of a long computation\n');
  });

  test('draws shares and durations', () => {
    expect([bar(0, 4), bar(0.5, 4), bar(1, 4), bar(2, 4)]).toEqual(['[----]', '[##--]', '[####]', '[####]']);
    expect([0.4, 59.4, 60, 200, 7500].map(duration)).toEqual([
      '0 s',
      '59 s',
      '1 min 0 s',
      '3 min 20 s',
      '2 h 5 min',
    ]);
  });
});
