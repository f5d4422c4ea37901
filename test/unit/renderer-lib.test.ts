import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ImageEntry } from '../../core/contract/library.ts';
import {
  commandGroups,
  commandOf,
  commands,
  keyCaps,
  keyOf,
  tip,
  type Command,
} from '../../renderer/lib/commands.ts';
import { convergenceGeometry } from '../../renderer/lib/convergence-chart.ts';
import {
  formatAge,
  formatCount,
  formatDate,
  formatPatientName,
  formatGap,
  formatPercent,
  formatSeconds,
  formatSigned,
  formatSmall,
} from '../../renderer/lib/format.ts';
import { parseFrame } from '../../renderer/lib/frames.ts';
import { matches, sliceAt, toStacks } from '../../renderer/state/stacks.ts';

describe('format', () => {
  test.each([
    ['20260914', '2026-09-14'],
    ['2026.09.14', '2026-09-14'],
    ['', ''],
    ['not a date', 'not a date'],
  ])('date %s', (given, shown) => expect(formatDate(given)).toBe(shown));

  test.each([
    ['004Y', '4 y'],
    ['011M', '11 m'],
    ['', ''],
  ])('age %s', (given, shown) => expect(formatAge(given)).toBe(shown));

  test.each([
    [
      { alphabetic: 'Yamada^Tarou', ideographic: '山田^太郎', phonetic: 'やまだ^たろう' },
      'Yamada, Tarou (山田, 太郎 · やまだ, たろう)',
    ],
    [{ alphabetic: '', ideographic: '王^小東', phonetic: '' }, '王, 小東'],
    [
      { alphabetic: 'Adams^John Robert Quincy^^Rev.^B.A. M.Div.', ideographic: '', phonetic: '' },
      'Adams, Rev. John Robert Quincy B.A. M.Div.',
    ],
    [{ alphabetic: '', ideographic: '', phonetic: '' }, ''],
  ])('patient name %o', (name, shown) => expect(formatPatientName(name)).toBe(shown));

  test('numbers', () => {
    expect(formatSigned(-3.456, 2)).toBe('−3.46');
    expect(formatSigned(0.5, 1)).toBe('+0.5');
    expect(formatPercent(0.0123)).toBe('1.2\u00a0%');
    expect(formatPercent(0.00042)).toBe('0.04\u00a0%');
    expect(formatSmall(0.000123)).toBe('1.2·10⁻⁴');
    expect(formatSmall(-0.0456)).toBe('−0.046');
    expect(formatGap(-0.0456)).toBe('−0.046');
    expect(formatGap(4e-14)).toBe('<\u00a010⁻⁶');
    expect(formatCount(1234567)).toBe('1\u202f234\u202f567');
    expect(formatSeconds(4.26)).toBe('4.3 s');
    expect(formatSeconds(75)).toBe('1 min 15 s');
  });
});

describe('a frame as hosts serve it', () => {
  const header = {
    rows: 2,
    columns: 3,
    bitsStored: 12,
    signed: false,
    grayscale: {
      modalityLut: { kind: 'linear', slope: 1, intercept: 0, units: 'US' },
      vois: [],
      photometricInterpretation: 'MONOCHROME2',
      presentationLutShape: null,
    },
  };

  function bytesOf(values: number[]): ArrayBuffer {
    const json = new TextEncoder().encode(JSON.stringify(header));
    const padded = Math.ceil(json.length / 4) * 4;
    const bytes = new ArrayBuffer(4 + padded + values.length * 2);
    const view = new DataView(bytes);
    view.setUint32(0, padded, true);
    new Uint8Array(bytes, 4, padded).fill(0x20).set(json);
    values.forEach((value, i) => view.setUint16(4 + padded + 2 * i, value, true));
    return bytes;
  }

  test('is read back', () => {
    const { frame, grayscale } = parseFrame('a/0', bytesOf([1, 2, 3, 4, 5, 4095]));
    expect(Array.from(frame.values)).toEqual([1, 2, 3, 4, 5, 4095]);
    expect(frame).toMatchObject({ rows: 2, columns: 3, bitsStored: 12, signed: false });
    expect(grayscale).toEqual(header.grayscale);
  });

  test('is refused when it is cut short', () => {
    const whole = bytesOf([1, 2, 3, 4, 5, 6]);
    for (const length of [0, 3, 20, whole.byteLength - 2]) {
      expect(() => parseFrame('a/0', whole.slice(0, length))).toThrow(/incomplete/);
    }
  });
});

function entry(id: string, changes: Partial<ImageEntry> = {}): ImageEntry {
  return {
    id,
    studyInstanceUid: '1.2',
    seriesInstanceUid: '1.2.3',
    sopInstanceUid: `1.2.3.${id}`,
    file: `${id}.dcm`,
    patient: {
      name: { alphabetic: 'Doe^Jane', ideographic: '', phonetic: '' },
      id: 'P1',
      birthDate: '',
      age: '',
      sex: 'F',
    },
    studyDate: '20260101',
    studyDescription: 'Chest',
    accessionNumber: 'A1',
    modality: 'DX',
    seriesNumber: 1,
    instanceNumber: 1,
    rows: 10,
    columns: 10,
    frames: 1,
    bitsStored: 12,
    transferSyntax: { uid: '1.2.840.10008.1.2.1', name: 'Explicit VR Little Endian' },
    viewPosition: 'PA',
    laterality: '',
    orientation: null,
    spacing: null,
    manufacturer: '',
    warnings: [],
    ...changes,
  };
}

describe('stacks', () => {
  test('slices of a series are scrolled as one, in the order of their numbers', () => {
    const images = [3, 1, 2].map((n) => entry(`ct${n}`, { modality: 'CT', instanceNumber: n }));
    const [stack, ...others] = toStacks(images);
    expect(others).toEqual([]);
    expect(stack?.length).toBe(3);
    expect([0, 1, 2].map((i) => stack && sliceAt(stack, i)?.image.id)).toEqual(['ct1', 'ct2', 'ct3']);
  });

  test('two radiographs of a series are two stacks', () => {
    expect(toStacks([entry('a'), entry('b')]).map(({ id }) => id)).toEqual(['a', 'b']);
  });

  test('frames of one image are a stack', () => {
    const [stack] = toStacks([entry('us', { modality: 'US', frames: 4 })]);
    expect(stack && [sliceAt(stack, 3)?.frame, sliceAt(stack, 4)]).toEqual([3, null]);
  });

  test('the filter wants every word, anywhere', () => {
    const [stack] = toStacks([entry('a')]);
    expect(stack && ['jane', 'DOE pa', 'doe lateral', ''].map((text) => matches(stack, text))).toEqual([
      true,
      true,
      false,
      true,
    ]);
  });
});

describe('commands', () => {
  const all: [string, Command][] = Object.entries(commands);

  test('no key does two things', () => {
    const keys = all.flatMap(([, command]) => command.keys);
    expect(new Set(keys).size).toBe(keys.length);
  });

  test('every command has a key and stands in the help sheet', () => {
    expect(all.filter(([, command]) => command.keys.length === 0)).toEqual([]);
    const listed = commandGroups.flatMap((group) => group.commands);
    expect(new Set(listed)).toEqual(new Set(all.map(([, command]) => command)));
  });

  test('the letters that radiologists know from OHIF and that the issue names keep their meaning', () => {
    const expected = {
      E: commands.explain,
      Escape: commands.cancel,
      O: commands.overlay,
      B: commands.nextBaseline,
      '[': commands.lessOpacity,
      ']': commands.moreOpacity,
      M: commands.outline,
      I: commands.invert,
      '=': commands.fit,
      '+': commands.zoomIn,
      '-': commands.zoomOut,
      R: commands.turnRight,
      L: commands.turnLeft,
      H: commands.mirrorHorizontal,
      V: commands.mirrorVertical,
      ' ': commands.reset,
      ArrowUp: commands.scrollUp,
      ArrowDown: commands.scrollDown,
      '?': commands.keys,
    };
    for (const [key, command] of Object.entries(expected)) expect(commandOf(key)).toBe(command);
  });

  const press = (
    key: string,
    modifiers: Partial<Record<'ctrlKey' | 'shiftKey' | 'metaKey' | 'altKey', boolean>> = {},
  ): string => keyOf({ key, ctrlKey: false, shiftKey: false, metaKey: false, altKey: false, ...modifiers });

  test('keys are read as they are typed', () => {
    expect(press('e')).toBe('E');
    expect(press('E', { shiftKey: true })).toBe('Shift+E');
    expect(press('?', { shiftKey: true })).toBe('?');
    expect(press('ArrowUp', { shiftKey: true })).toBe('Shift+ArrowUp');
    expect(press('p', { metaKey: true })).toBe('Ctrl+P');
    // The browser's own: Alt and the arrows go back and forth.
    expect(commandOf(press('ArrowLeft', { altKey: true }))).toBeUndefined();
  });

  test('are written as on keyboards', () => {
    expect(keyCaps('Shift+ArrowUp')).toEqual(['Shift', '↑']);
    expect(keyCaps('+')).toEqual(['+']);
    expect(tip('report')).toBe('Report (Ctrl P)');
  });
});

describe('the convergence chart', () => {
  const size = { width: 300, height: 120, left: 40, right: 30, top: 10, bottom: 20 };
  const tolerances = { gap: 0.01, map: 0.05 };

  test('puts a criterion at its bound onto its tolerance line', () => {
    const trace = [{ evaluations: 33, gapOverBound: 1, mapChange: 0.05 }];
    const { gap, map, y } = convergenceGeometry(trace, tolerances, 513, size);
    expect(gap?.last.y).toBeCloseTo(y(0.01), 9);
    expect(map?.last.y).toBeCloseTo(y(0.05), 9);
  });

  test('stays inside its frame, whatever comes', () => {
    const point = fc.record({
      evaluations: fc.integer({ min: 0, max: 100_000 }),
      gapOverBound: fc.option(fc.double({ min: 0, noNaN: true, noDefaultInfinity: true })),
      mapChange: fc.option(fc.double({ min: 0, noNaN: true, noDefaultInfinity: true })),
    });
    fc.assert(
      fc.property(fc.array(point, { maxLength: 20 }), (trace) => {
        const { gap, map } = convergenceGeometry(trace, tolerances, 513, size);
        for (const series of [gap, map]) {
          const numbers = (series?.path ?? '').match(/-?[\d.]+/g)?.map(Number) ?? [];
          numbers.forEach((value, i) => {
            expect(value).toBeGreaterThanOrEqual(i % 2 === 0 ? 40 : 10);
            expect(value).toBeLessThanOrEqual(i % 2 === 0 ? 270 : 100);
          });
        }
      }),
    );
  });
});
