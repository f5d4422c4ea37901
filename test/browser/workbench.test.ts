/** The window as its reader meets it, in a real browser, on a client in memory. The real hosts are driven by test/e2e. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { render } from 'vitest-browser-svelte';
import { type BaselineKind, baselineKinds } from '../../core/attribution/baseline-kinds.ts';
import { type Method, methods } from '../../core/attribution/methods.ts';
import { PathlightError } from '../../core/contract/errors.ts';
import App from '../../renderer/App.svelte';
import { commandGroups } from '../../renderer/lib/commands.ts';
import '../../renderer/styles/base.css';
import '../../renderer/styles/tokens.css';
import { MemoryClient, serveFrames } from './memory-client.ts';

let client: MemoryClient;
let restoreFetch: () => void;

beforeEach(async () => {
  await page.viewport(1280, 720);
  restoreFetch = serveFrames(['broken'], ['empty']);
  client = new MemoryClient();
});

afterEach(() => restoreFetch());

async function open(): Promise<void> {
  await render(App, { target: document.body.appendChild(document.createElement('div')), props: { client } });
}

const button = (name: string | RegExp) => page.getByRole('button', { name, exact: typeof name === 'string' });
const image = (name: RegExp) => page.getByLabelText(name);
const viewport = () => page.getByRole('region', { name: 'Image' });
const answer = () => page.getByRole('complementary', { name: 'Answer' });

describe('opening', () => {
  test('shows the first image with its banner, letters, window and scale, and lists what was refused', async () => {
    await open();
    const banner = page.getByRole('banner', { name: 'Patient' });
    await expect.element(banner).toMatchTextContent('Verysecret, Jane');
    await expect.element(banner).toMatchTextContent('56 y, female');
    await expect.element(banner).toMatchTextContent('2026-03-04');
    const shown = viewport();
    await expect.element(shown).toMatchTextContent('W 3000 L 2000');
    await expect.element(shown).toMatchTextContent(/\d+ mm\s*at the detector/);
    await expect.element(shown.getByText('R', { exact: true })).toBeVisible();
    await expect.element(page.getByText('5 images')).toBeVisible();
    await page.getByText('1 refused file').click();
    await expect
      .element(page.getByRole('list', { name: 'Refused files' }))
      .toMatchTextContent('Not a DICOM file.');
    await expect.element(page.getByText('Model “bad” is refused: no card')).toBeVisible();
  });

  test('says that the orientation and the spacing are unknown where the file does not tell', async () => {
    await open();
    await expect.element(viewport()).toMatchTextContent('W 3000');
    await userEvent.keyboard('{PageDown}{PageDown}');
    await expect.element(page.getByText('Orientation unknown')).toBeVisible();
    await expect.element(page.getByText('no pixel spacing in the file')).toBeVisible();
  });

  test('an empty folder says so and offers another', async () => {
    client.images = [];
    await open();
    await expect.element(page.getByText('No DICOM images here', { exact: true })).toBeVisible();
    await button('Open a folder').click();
    await expect.element(page.getByRole('dialog', { name: 'Open a folder' })).toMatchTextContent('march');
    await button('Open').last().click();
    expect(client.requests.at(-1)).toEqual({ name: 'library.open', request: { paths: ['/studies'] } });
  });

  test('an image that cannot be decoded says why, and the others still open', async () => {
    client.images = client.images.map((given, i) => (i === 0 ? { ...given, id: 'broken' } : given));
    await open();
    await expect.element(page.getByText('The pixel data ends early.')).toBeVisible();
    await expect.element(page.getByText('Ask for the file again.')).toBeVisible();
    await userEvent.keyboard('{PageDown}');
    await expect.element(viewport()).toMatchTextContent('W 3000');
  });

  test('an image of one value is told beside its score', async () => {
    client.images = client.images.map((given, i) => (i === 0 ? { ...given, id: 'empty' } : given));
    await open();
    const said = answer().getByText(/one value everywhere/);
    await expect.element(said).toBeVisible();
    await userEvent.keyboard('{PageDown}');
    await expect.element(viewport()).toMatchTextContent('1 / 3');
    await expect.element(said).not.toBeInTheDocument();
  });

  test('the filter narrows the list', async () => {
    await open();
    const rows = page.getByRole('navigation', { name: 'Studies' }).getByRole('listitem');
    await expect.poll(() => rows.elements().length).toBe(3);
    await userEvent.keyboard('/');
    await userEvent.keyboard('ct2');
    await expect.poll(() => rows.elements().length).toBe(1);
    await userEvent.keyboard('{Escape}');
    await expect.poll(() => rows.elements().length).toBe(3);
  });
});

describe('explaining', () => {
  test('streams maps, converges, checks the lungs, and goes on to the other baselines', async () => {
    client.stepwise = true;
    await open();
    await expect.element(answer()).toMatchTextContent('0.930');
    await button('Explain').click();
    await expect.element(button('Cancel')).toBeVisible();
    await expect.element(page.getByText('Waiting for the first map')).toBeVisible();
    client.advance();
    await expect.element(answer()).toMatchTextContent('3 of at most 513');
    await expect.element(image(/overlay of Integrated Gradients, baseline: blurred/)).toBeVisible();
    client.stepwise = false;
    client.advance();
    await expect.element(answer()).toMatchTextContent('Converged');
    await expect.element(page.getByRole('region', { name: 'Lung check' })).toMatchTextContent('31 %');
    await expect
      .element(page.getByRole('region', { name: 'Lung check' }))
      .toMatchTextContent('outside the lungs');
    await expect.element(page.getByRole('region', { name: 'Lung check' })).toMatchTextContent('never proof');
    await expect.element(page.getByRole('region', { name: 'Flags' })).toMatchTextContent('outside the lungs');
    const baselines = page.getByRole('region', { name: 'Baselines' });
    await expect.element(baselines).toMatchTextContent('0.64 (≥ 0.50) · 0.21 (≥ 0.30)');
    await expect.element(baselines).toMatchTextContent('0.00 (0.01) · 0.03 (0.04)');
    await expect
      .element(baselines.getByRole('button', { name: /^White baseline converged steps 33/ }))
      .toBeVisible();
  });

  test('by keyboard: E explains, O hides the map, B steps the baselines, P is held to peek', async () => {
    await open();
    await expect.element(answer()).toMatchTextContent('0.930');
    await userEvent.keyboard('e');
    await expect.element(page.getByText(/^Unstable/)).toBeVisible();
    await userEvent.keyboard('o');
    await expect.element(image(/no overlay/)).toBeVisible();
    await userEvent.keyboard('o');
    await expect.element(image(/overlay of Integrated Gradients, baseline: blurred/)).toBeVisible();
    await userEvent.keyboard('b');
    await expect.element(image(/overlay of Integrated Gradients, baseline: black/)).toBeVisible();
    await userEvent.keyboard('{p>}');
    await expect.element(image(/no overlay/)).toBeVisible();
    await userEvent.keyboard('{/p}');
    await expect.element(image(/overlay of Integrated Gradients, baseline: black/)).toBeVisible();
  });

  test('asked for before the models are checked, it begins when they are', async () => {
    const checked = Promise.withResolvers<undefined>();
    client.checking = checked.promise;
    await open();
    await expect.element(page.getByText('5 images')).toBeVisible();
    await userEvent.keyboard('e');
    expect(client.requests.some(({ name }) => name === 'review.explain')).toBe(false);
    checked.resolve(undefined);
    await expect.element(answer()).toMatchTextContent('Converged');
  });

  test('every compared baseline has its lung check and can be reported', async () => {
    await open();
    await button('Explain').click();
    await expect.element(page.getByText(/^Unstable/)).toBeVisible();
    await userEvent.keyboard('b');
    await expect.element(image(/overlay of Integrated Gradients, baseline: black/)).toBeVisible();
    await expect.element(page.getByRole('region', { name: 'Lung check' })).toMatchTextContent('31 %');
    await expect.element(button('Report')).toBeEnabled();
  });

  test('asking for a comparison that runs changes nothing, and Escape ends it', async () => {
    await open();
    await expect.element(answer()).toMatchTextContent('0.930');
    client.stepwise = true;
    await userEvent.keyboard('{Shift>}e{/Shift}');
    await expect.element(button('Cancel')).toBeVisible();
    await userEvent.keyboard('{Shift>}e{/Shift}');
    expect(client.requests.filter(({ name }) => name === 'review.compare')).toHaveLength(1);
    await expect.element(button('Cancel')).toBeVisible();
    await userEvent.keyboard('{Escape}');
    await expect.element(button('Explain')).toBeVisible();
    await expect.element(page.getByText('The comparison was cancelled.')).toBeVisible();
  });

  test('other baselines asked for while some are compared are not called cancelled', async () => {
    await open();
    await expect.element(answer()).toMatchTextContent('0.930');
    client.stepwise = true;
    await userEvent.keyboard('{Shift>}e{/Shift}');
    await expect.element(button('Cancel')).toBeVisible();
    await userEvent.keyboard('{Shift>}f{/Shift}');
    await page.getByRole('checkbox', { name: 'Black' }).click();
    await button('Compare these 3').click();
    await expect.element(button('Compare baselines')).toBeEnabled();
    await expect.element(page.getByText(/ 3 baselines show how much/)).toBeVisible();
  });

  test('a comparison that fails at one baseline says so of that one', async () => {
    client.ending = new PathlightError(
      'bad-request',
      'An image of another class is needed.',
      'Choose others.',
    );
    await open();
    await expect.element(answer()).toMatchTextContent('0.930');
    await userEvent.keyboard('{Shift>}e{/Shift}');
    const baselines = page.getByRole('region', { name: 'Baselines' });
    await expect.element(baselines.getByText('An image of another class is needed.').last()).toBeVisible();
    await expect
      .element(baselines.getByRole('button', { name: /^Black baseline/ }))
      .toMatchTextContent('failed');
    await expect
      .element(baselines.getByRole('button', { name: /^White baseline/ }))
      .not.toMatchTextContent('failed');
  });

  test('what the checks raised is told beside the score, too', async () => {
    await open();
    await button('Explain').click();
    await expect.element(button('1 alert')).toBeVisible();
  });

  test('Escape cancels; the partial map stays and is called partial', async () => {
    client.stepwise = true;
    await open();
    await expect.element(answer()).toMatchTextContent('0.930');
    await userEvent.keyboard('e');
    await expect.element(page.getByText('Waiting for the first map')).toBeVisible();
    client.advance();
    await expect.element(answer()).toMatchTextContent('3 of at most 513');
    await userEvent.keyboard('{Escape}');
    await expect.element(page.getByText('Cancelled: partial map')).toBeVisible();
    await expect.element(image(/overlay of Integrated Gradients, baseline: blurred/)).toBeVisible();
    await expect.element(button('Explain')).toBeEnabled();
    await expect.element(button('Report')).toBeDisabled();
  });

  test('a run that does not converge says so plainly, with the criterion that it misses', async () => {
    client.ending = 'not-converged';
    await open();
    await button('Explain').click();
    await expect.element(page.getByText(/^Read this map with care/)).toBeVisible();
    await expect.element(page.getByRole('region', { name: 'Explanation' })).toMatchTextContent('4.0 % ≤ 1 %');
  });

  test('a failure is said with what to do, and Explain works again', async () => {
    client.ending = new PathlightError('engine', 'The engine process ended.', 'Press Explain again.');
    await open();
    await button('Explain').click();
    await expect.element(answer()).toMatchTextContent('The engine process ended. Press Explain again.');
    client.ending = 'converged';
    await button('Explain').click();
    await expect.element(answer()).toMatchTextContent('Converged');
  });

  test('leaving the image cancels; coming back shows what was known', async () => {
    await open();
    await button('Explain').click();
    await expect.element(page.getByText(/^Unstable/)).toBeVisible();
    await userEvent.keyboard('{PageDown}');
    await expect.element(page.getByText('Not explained yet')).toBeVisible();
    await expect.element(image(/no overlay/)).toBeVisible();
    await userEvent.keyboard('{PageUp}');
    await expect.element(image(/overlay of Integrated Gradients, baseline: blurred/)).toBeVisible();
    await expect.element(page.getByText(/^Unstable/)).toBeVisible();
  });

  test('the report is offered once there is something to report', async () => {
    await open();
    await expect.element(button('Report')).toBeDisabled();
    await button('Explain').click();
    await expect.element(button('Report')).toBeEnabled();
    await userEvent.keyboard('{Control>}p{/Control}');
    await expect
      .element(page.getByRole('link', { name: 'Download verysecret.pdf' }))
      .toHaveAttribute('href', '/reports/r1');
  });
});

describe('asking by another method', () => {
  const explanation = () => page.getByRole('region', { name: 'Explanation' });
  const sheet = (name: string) => page.getByRole('dialog', { name });
  const lastRequest = (name: string) => client.requests.findLast((each) => each.name === name)?.request;

  test('every method is listed with a sentence, its promise and its parameters', async () => {
    await open();
    await button('More methods').click();
    const methodSheet = sheet('Methods');
    const text = methodSheet.element().textContent.replaceAll(/\s+/g, ' ');
    for (const { name, helps } of Object.values<Method>(methods)) {
      expect(text).toContain(name);
      expect(text).toContain(helps);
    }
    await methodSheet.getByRole('radio', { name: /^Guided IG/ }).click();
    await expect.element(methodSheet).toMatchTextContent('Its sum should equal f(image) − f(baseline)');
    await expect.element(methodSheet).toMatchTextContent('the part of the path that is done');
    await expect.element(page.getByLabelText('Share moved at a step')).toHaveValue('0.25');
  });

  test('by keyboard: chosen, explained, and named wherever its map is, without a word of convergence', async () => {
    await open();
    await expect.element(answer()).toMatchTextContent('0.930');
    await userEvent.keyboard('f');
    // From the usual method, which has the focus, to the last but one before Guided IG.
    (page.getByRole('radio', { name: /^Blur IG/ }).element() as HTMLElement).focus();
    await userEvent.keyboard('{ArrowDown}');
    await userEvent.fill(page.getByLabelText('Steps', { exact: true }), '12');
    await userEvent.keyboard('{Enter}');
    await expect.element(sheet('Methods')).not.toBeInTheDocument();
    await expect.element(explanation()).toMatchTextContent('Steps 12 · Share moved at a step 0.25');
    client.stepwise = true;
    await userEvent.keyboard('e');
    await expect.element(page.getByText('Waiting for the first map')).toBeVisible();
    client.advance();
    await expect.element(explanation()).toMatchTextContent('Computing: part of the path');
    await expect.element(viewport()).toMatchTextContent('Guided IG, baseline: blurred (part of the path)');
    await userEvent.keyboard('{Escape}');
    await expect.element(explanation()).toMatchTextContent('Cancelled: part of the path');
    client.stepwise = false;
    await userEvent.keyboard('e');
    await expect.element(explanation()).toMatchTextContent('Done: no stopping criterion 33 of 33');
    await expect.element(explanation()).toMatchTextContent('Sum +2.020 Should equal +2.000 Off by 0.02');
    await expect.element(explanation()).not.toMatchTextContent('Converged');
    await expect.element(viewport()).toMatchTextContent('PNEUMONIA, Guided IG, baseline: blurred W');
    expect(lastRequest('review.compare')).toMatchObject({
      method: { id: 'guided-ig', parameters: { steps: 12 } },
    });
  });

  test('what was known of the usual method is there again when it is asked for', async () => {
    await open();
    await userEvent.keyboard('e');
    await expect.element(page.getByText(/^Unstable/)).toBeVisible();
    await ask(/^Gradient x input/);
    await expect.element(explanation()).toMatchTextContent('Not explained yet');
    await expect.element(answer()).toMatchTextContent('0.930');
    await ask(/^Integrated Gradients$/);
    await expect.element(explanation()).toMatchTextContent('Converged');
    await expect.element(page.getByText(/^Unstable/)).toBeVisible();
  });

  test('a map without signs has one side, and promises no sum', async () => {
    await open();
    await ask(/^VarGrad/);
    await expect
      .element(explanation())
      .toMatchTextContent('Of the method Gradient · Samples 25 · Noise 0.15 of the range · Seed 0');
    await expect.element(explanation()).toMatchTextContent('It takes no baseline');
    await userEvent.keyboard('e');
    await expect.element(explanation()).toMatchTextContent('promises no sum');
    await expect
      .element(
        page.getByRole('figure', { name: /^Colour scale: 0 to \+0\.\d+ \(logit per unit of the input\)²$/ }),
      )
      .toBeVisible();
    await expect.element(page.getByRole('combobox', { name: 'Sign' })).toBeDisabled();
    expect(lastRequest('review.explain')).toMatchObject({ baseline: null });
    await expect
      .element(page.getByText('VarGrad takes no baseline: there is nothing to compare.'))
      .toBeVisible();
  });

  test('a parameter that does not fit is refused where it stands, with its limits', async () => {
    await open();
    await userEvent.keyboard('f');
    const tolerance = page.getByLabelText('Most gradients');
    await userEvent.fill(tolerance, '4');
    await expect.element(sheet('Methods')).toMatchTextContent('Give a whole number from 5 to 8193.');
    await expect.element(button('Use Integrated Gradients')).toBeDisabled();
    await button('Defaults').click();
    await expect.element(tolerance).toHaveValue('513');
    await expect.element(button('Use Integrated Gradients')).toBeEnabled();
    // Five thousand to some, 5 to others.
    for (const text of ['5,000', '5.000']) {
      await userEvent.fill(tolerance, text);
      await expect.element(button('Use Integrated Gradients')).toBeDisabled();
    }
  });

  test('a parameter of a method beneath that does not fit is refused, too, and the sheet goes on', async () => {
    await open();
    await userEvent.keyboard('f');
    await sheet('Methods').getByRole('radio', { name: /^XRAI/ }).click();
    const tolerance = page.getByRole('textbox', { name: 'Gap tolerance of Integrated Gradients' });
    await userEvent.fill(tolerance, 'x');
    await expect.element(sheet('Methods')).toMatchTextContent('A parameter does not fit.');
    await expect.element(button('Use XRAI')).toBeDisabled();
    await userEvent.fill(tolerance, '0,02');
    await button('Use XRAI').click();
    await expect.element(explanation()).toMatchTextContent('Gap tolerance 0.02');
  });

  test('what needs other images asks for a folder; Escape leaves the folders, not the sheet', async () => {
    await open();
    await userEvent.keyboard('f');
    await sheet('Methods').getByRole('radio', { name: /^IG2/ }).click();
    await expect
      .element(sheet('Methods'))
      .toMatchTextContent('IG2 needs a folder of images to compare with.');
    await expect.element(button('Use IG2')).toBeDisabled();
    await button('Choose a folder').click();
    const folders = sheet('Choose a folder of images to compare with');
    await expect.element(folders).toMatchTextContent('march');
    await userEvent.keyboard('{Escape}');
    await expect.element(folders).not.toBeInTheDocument();
    await expect.element(sheet('Methods')).toBeVisible();
    await button('Choose a folder').click();
    await expect.element(folders).toMatchTextContent('march');
    await button('Choose').click();
    await button('Use IG2').click();
    await userEvent.keyboard('e');
    await expect.element(explanation()).toMatchTextContent('Done');
    expect(lastRequest('review.explain')).toMatchObject({
      method: { id: 'ig2' },
      cohort: { folder: '/studies' },
      baseline: null,
    });
  });

  test('the chosen baselines are compared, random ones with seed, count and spread; B steps through them', async () => {
    await open();
    await expect.element(answer()).toMatchTextContent('0.930');
    await userEvent.keyboard('{Shift>}f{/Shift}');
    const baselineSheet = sheet('Baselines');
    const text = baselineSheet.element().textContent.replaceAll(/\s+/g, ' ');
    for (const { name, meaning } of Object.values<BaselineKind>(baselineKinds)) {
      expect(text).toContain(name);
      expect(text).toContain(meaning);
    }
    await baselineSheet.getByRole('checkbox', { name: 'Black' }).click();
    await baselineSheet.getByRole('checkbox', { name: 'Maximum entropy' }).click();
    await baselineSheet.getByRole('checkbox', { name: 'Uniform noise' }).click();
    await userEvent.fill(page.getByLabelText('Seed', { exact: true }), '7');
    await button('Compare these 5').click();
    const choices = page.getByRole('radiogroup', { name: 'Baseline' }).getByRole('radio');
    expect(choices.elements()).toHaveLength(5);
    await userEvent.keyboard('b');
    await expect.element(explanation()).toMatchTextContent('Baseline: Seed 7 · Count 10');
    await userEvent.keyboard('e');
    await expect.element(page.getByText(/^Unstable/)).toBeVisible();
    await expect.element(explanation()).toMatchTextContent('10 maps averaged; a single one is 23.0 % away');
    await userEvent.keyboard('b');
    await expect
      .element(explanation())
      .toMatchTextContent('Entropy reached 0.6910 of at most 0.6931 (99.7 %)');
    expect(lastRequest('review.compare')).toMatchObject({
      baselines: [
        { id: 'white' },
        { id: 'grey' },
        { id: 'blurred' },
        { id: 'uniform', parameters: { seed: 7 } },
        { id: 'maximum-entropy' },
      ],
    });
    await expect
      .element(page.getByRole('region', { name: 'Baselines' }))
      .toMatchTextContent('4 Uniform noise');
    await button('Report').click();
    await expect.element(page.getByRole('link', { name: 'Download verysecret.pdf' })).toBeVisible();
    expect(lastRequest('report.create')).toMatchObject({
      baseline: { id: 'maximum-entropy' },
      compared: [
        { id: 'white' },
        { id: 'grey' },
        { id: 'blurred' },
        { id: 'uniform' },
        { id: 'maximum-entropy' },
      ],
    });
  });

  test('an image of one’s own is one of those that are open, and goes with them', async () => {
    await open();
    await userEvent.keyboard('{Shift>}f{/Shift}');
    await sheet('Baselines').getByRole('checkbox', { name: 'An image of your own' }).click();
    await expect.element(sheet('Baselines')).toMatchTextContent('needs one of the open images');
    await page.getByLabelText('The image to compare with').selectOptions(['ct2']);
    await button('Compare these 5').click();
    await userEvent.keyboard('{Shift>}e{/Shift}');
    await expect.element(page.getByText(/^Unstable/)).toBeVisible();
    expect(lastRequest('review.compare')).toMatchObject({ baselineImage: { image: 'ct2', frame: 0 } });
    await userEvent.keyboard('{Control>}o{/Control}');
    await button('Open').last().click();
    await expect.poll(() => page.getByRole('radio', { name: /own/ }).elements()).toHaveLength(0);
  });

  async function ask(method: RegExp): Promise<void> {
    await userEvent.keyboard('f');
    await sheet('Methods').getByRole('radio', { name: method }).click();
    await userEvent.keyboard('{Enter}');
    await expect.element(sheet('Methods')).not.toBeInTheDocument();
  }
});

describe('reading', () => {
  test('the picture of one patient never stands under the banner of another, however slowly it loads', async () => {
    await open();
    await expect.element(viewport()).toMatchTextContent('W 3000');
    const { fetch } = globalThis;
    globalThis.fetch = () => new Promise(() => undefined);
    await userEvent.keyboard('{PageDown}');
    await expect.element(page.getByText('Loading the image …')).toBeVisible();
    await expect.element(viewport()).not.toMatchTextContent('W 3000');
    globalThis.fetch = fetch;
    await userEvent.keyboard('{PageUp}');
    await expect.element(viewport()).toMatchTextContent('W 3000');
  });

  test('arrows scroll through the stack, PageDown goes to the next one', async () => {
    await open();
    await expect.element(viewport()).toMatchTextContent('W 3000');
    await userEvent.keyboard('{PageDown}');
    await expect.element(viewport()).toMatchTextContent('1 / 3');
    await userEvent.keyboard('{ArrowDown}{ArrowDown}{ArrowDown}');
    await expect.element(viewport()).toMatchTextContent('3 / 3');
    await userEvent.keyboard('{Home}');
    await expect.element(viewport()).toMatchTextContent('1 / 3');
  });

  test('window, inversion and reset by keyboard; the model is said to see its own window', async () => {
    await open();
    const shown = viewport();
    await expect.element(shown).toMatchTextContent('W 3000 L 2000');
    await userEvent.keyboard('2');
    await expect.element(shown).toMatchTextContent('W 800 L 1000');
    await expect.element(shown).toMatchTextContent("the model sees the file's own window");
    await userEvent.keyboard('i');
    await expect.element(page.getByText('Inverted', { exact: true })).toBeVisible();
    await userEvent.keyboard(' ');
    await expect.element(shown).toMatchTextContent('W 3000 L 2000');
    await expect.element(page.getByText('Inverted', { exact: true })).not.toBeInTheDocument();
  });

  test('the mouse is OHIF’s: left drag windows, the wheel with Ctrl zooms, a double click leaves the image alone', async () => {
    await open();
    const shown = viewport();
    await expect.element(shown).toMatchTextContent('W 3000 L 2000');
    const canvas = image(/^DX image/).element();
    const drag = (buttons: number, dx: number, dy: number): void => {
      const at = { bubbles: true, clientX: 600, clientY: 300, buttons, pointerId: 1 };
      const surface = canvas.closest<HTMLElement>('.surface');
      // Synthetic pointers cannot be captured.
      if (surface) surface.setPointerCapture = () => undefined;
      canvas.dispatchEvent(new PointerEvent('pointerdown', at));
      canvas.dispatchEvent(new PointerEvent('pointermove', { ...at, clientX: 600 + dx, clientY: 300 + dy }));
      canvas.dispatchEvent(new PointerEvent('pointerup', { ...at, buttons: 0 }));
    };
    drag(1, 64, -32);
    // The frame holds 0 to 4043: a quarter of it wider, an eighth lower.
    await expect.element(shown).toMatchTextContent('W 4011 L 1495');
    const zoom = (): string => /Zoom ([\d.]+)/.exec(shown.element().textContent)?.[1] ?? '';
    const before = zoom();
    canvas.dispatchEvent(
      new WheelEvent('wheel', { bubbles: true, cancelable: true, deltaY: -100, ctrlKey: true }),
    );
    await expect.poll(zoom).not.toBe(before);
    canvas.dispatchEvent(new MouseEvent('dblclick', { bubbles: true }));
    await expect.element(page.getByRole('navigation', { name: 'Studies' })).not.toBeInTheDocument();
  });

  test('letters follow when the image is turned', async () => {
    await open();
    const left = () => document.querySelector('.letter.left')?.textContent;
    await expect.poll(left).toBe('R');
    await userEvent.keyboard('h');
    await expect.poll(left).toBe('L');
    await userEvent.keyboard('r');
    await expect.poll(left).toBe('F');
  });

  test('a masked patient is nowhere in the window', async () => {
    await open();
    await button('Explain').click();
    await expect.element(button('Report')).toBeEnabled();
    await button('Mask PHI').click();
    await button('Report').click();
    await expect.element(page.getByRole('link', { name: 'Download PDF' })).toBeVisible();
    await page.getByText('1 refused file').click();
    expect(document.body.innerText).not.toMatch(/secret/i);
    expect(document.body.innerText).not.toMatch(/1970|2026-03-04/);
    expect(client.requests.findLast(({ name }) => name === 'report.create')?.request).toMatchObject({
      maskPatient: true,
    });
  });
});

describe('the window', () => {
  test('panels fold away with one key each', async () => {
    await open();
    for (const [key, panel] of [
      ['a', page.getByRole('navigation', { name: 'Studies' })],
      ['s', page.getByRole('region', { name: 'Baselines' })],
      ['d', answer()],
    ] as const) {
      await userEvent.keyboard(key);
      await expect.element(panel).not.toBeInTheDocument();
      await userEvent.keyboard(key);
      await expect.element(panel).toBeVisible();
    }
  });

  test.each([1280, 1100, 960])('no control of the toolbar lies on another at %d pixels', async (width) => {
    await page.viewport(width, 720);
    await open();
    await expect.element(viewport()).toMatchTextContent('W 3000');
    const toolbar = page.getByRole('toolbar').element();
    const shown = [...toolbar.querySelectorAll('button, select, input, label span, output')]
      .map((element) => ({ element, box: element.getBoundingClientRect() }))
      .filter(({ box }) => box.width > 0);
    const { right } = toolbar.getBoundingClientRect();
    for (const { box } of shown) expect(box.right).toBeLessThanOrEqual(right);
    const meet = (a: DOMRect, b: DOMRect): boolean =>
      a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
    const overlapping = shown.flatMap((a, i) =>
      shown
        .slice(i + 1)
        .flatMap((b) => (meet(a.box, b.box) ? [[a.element.outerHTML, b.element.outerHTML]] : [])),
    );
    expect(overlapping).toEqual([]);
  });

  test('the help sheet lists every command, and Escape closes it', async () => {
    await open();
    await userEvent.keyboard('?');
    const sheet = page.getByRole('dialog', { name: 'Keys' });
    await expect.element(sheet).toBeVisible();
    const text = sheet.element().textContent;
    const labels = commandGroups.flatMap((group) => group.commands.map(({ label }) => label));
    expect(labels.filter((label) => !text.includes(label))).toEqual([]);
    await userEvent.keyboard('{Escape}');
    await expect.element(sheet).not.toBeInTheDocument();
  });

  test('the devices: each with its self-test or why not; the chosen one is asked for and shown', async () => {
    await open();
    await userEvent.keyboard('e');
    await expect.element(answer()).toMatchTextContent('Converged');
    await expect.element(button('Computing device: CPU')).toBeVisible();
    await userEvent.keyboard('c');
    const sheet = page.getByRole('dialog', { name: 'Computing device' });
    await expect.element(sheet).toMatchTextContent(/WebGPU\s*Test GPU/);
    await expect
      .element(sheet)
      .toMatchTextContent('differs from the CPU’s by 2.0·10⁻⁵ %; at most 1 % is allowed');
    await expect.element(sheet).toMatchTextContent('2 of 61 steps ran on the CPU');
    await expect.element(sheet).toMatchTextContent('Not available: its libraries are not installed');
    await expect.element(sheet.getByRole('radio', { name: /CUDA/ })).toBeDisabled();
    await expect.element(button('Use CPU')).toBeDisabled();
    (sheet.getByRole('radio', { name: /^CPU/ }).element() as HTMLElement).focus();
    await userEvent.keyboard('{ArrowDown}{Enter}');
    await expect.element(sheet).not.toBeInTheDocument();
    expect(client.requests).toContainEqual({ name: 'devices.use', request: { provider: 'webgpu' } });
    await expect.element(button('Computing device: WebGPU')).toBeVisible();
    // What the CPU computed is put away.
    await expect.element(page.getByText('Not explained yet')).toBeVisible();
  });

  test('a device that is refused says by how much it is wrong, and the choice stays', async () => {
    const error = new PathlightError('device-refused', 'They differ by 3 %', 'Compute on the CPU.');
    client.deviceEnding = error;
    await open();
    await userEvent.keyboard('c');
    const sheet = page.getByRole('dialog', { name: 'Computing device' });
    await sheet.getByRole('radio', { name: /WebGPU/ }).click();
    await button('Use WebGPU').click();
    await expect.element(sheet).toMatchTextContent('They differ by 3 %. Compute on the CPU.');
    await expect.element(sheet.getByRole('radio', { name: /^CPU/ })).toBeChecked();
    await userEvent.keyboard('{Escape}');
    await expect.element(button('Computing device: CPU')).toBeVisible();
  });

  test('a device that fails a model while it computes is given up, visibly', async () => {
    client.device = { ...client.device, provider: 'webgpu' };
    client.ending = new PathlightError('device-refused', 'They differ by 3 %.', 'Press Explain again.');
    await open();
    await expect.element(button('Computing device: WebGPU')).toBeVisible();
    client.device = { ...client.device, provider: 'cpu' };
    client.deviceRefused = 'They differ by 3 %.';
    await button('Explain').click();
    await expect.element(answer()).toMatchTextContent('They differ by 3 %. Press Explain again.');
    await expect.element(button('Computing device: CPU')).toHaveAttribute('title', 'They differ by 3 %.');
  });

  test('a control used with the mouse gives the keyboard back to the image', async () => {
    await open();
    await expect.element(viewport()).toMatchTextContent('W 3000');
    await button('Invert').click();
    await expect.element(page.getByText('Inverted', { exact: true })).toBeVisible();
    // On a button that kept the focus, Space would invert again instead.
    await userEvent.keyboard('2 ');
    await expect.element(viewport()).toMatchTextContent('W 3000');
    await expect.element(page.getByText('Inverted', { exact: true })).not.toBeInTheDocument();
  });

  test('a control with the focus keeps the keys that it needs', async () => {
    await open();
    await expect.element(viewport()).toMatchTextContent('W 3000');
    const opacity = page.getByRole('slider', { name: 'Opacity' });
    (opacity.element() as HTMLElement).focus();
    await userEvent.keyboard('{ArrowRight}');
    await expect.element(opacity).toHaveValue('0.75');
    await userEvent.keyboard(']');
    await expect.element(opacity).toHaveValue('0.85');
  });
});
