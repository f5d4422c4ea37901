import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseCommand, UsageError } from '../../main/cli/arguments.ts';
import { helpText } from '../../main/cli/help.ts';
import { DEFAULT_METRICS, designs } from '../../main/study/plan.ts';
import { from, stated } from '../support/integrated-gradients.ts';

describe('a command line', () => {
  test('sets parameters by name, those of a method beneath by names within names', () => {
    const words =
      'explain x --method xrai --set around.method=guided-ig --set around.parameters.steps=30 --set mode=fast ' +
      '--baseline uniform --baseline-set count=3 --baseline-set seed=-7';
    expect(parseCommand(words.split(' '))).toMatchObject({
      choices: {
        method: {
          id: 'xrai',
          parameters: {
            mode: 'fast',
            around: { method: 'guided-ig', parameters: { steps: 30, fraction: 0.25, rule: 'trapezoid' } },
          },
        },
        baseline: { id: 'uniform', parameters: { count: 3, seed: -7 } },
      },
    });
  });

  test('names no baseline where the method needs none, and the image where one is given', () => {
    expect(parseCommand(['explain', 'x', '--method', 'gradient'])).toMatchObject({
      choices: { baseline: null },
    });
    expect(parseCommand(['explain', 'x', '--baseline-image', '/b.dcm'])).toMatchObject({
      choices: { baseline: { id: 'image' } },
      baselineImage: '/b.dcm',
    });
  });

  test('of explain has everything but the paths by default', () => {
    expect(parseCommand(['explain', 'a.dcm', 'folder'])).toEqual({
      command: 'explain',
      paths: ['a.dcm', 'folder'],
      choices: {
        model: 'pneumonia',
        method: { id: stated.method, parameters: stated.parameters },
        baseline: from('blurred'),
        target: null,
        scalar: 'logit',
      },
      cohort: null,
      baselineImage: null,
      frame: 0,
      compare: false,
      out: path.resolve('pathlight-out'),
      models: null,
      device: 'cpu',
      json: false,
    });
  });

  test('of explain with every option', () => {
    const words =
      'explain x --model m --baseline blurred --target NORMAL --scalar probability --out o --models d --device webgpu --frame 3 --compare --json';
    expect(parseCommand(words.split(' '))).toMatchObject({
      choices: { model: 'm', baseline: from('blurred'), target: 'NORMAL', scalar: 'probability' },
      frame: 2,
      compare: true,
      out: path.resolve('o'),
      models: path.resolve('d'),
      device: 'webgpu',
      json: true,
    });
  });

  test('of compare with a second file', () => {
    expect(parseCommand(['compare', 'a.dcm', 'b.dcm', '--json'])).toMatchObject({
      command: 'compare',
      file: 'a.dcm',
      other: 'b.dcm',
      choices: { model: 'pneumonia', baseline: from('blurred') },
      frame: 0,
      json: true,
    });
  });

  test.each([
    ['--shift -8,2.5', { zoom: 1, shift: { columns: -8, rows: 2.5 }, window: null }],
    ['--shift=-8,2.5', { zoom: 1, shift: { columns: -8, rows: 2.5 }, window: null }],
    ['--zoom 1.1', { zoom: 1.1, shift: { columns: 0, rows: 0 }, window: null }],
    [
      '--window -600,1500 --zoom 2',
      { zoom: 2, shift: { columns: 0, rows: 0 }, window: { center: -600, width: 1500 } },
    ],
  ])('of compare with a change: %s', (words, other) => {
    expect(parseCommand(['compare', 'a.dcm', ...words.split(' ')])).toMatchObject({ file: 'a.dcm', other });
  });

  test('of audit', () => {
    expect(parseCommand(['audit', 'folder', '--model', 'm', '--out', 'o'])).toMatchObject({
      command: 'audit',
      folder: 'folder',
      choices: { model: 'm' },
      out: path.resolve('o'),
    });
  });

  test('of study has both designs by default', () => {
    expect(parseCommand(['study', 'folder', '--out', 'o'])).toEqual({
      command: 'study',
      folder: 'folder',
      labels: null,
      masks: null,
      cohort: null,
      modelIds: ['pneumonia'],
      grids: [designs.idgi, designs.baselines],
      metrics: DEFAULT_METRICS,
      target: null,
      scalar: 'logit',
      blank: 'blurred',
      limit: null,
      seed: 1,
      out: path.resolve('o'),
      models: null,
      device: 'cpu',
      json: false,
    });
    expect(helpText('study')).toContain('study FOLDER --out DIR [--labels FILE]');
  });

  test('of study with lists', () => {
    const words =
      'study f --out o --labels l.csv --masks m --cohort c --model a,b --methods idgi-ig,gradient --baselines black --steps 8,16 --metrics insertion,sparseness --blank black --limit 5 --seed 7';
    expect(parseCommand(words.split(' '))).toMatchObject({
      ...{ labels: path.resolve('l.csv'), masks: path.resolve('m'), cohort: path.resolve('c') },
      ...{ modelIds: ['a', 'b'], metrics: ['insertion', 'sparseness'], blank: 'black', limit: 5, seed: 7 },
      grids: [{ methods: ['idgi-ig', 'gradient'], baselines: ['black'], steps: [8, 16] }],
    });
  });

  test('of devices', () => {
    expect(parseCommand(['devices'])).toEqual({ command: 'devices', json: false });
    expect(parseCommand(['devices', '--json'])).toEqual({ command: 'devices', json: true });
  });

  test('of model check and serve', () => {
    expect(parseCommand(['model', 'check', 'm.onnx', '--json'])).toEqual({
      command: 'model check',
      file: path.resolve('m.onnx'),
      json: true,
    });
    expect(parseCommand(['serve', 'a', '--port', '8000'])).toEqual({
      command: 'serve',
      args: ['a', '--port', '8000'],
    });
  });

  test.each([[[]], [['--help']], [['-h']], [['help']]])('%j asks for help', (words) => {
    expect(parseCommand(words)).toEqual({ command: 'help', topic: null });
  });

  test.each(['explain', 'audit', 'study', 'methods', 'devices', 'model check'] as const)(
    '%s --help asks for its help',
    (topic) => {
      expect(parseCommand([...topic.split(' '), '--help'])).toEqual({ command: 'help', topic });
      expect(helpText(topic)).toContain(`Usage: pathlight ${topic} `);
      expect(helpText(null)).toContain(`  ${topic} `);
    },
  );

  test.each([
    ['explian x', "There is no command 'explian'"],
    ['explain', "'explain' wants a DICOM file or a folder"],
    ['explain x --colour red', "Unknown option '--colour'"],
    ['explain x --method magic', '--method is one of integrated-gradients,'],
    ['explain x --method gradient --baseline black', 'gradient needs no baseline: leave out --baseline'],
    ['explain x --set steps', "--set wants name=value, not 'steps'"],
    ['explain x --set around=1 --set around.method=gradient', "--set sets 'around' twice"],
    ['explain x --method expected-gradients', 'expected-gradients needs --cohort DIR'],
    ['explain x --baseline cohort-mean', 'from the baseline cohort-mean needs --cohort DIR'],
    ['explain x --baseline image', 'needs --baseline-image FILE'],
    ['explain x --cohort dir', 'makes no use of --cohort DIR'],
    ['audit x --model m --out o --method ig2', "needs other images to compare with: 'explain'"],
    ['audit x --model m --out o --baseline image', "needs an image of your own: 'explain' takes one"],
    ['explain x --baseline pink', '--baseline is one of black, white, grey, dataset-mean, blurred,'],
    ['explain x --scalar log', '--scalar is one of logit, probability, log-probability'],
    ['explain x --device tpu', "--device is one of cpu, webgpu, cuda, dml, coreml, not 'tpu'"],
    ['devices webgpu', "'devices' takes no names"],
    ['compare x', 'wants a second file, or --zoom, --shift or --window'],
    ['compare a.dcm b.dcm --zoom 2', 'change one file'],
    ['compare a.dcm b.dcm c.dcm', 'one DICOM file and a change of it, or two files'],
    ['compare a.dcm --zoom 0', '--zoom is a factor from 0.1 to 10'],
    ['compare a.dcm --shift 8', '--shift is columns and rows'],
    ['compare a.dcm --window wide', '--window is centre and width'],
    ['explain x --frame 0', '--frame is a whole number from 1'],
    ['explain x --frame 1.5', '--frame is a whole number from 1'],
    ['audit x --out o', "'audit' wants --model ID"],
    ['audit x --model m', "'audit' wants --out DIR"],
    ['audit x y --model m --out o', "'audit' wants one folder"],
    ['study x', "'study' wants --out DIR"],
    ['study x --out o --methods idgi-ig,lime', '--methods is one of integrated-gradients, '],
    ['study x --out o --baselines pink', "cohort-sample, not 'pink'"],
    ['study x --out o --baselines image', "not 'image'"],
    ['study x --out o --steps 8,many', "--steps is a whole number from 2 to 2048, not 'many'"],
    [
      'study x --out o --steps -1',
      '--steps wants a value; one that begins with a dash is written --steps=-1',
    ],
    ['study x --out o --design both', "--design is one of idgi, baselines, all, not 'both'"],
    ['model', "'model' is followed by 'check'"],
    ['model check', "'model check' wants one ONNX file, or the folder of a TensorFlow.js model"],
  ])('%s is a mistake', (line, message) => {
    const parse = (): unknown => parseCommand(line.split(' '));
    expect(parse).toThrow(UsageError);
    expect(parse).toThrow(message);
  });

  test.each([
    ['explain x --set nope=1', "There is no parameter 'nope'; Integrated Gradients has gapTolerance, "],
    ['explain x --set maxEvaluations=4', 'maxEvaluations is a whole number from 5 to 8193, not 4'],
    ['explain x --baseline blurred --baseline-set sigma=-1', 'Blurred: sigma is a number above 0, not -1'],
    ['audit x --model m --out o --baseline-set count=2', "There is no parameter 'count'; Blurred has sigma"],
  ])('%s is found before anything runs', (line, message) => {
    expect(() => parseCommand(line.split(' '))).toThrow(
      expect.objectContaining({ kind: 'bad-request', message: expect.stringContaining(message) as string }),
    );
  });
});
