/** The report of one image, read back by a reader that is not ours. */
import { beforeAll, describe, expect, it } from 'vitest';
import { BASELINE_IDS, type BaselineKind, baselineKinds } from '../../core/attribution/baseline-kinds.ts';
import { completeMethod } from '../../core/attribution/choices.ts';
import type { ExplanationResult } from '../../core/contract/result.ts';
import type { DeviceInfo } from '../../core/contract/device.ts';
import { writeReport } from '../../main/report/image-report.ts';
import type { ReportData, WrittenDocument } from '../../main/report/report-data.ts';
import { contentsOf, fontsOf, hasPoppler, infoOf, renderPage, textOf, wordsOf } from '../support/poppler.ts';
import { convergence, explanation, flag, reportData } from '../support/report-data.ts';

const poppler = hasPoppler();

function named(alphabetic: string, ideographic = '', phonetic = ''): ReportData {
  const data = reportData({ baselines: [], agreement: null, lungs: null });
  const patient = { ...data.entry.patient, name: { alphabetic, ideographic, phonetic } };
  return { ...data, entry: { ...data.entry, patient } };
}

/** Bidirectional control characters that a reader adds around right-to-left text. */
const withoutControls = (text: string): string => text.replaceAll(/[\u202a-\u202e]/g, '');

describe.skipIf(!poppler)('the full report', () => {
  const data = reportData();
  let document: WrittenDocument;
  let text: string;

  beforeAll(async () => {
    document = await writeReport(data);
    text = textOf(document.bytes);
  });

  it('names patient, study and image', () => {
    for (const said of [
      'Yamada, Tarou',
      '山田, 太郎',
      'やまだ, たろう',
      'ID-4711',
      'male',
      '4 years',
      '2019-03-14',
    ]) {
      expect(text).toContain(said);
    }
    for (const said of [
      '2023-11-05',
      'ACC-0815',
      'DX',
      'Thorax a.p.',
      data.entry.sopInstanceUid,
      'ward-7/IM0001.dcm',
    ]) {
      expect(text).toContain(said);
    }
  });

  it('prints the numbers of the data', () => {
    const sum = data.map.reduce((total, value) => total + value, 0);
    expect(text).toContain(`f(x), of the image 1.388`);
    expect(text).toContain(`f(b), of the baseline \u22120.4123`);
    expect(text).toContain(`Sum of the map +${sum.toPrecision(4)}`);
    expect(text).toContain(`Completeness gap +0.00471; bound ±${(0.01 * 1.8003).toPrecision(3)}`);
    expect(text).toContain(`${((100 * 0.00471) / 1.8003).toFixed(2)} % of |f(x) \u2212 f(b)|`);
    expect(text).toContain('3.2 % (last two levels); tolerance 5.0 %');
    expect(text).toContain('65 of at most 513');
    expect(text).toContain('PNEUMONIA 0.936');
    expect(text).toContain('Threshold 0.50 on the probability of PNEUMONIA. Set beforehand at 0.5');
    expect(text).toContain('W 3800 L 2020 (linear)');
    expect(text).toContain('at the detector');
  });

  it('prints every baseline, and the agreement beside that of random maps', () => {
    for (const { baseline, convergence: reached } of data.baselines) {
      expect(text).toContain(baselineKinds[baseline].name);
      expect(text).toContain((reached.fb ?? 0).toPrecision(3).replace('-', '\u2212'));
    }
    for (const value of data.agreement?.rankCorrelation.flat() ?? []) {
      if (value !== 1) expect(text).toContain(value.toFixed(2));
    }
    expect(text).toContain('Random maps: mean 0.000, 95th percentile 0.007.');
    expect(text).toContain('Random maps: mean 0.026, 95th percentile 0.028.');
    expect(text).toContain('NOT CONVERGED');
  });

  it('words the lung check as one that can fail, with its nulls', () => {
    for (const said of [
      '71.2 %',
      '24.6 %',
      '2.90',
      'Random map',
      'Edges of the image',
      '31.9 %',
      'Viviano',
    ]) {
      expect(text).toContain(said);
    }
    expect(text).toContain('A check that can fail, never a proof');
    expect(text).toContain('The masks include the heart and the retro-cardiac lung');
  });

  it('states the models, their hashes and their limits', () => {
    const joined = text.replaceAll(' ', '');
    expect(joined).toContain(data.card.sha256);
    expect(joined).toContain(data.lungs?.card.sha256);
    expect(joined).toContain(data.result.image.sha256);
    for (const limit of data.card.limits) expect(text).toContain(limit);
    expect(text).toContain(data.card.training.data.slice(0, 40));
    expect(text).toContain('CC BY 4.0');
    expect(text).toContain('onnxruntime-node 1.30.0');
    expect(text).toContain('commit d8cab0a');
  });

  it('says beside the numbers what they do not mean', () => {
    const firstPage = textOf(document.bytes, '-l', '1');
    expect(firstPage).toContain(
      'Integrated Gradients show what changed the score relative to the blurred baseline; they do not localise disease.',
    );
  });

  it('carries the notice and its number on every page', () => {
    expect(document.pages).toBe(Number(infoOf(document.bytes)['Pages']));
    for (let page = 1; page <= document.pages; page++) {
      const shown = textOf(document.bytes, '-f', String(page), '-l', String(page));
      expect(shown).toContain(
        'Demonstration model \u2013 not for clinical use. Not a medical device; not for diagnosis.',
      );
      expect(shown).toContain(`Page ${page} of ${document.pages}`);
    }
  });

  it('embeds every font as a subset with its characters', () => {
    const fonts = fontsOf(document.bytes);
    expect(fonts.length).toBeGreaterThan(1);
    for (const font of fonts) expect(font).toMatchObject({ embedded: true, subset: true, unicode: true });
  });

  it('is tagged, in a language, with words for every figure, and says what it conforms to', () => {
    const contents = contentsOf(document.bytes);
    const figures = contents.split('/S /Figure').length - 1;
    expect(figures).toBeGreaterThan(10);
    expect([...contents.matchAll(/\/S \/Figure\s*\/Alt \(./g)]).toHaveLength(figures);
    expect(contents).toContain('/Lang (en)');
    expect(contents).toContain('<pdfaid:part>2</pdfaid:part>');
    expect(contents).toContain('<pdfaid:conformance>A</pdfaid:conformance>');
    expect(infoOf(document.bytes)['Tagged']).toBe('yes');
  });

  it('keeps the patient out of its metadata', () => {
    const { Title, Subject } = infoOf(document.bytes);
    expect(`${Title ?? ''} ${Subject ?? ''}`).toBe(
      'Pathlight report: what moved the score Integrated Gradients of the model pneumonia',
    );
  });

  it('is the same to the byte when written again', async () => {
    expect(Buffer.compare((await writeReport(data)).bytes, document.bytes)).toBe(0);
  });
});

describe.skipIf(!poppler)('names', () => {
  it.each([
    ['Japanese', 'Yamada^Tarou', '山田^太郎', 'やまだ^たろう', ['山田, 太郎', 'やまだ, たろう']],
    ['Korean', 'Hong^Gildong', '洪^吉洞', '홍^길동', ['洪, 吉洞', '홍, 길동']],
    ['simplified Chinese', 'Zhang^XiaoDong', '张^小东', '', ['张, 小东']],
    ['traditional Chinese', 'Wang^XiaoDong', '王^小東^龍馬', '', ['王, 小東 龍馬']],
    ['Greek', 'Διονυσιος', '', '', ['Διονυσιος']],
    ['Cyrillic', 'Люксембург^Анна-Мария', '', '', ['Люксембург, Анна-Мария']],
    ['Arabic', 'قباني^لنزار نبيل محمد', '', '', ['قباني', 'لنزار نبيل محمد']],
    ['Hebrew', 'שרון^דבורה לאה', '', '', ['שרון', 'דבורה לאה']],
    ['accented Latin', 'Äneas^Rüdiger ß Łukasz', '', '', ['Äneas, Rüdiger ß Łukasz']],
  ])('in %s are read back as they were written', async (_, alphabetic, ideographic, phonetic, expected) => {
    const { bytes, warnings } = await writeReport(named(alphabetic, ideographic, phonetic));
    const text = withoutControls(textOf(bytes, '-l', '1'));
    for (const name of expected) expect(text).toContain(name);
    expect(warnings).toEqual([]);
    for (const font of fontsOf(bytes)) expect(font.embedded).toBe(true);
  });

  it('in characters that no font holds are shown by their codes, and said', async () => {
    const { bytes, warnings } = await writeReport(named('Doe^\u{1f600}'));
    expect(textOf(bytes, '-l', '1')).toContain('Doe, [U+1F600]');
    expect(textOf(bytes)).toContain('No font holds U+1F600');
    expect(warnings).toEqual(['No font holds U+1F600: printed as the code in brackets.']);
  });

  it('leave ink of their own shape on the paper', async () => {
    const { bytes } = await writeReport(named('A^B', '山田^한글', ''));
    const word = wordsOf(bytes, 1).find(({ text }) => text.startsWith('山田'));
    if (word === undefined) throw new Error('The name is not on the first page');
    const scale = 150 / 72;
    const picture = renderPage(bytes, 1, 150);
    const em = 11 * scale;
    const inkOf = (character: number): number[] => {
      const left = Math.round(word.left * scale + character * em);
      const rows = Array.from(
        { length: Math.round(em) },
        (_, i) => Math.round(((word.top + word.bottom) / 2) * scale - em / 2) + i,
      );
      return rows.flatMap((row) =>
        Array.from({ length: Math.round(em) }, (_, i) => {
          const value = picture.data[(row * picture.width + left + i) * picture.channels] ?? 255;
          return value < 128 ? 1 : 0;
        }),
      );
    };
    const [first, second] = [inkOf(0), inkOf(1)];
    const share = (ink: number[]): number => ink.reduce((sum, value) => sum + value, 0) / ink.length;
    expect(share(first)).toBeGreaterThan(0.05);
    expect(share(second)).toBeGreaterThan(0.05);
    // 山 is open at the top, 田 is a closed box with a cross.
    expect(share(first.map((value, i) => Math.abs(value - (second[i] ?? 0))))).toBeGreaterThan(0.05);
  });

  it('and texts longer than a page go on over the next', async () => {
    const data = named('A^B');
    const words = Array.from({ length: 1500 }, (_, i) => `word${i}`);
    const long = words.join(' ');
    const card = { ...data.card, limits: [long], training: { ...data.card.training, data: long } };
    const { bytes } = await writeReport({ ...data, card });
    const printed = textOf(bytes)
      .split(' ')
      .filter((word) => word.startsWith('word'));
    expect(printed.sort()).toEqual([...words, ...words].sort());
  });

  it('and identifiers of any length stay within the page', async () => {
    const data = named(`${'Wolfeschlegelstein'.repeat(8)}^${'Hubert Blaine '.repeat(12)}`);
    const { bytes, pages } = await writeReport({
      ...data,
      entry: { ...data.entry, file: `${'folder-'.repeat(40)}/a.dcm` },
    });
    for (let page = 1; page <= pages; page++) {
      for (const { left, right, top, bottom } of wordsOf(bytes, page)) {
        expect(left).toBeGreaterThan(30);
        expect(right).toBeLessThan(595 - 30);
        expect(top).toBeGreaterThan(20);
        expect(bottom).toBeLessThan(842 - 10);
      }
    }
  });
});

describe.skipIf(!poppler)('what must be said loudly', () => {
  it('names the device that computed the map, and how it compared with the CPU', async () => {
    const device: DeviceInfo = {
      provider: 'cuda',
      name: 'NVIDIA RTX A2000',
      threads: 8,
      runtime: 'onnxruntime-node 1.30.0',
      selfTest: {
        error: 3.1e-5,
        tolerance: 0.01,
        rounding: 4.2e-7,
        roundingTolerance: 0.001,
        nodes: 412,
        fallbackNodes: 3,
      },
    };
    const text = textOf(
      (await writeReport(reportData({ result: explanation({ device }) }))).bytes,
    ).replaceAll(/\s+/g, ' ');
    expect(text).toContain('cuda (NVIDIA RTX A2000), 8 threads');
    expect(text).toMatch(/differed from the CPU\u2019s by 0\.0031 %, where 1\.0 % is allowed/);
    expect(text).toMatch(/agree best by 4\.2 × 10⁻⁵ %, where 0\.1 % is allowed/);
    expect(text).toContain('412 nodes, 3 of them on the CPU');
  });

  it('names the backend of TensorFlow.js, and how it compared with the one in plain JavaScript', async () => {
    const device: DeviceInfo = {
      ...{ provider: 'tfjs-wasm', name: '', threads: 1, runtime: 'TensorFlow.js 4.22.0' },
      selfTest: { error: 3.1e-6, p99: 2e-6, tolerance: 0.001 },
    };
    const { bytes } = await writeReport(reportData({ result: explanation({ device }) }));
    const text = textOf(bytes).replaceAll(/\s+/g, ' ');
    expect(text).toContain('tfjs-wasm, 1 thread');
    expect(text).toMatch(/in plain JavaScript \(tfjs-cpu\) by 3\.1 × 10⁻⁴ %, where 0\.1 % is allowed/);
  });

  it('is that a map has not converged', async () => {
    const result = explanation({ ...convergence(1.388, 1.36, 0.21, false), flags: [flag] });
    const { bytes } = await writeReport(reportData({ result }));
    const firstPage = textOf(bytes, '-l', '1');
    expect(firstPage).toContain('NOT CONVERGED');
    expect(firstPage).toContain('this map is not reliable');
    expect(firstPage).not.toContain('Map converged');
    expect(firstPage).toContain(`ALERT ${flag.text}`);
    expect(textOf(bytes)).toContain('not given: f(x) \u2212 f(b) is near zero');
    const several = explanation({ ...result, spread: { runs: 10, share: 0.234, converged: 7 } });
    const ofSeveral = await writeReport(reportData({ result: several }));
    expect(textOf(ofSeveral.bytes)).toContain('NOT CONVERGED: 7 of 10 maps did');
  });

  it('is what was not computed, and what is not known', async () => {
    const data = reportData({ baselines: [], agreement: null, lungs: null });
    const { bytes } = await writeReport({
      ...data,
      result: { ...data.result, lungs: null },
      entry: {
        ...data.entry,
        patient: {
          name: { alphabetic: '', ideographic: '', phonetic: '' },
          id: '',
          birthDate: '',
          age: '',
          sex: '',
        },
        orientation: null,
        spacing: null,
      },
    });
    const text = textOf(bytes);
    expect(text).toContain('Name not stated');
    expect(text).toContain('Orientation unknown: the file states none.');
    expect(text).toContain('No pixel spacing stated: lengths in pixels only.');
    expect(text).toContain('Not made: no lungs model was available.');
    expect(text).toContain('One map without those of other baselines is half an answer.');
  });
});

describe.skipIf(!poppler)('a masked report', () => {
  it('holds nothing of the patient: not in its text, its metadata, or any of its streams', async () => {
    const data = reportData({ maskPatient: true });
    const { bytes } = await writeReport(data);
    const { entry } = data;
    const secrets = [
      'Yamada',
      'Tarou',
      '山田',
      '太郎',
      'やまだ',
      entry.patient.id,
      entry.patient.birthDate,
      '2019-03-14',
      '4 years',
      entry.studyDate,
      '2023-11-05',
      entry.accessionNumber,
      entry.studyDescription,
      entry.studyInstanceUid,
      entry.seriesInstanceUid,
      entry.sopInstanceUid,
      'IM0001',
      'ward-7',
    ];
    const text = textOf(bytes);
    const contents = contentsOf(bytes);
    for (const secret of secrets) {
      expect(text).not.toContain(secret);
      expect(contents).not.toContain(Buffer.from(secret, 'utf8').toString('latin1'));
      expect(contents).not.toContain(Buffer.from(secret, 'utf16le').swap16().toString('latin1'));
    }
    expect(text).toContain('Patient masked');
    expect(text).toContain('Text burned into the image is not');
  });
});

describe.skipIf(!poppler)('by other methods', () => {
  const usual = reportData();
  /** Lines of a wrapped paragraph as one. */
  const lineless = (text: string): string => text.replaceAll(/\s+/g, ' ');
  const textBy = async (
    result: Partial<ExplanationResult>,
    rest: Partial<ReportData> = {},
  ): Promise<string> =>
    lineless(
      textOf(
        (await writeReport(reportData({ ...rest, result: explanation({ quadrature: null, ...result }) })))
          .bytes,
      ),
    );
  const withoutCriterion = {
    fx: null,
    fb: null,
    gapRelative: null,
    gapBound: null,
    mapChange: null,
    converged: null,
  };

  it('names the method, every parameter with its default, the seed, and what the sum should be', async () => {
    const { map } = usual;
    const sum = map.reduce((total, value) => total + value, 0);
    const text = await textBy({
      ...withoutCriterion,
      method: 'guided-ig',
      parameters: completeMethod({ id: 'guided-ig', parameters: { steps: 50 } }, 'logit').parameters,
      baseline: 'uniform',
      baselineParameters: { seed: 7, count: 10 },
      baselineFindings: Array.from({ length: 10 }, () => ({})),
      evaluations: 510,
      maxEvaluations: 510,
      gap: 0.005,
      spread: { runs: 10, share: 0.234, converged: null },
    });
    for (const said of [
      'Guided IG: report',
      'Steps 50 \u00b7 Share moved at a step 0.25 \u00b7 Furthest from the straight path 0.02 of the path \u00b7 Rule of the sum trapezoid',
      'Seed 7 \u00b7 Count 10',
      'the first of 10',
      '10 maps averaged; a single one is 23.4 % away from their mean',
      '510 of 510',
      `Sum of the map +${sum.toPrecision(4)}`,
      'Should equal +1.800 (logit): f(image) \u2212 f(baseline)',
      'no stopping criterion',
      'The path follows the model that it explains',
      'It does not localise disease.',
    ]) {
      expect(text).toContain(said);
    }
    expect(text).not.toMatch(/Map converged|Completeness gap/);
  });

  it('says of scores under noise, and from several baselines, that they are means', async () => {
    const around = { method: 'xrai', parameters: {} };
    const text = await textBy({
      method: 'smoothgrad',
      parameters: completeMethod({ id: 'smoothgrad', parameters: { around } }, 'logit').parameters,
      baseline: 'uniform',
      baselineParameters: { seed: 7, count: 10 },
      baselineFindings: Array.from({ length: 10 }, () => ({})),
      fx: 1.1,
      fb: -0.3,
    });
    expect(text).toContain('f(x), mean of noisy images 1.100');
    expect(text).toContain('f(b), mean of 10 baselines \u22120.3000');
    expect(text).not.toContain('f(x), of the image');
  });

  it('says of a map without signs that it has none, and promises no sum', async () => {
    const text = await textBy(
      {
        ...withoutCriterion,
        method: 'vargrad',
        parameters: completeMethod({ id: 'vargrad', parameters: {} }, 'logit').parameters,
        baseline: null,
        baselineParameters: {},
        baselineFindings: [],
        expectedSum: null,
        gap: null,
        spread: null,
      },
      { baselineImage: null, baselines: [], agreement: null },
    );
    for (const said of [
      'VarGrad',
      'Of the method Gradient \u00b7 Samples 25 \u00b7 Noise 0.15 of the range \u00b7 Seed 0',
      'none: the method takes none',
      'no sum is promised (nothing: a variance is no share of the score)',
      'without sign, channels summed',
      'Without sign, in (logit per unit of the input)\u00b2',
      'Shows unsteadiness, not evidence.',
    ]) {
      expect(text).toContain(said);
    }
    expect(text).not.toMatch(/Blue lowered|Other baselines/);
  });

  it('states the entropy that a baseline reached, and the cohort that it was compared with', async () => {
    const text = await textBy({
      baseline: 'maximum-entropy',
      baselineParameters: { steps: 100, rate: 0.01 },
      baselineFindings: [{ entropy: 0.6912, greatestEntropy: Math.LN2 }],
      baselineEvaluations: 100,
      cohort: { images: ['a'.repeat(64), 'b'.repeat(64)], unreadable: 1, sameClass: 0, beyond: 0 },
    });
    expect(text).toContain('entropy reached 0.6912 of at most 0.6931 (99.7 %)');
    expect(text).toContain('Baseline gradients 100');
    expect(text).toContain('Compared with 2 images of the folder; 1 could not be read');
    const drawn = await textBy({
      baseline: 'cohort-sample',
      baselineParameters: { seed: 0, count: 2 },
      baselineFindings: [{}, {}],
      cohort: {
        images: ['a', 'b', 'c'].map((each) => each.repeat(64)),
        unreadable: 0,
        sameClass: 0,
        beyond: 0,
      },
    });
    expect(drawn).toContain('Compared with 2 drawn of 3 images of the folder');
  });

  it('sets any number of baselines in rows, their matrices numbered', async () => {
    const [one] = usual.baselines;
    if (one === undefined) throw new Error('No baselines');
    const baselines = BASELINE_IDS.map((baseline) => ({ ...one, baseline }));
    const matrix = baselines.map((_, i) => baselines.map((__, j) => (i === j ? 1 : 0.5)));
    const agreement = usual.agreement && {
      ...usual.agreement,
      baselines: [...BASELINE_IDS],
      rankCorrelation: matrix,
      topOverlap: matrix,
    };
    const text = await textBy({ quadrature: 'nested-trapezoid' }, { baselines, agreement });
    for (const [i, { name }] of Object.values<BaselineKind>(baselineKinds).entries()) {
      expect(text).toContain(`${i + 1} ${name}`);
    }
  });
});
