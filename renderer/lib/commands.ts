/** Every command, once: the keyboard, the buttons' tips, the help sheet and the tests read this table. */
import type { Workbench } from '../state/workbench.svelte.ts';

type Group = 'Explain' | 'Overlay' | 'Image' | 'Studies' | 'Window';

export interface Command {
  label: string;
  group: Group;
  /** Written as `keyOf` writes them; the first one is shown. */
  keys: readonly string[];
  run: (workbench: Workbench) => unknown;
  /** Ends what holding the key began. */
  release?: (workbench: Workbench) => unknown;
}

/** Shares of the frame's range by which one key press moves the window. */
const LEVEL_STEP = 0.02;
const WIDTH_STEP = 0.04;
const ZOOM_STEP = 1.25;
const PAN_STEP = 48;

export const commands = {
  explain: { label: 'Explain', group: 'Explain', keys: ['E'], run: (w) => w.explain() },
  cancel: { label: 'Cancel, or close', group: 'Explain', keys: ['Escape'], run: (w) => w.cancel() },
  compare: {
    label: 'Compare baselines',
    group: 'Explain',
    keys: ['Shift+E'],
    run: (w) => w.compare(),
  },
  nextBaseline: {
    label: 'Next baseline',
    group: 'Explain',
    keys: ['B'],
    run: (w) => w.question.stepBaseline(1),
  },
  previousBaseline: {
    label: 'Previous baseline',
    group: 'Explain',
    keys: ['Shift+B'],
    run: (w) => w.question.stepBaseline(-1),
  },
  methods: { label: 'More methods', group: 'Explain', keys: ['F'], run: (w) => (w.dialog = 'methods') },
  moreBaselines: {
    label: 'More baselines',
    group: 'Explain',
    keys: ['Shift+F'],
    run: (w) => (w.dialog = 'baselines'),
  },
  nextModel: { label: 'Next model', group: 'Explain', keys: ['N'], run: (w) => w.nextModel() },
  nextTarget: { label: 'Next target', group: 'Explain', keys: ['T'], run: (w) => w.nextTarget() },
  device: { label: 'Computing device', group: 'Explain', keys: ['C'], run: (w) => (w.dialog = 'device') },
  report: { label: 'Report', group: 'Explain', keys: ['Ctrl+P'], run: (w) => w.report() },

  overlay: {
    label: 'Overlay on or off',
    group: 'Overlay',
    keys: ['O'],
    run: (w) => (w.overlay.visible = !w.overlay.visible),
  },
  peek: {
    label: 'Hold: image without the overlay',
    group: 'Overlay',
    keys: ['P'],
    run: (w) => (w.overlay.peeking = true),
    release: (w) => (w.overlay.peeking = false),
  },
  lessOpacity: {
    label: 'Less opacity',
    group: 'Overlay',
    keys: ['['],
    run: (w) => w.overlay.changeOpacity(-1),
  },
  moreOpacity: {
    label: 'More opacity',
    group: 'Overlay',
    keys: [']'],
    run: (w) => w.overlay.changeOpacity(1),
  },
  showLess: {
    label: 'Show a smaller share of the map',
    group: 'Overlay',
    keys: ['{'],
    run: (w) => w.overlay.changeTop(-1),
  },
  showMore: {
    label: 'Show a larger share of the map',
    group: 'Overlay',
    keys: ['}'],
    run: (w) => w.overlay.changeTop(1),
  },
  nextSign: { label: 'Next sign', group: 'Overlay', keys: ['G'], run: (w) => w.overlay.nextSign() },
  outline: {
    label: 'Outline of the lungs',
    group: 'Overlay',
    keys: ['M'],
    run: (w) => (w.overlay.outline = !w.overlay.outline),
  },

  scrollUp: { label: 'Previous frame', group: 'Image', keys: ['ArrowUp'], run: (w) => w.scroll(-1) },
  scrollDown: { label: 'Next frame', group: 'Image', keys: ['ArrowDown'], run: (w) => w.scroll(1) },
  firstFrame: { label: 'First frame', group: 'Image', keys: ['Home'], run: (w) => w.scrollTo(0) },
  lastFrame: { label: 'Last frame', group: 'Image', keys: ['End'], run: (w) => w.scrollTo(Infinity) },
  zoomIn: { label: 'Zoom in', group: 'Image', keys: ['+'], run: (w) => w.viewport.zoomBy(ZOOM_STEP) },
  zoomOut: { label: 'Zoom out', group: 'Image', keys: ['-'], run: (w) => w.viewport.zoomBy(1 / ZOOM_STEP) },
  fit: { label: 'Fit', group: 'Image', keys: ['='], run: (w) => w.viewport.fit() },
  actualSize: {
    label: 'One image pixel to one screen pixel',
    group: 'Image',
    keys: ['0'],
    run: (w) => w.viewport.actualSize(),
  },
  panLeft: {
    label: 'Pan left',
    group: 'Image',
    keys: ['Shift+ArrowLeft'],
    run: (w) => w.viewport.panBy(PAN_STEP, 0),
  },
  panRight: {
    label: 'Pan right',
    group: 'Image',
    keys: ['Shift+ArrowRight'],
    run: (w) => w.viewport.panBy(-PAN_STEP, 0),
  },
  panUp: {
    label: 'Pan up',
    group: 'Image',
    keys: ['Shift+ArrowUp'],
    run: (w) => w.viewport.panBy(0, PAN_STEP),
  },
  panDown: {
    label: 'Pan down',
    group: 'Image',
    keys: ['Shift+ArrowDown'],
    run: (w) => w.viewport.panBy(0, -PAN_STEP),
  },
  turnRight: {
    label: 'Turn clockwise',
    group: 'Image',
    keys: ['R'],
    run: (w) => w.viewport.turn('clockwise'),
  },
  turnLeft: {
    label: 'Turn counterclockwise',
    group: 'Image',
    keys: ['L'],
    run: (w) => w.viewport.turn('counterclockwise'),
  },
  mirrorHorizontal: {
    label: 'Mirror left and right',
    group: 'Image',
    keys: ['H'],
    run: (w) => w.viewport.mirror('horizontal'),
  },
  mirrorVertical: {
    label: 'Mirror top and bottom',
    group: 'Image',
    keys: ['V'],
    run: (w) => w.viewport.mirror('vertical'),
  },
  invert: {
    label: 'Invert',
    group: 'Image',
    keys: ['I'],
    run: (w) => (w.viewport.inverted = !w.viewport.inverted),
  },
  levelUp: {
    label: 'Level up',
    group: 'Image',
    keys: ['.'],
    run: (w) => w.viewport.changeWindow(LEVEL_STEP, 0),
  },
  levelDown: {
    label: 'Level down',
    group: 'Image',
    keys: [','],
    run: (w) => w.viewport.changeWindow(-LEVEL_STEP, 0),
  },
  wider: {
    label: 'Wider window',
    group: 'Image',
    keys: ['>'],
    run: (w) => w.viewport.changeWindow(0, WIDTH_STEP),
  },
  narrower: {
    label: 'Narrower window',
    group: 'Image',
    keys: ['<'],
    run: (w) => w.viewport.changeWindow(0, -WIDTH_STEP),
  },
  preset1: { label: 'First window preset', group: 'Image', keys: ['1'], run: (w) => w.viewport.usePreset(0) },
  preset2: {
    label: 'Second window preset',
    group: 'Image',
    keys: ['2'],
    run: (w) => w.viewport.usePreset(1),
  },
  preset3: { label: 'Third window preset', group: 'Image', keys: ['3'], run: (w) => w.viewport.usePreset(2) },
  preset4: {
    label: 'Fourth window preset',
    group: 'Image',
    keys: ['4'],
    run: (w) => w.viewport.usePreset(3),
  },
  preset5: { label: 'Fifth window preset', group: 'Image', keys: ['5'], run: (w) => w.viewport.usePreset(4) },
  reset: { label: 'Reset window and view', group: 'Image', keys: [' '], run: (w) => w.viewport.reset() },

  nextStudy: {
    label: 'Next image in the list',
    group: 'Studies',
    keys: ['PageDown', 'ArrowRight'],
    run: (w) => w.step(1),
  },
  previousStudy: {
    label: 'Previous image in the list',
    group: 'Studies',
    keys: ['PageUp', 'ArrowLeft'],
    run: (w) => w.step(-1),
  },
  open: { label: 'Open a folder', group: 'Studies', keys: ['Ctrl+O'], run: (w) => w.chooseFolder() },
  filter: {
    label: 'Filter the list',
    group: 'Studies',
    keys: ['/'],
    run: (w) => w.focusFilter(),
  },

  list: { label: 'Study list', group: 'Window', keys: ['A'], run: (w) => w.togglePanel('list') },
  answer: { label: 'Answer panel', group: 'Window', keys: ['D'], run: (w) => w.togglePanel('answer') },
  baselines: {
    label: 'Baseline panel',
    group: 'Window',
    keys: ['S'],
    run: (w) => w.togglePanel('baselines'),
  },
  imageAlone: {
    label: 'The image alone, or everything',
    group: 'Window',
    keys: ['W'],
    run: (w) => w.toggleAllPanels(),
  },
  maskPatient: {
    label: 'Mask patient data',
    group: 'Window',
    keys: ['Shift+H'],
    run: (w) => (w.maskPatient = !w.maskPatient),
  },
  keys: { label: 'Keys', group: 'Window', keys: ['?'], run: (w) => (w.dialog = 'keys') },
} satisfies Record<string, Command>;

export type CommandName = keyof typeof commands;

const all: readonly Command[] = Object.values(commands);

export const commandGroups: readonly { group: Group; commands: readonly Command[] }[] = (
  ['Explain', 'Overlay', 'Image', 'Studies', 'Window'] satisfies Group[]
).map((group) => ({ group, commands: all.filter((command) => command.group === group) }));

/** Mouse bindings of OHIF's default tool group, and ours with modifiers. */
export const mouseBindings: readonly { input: string; label: string }[] = [
  { input: 'Left drag', label: 'Window (across) and level (down)' },
  { input: 'Middle drag', label: 'Pan' },
  { input: 'Right drag', label: 'Zoom' },
  { input: 'Wheel', label: 'Scroll the stack' },
  { input: 'Ctrl + wheel', label: 'Zoom at the pointer' },
  { input: 'Double-click', label: 'The image alone, or everything' },
];

const byKey = new Map(all.flatMap((command) => command.keys.map((key) => [key, command])));

/** "Ctrl+P", "Shift+E", "ArrowUp", "[": letters in capitals; Shift is named only where it does not already change the character. */
export function keyOf(
  event: Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'shiftKey' | 'altKey'>,
): string {
  const letter = /^\p{L}$/u.test(event.key);
  const named = event.key.length > 1;
  return [
    event.ctrlKey || event.metaKey ? 'Ctrl' : '',
    event.altKey ? 'Alt' : '',
    event.shiftKey && (letter || named) ? 'Shift' : '',
    letter ? event.key.toUpperCase() : event.key,
  ]
    .filter(Boolean)
    .join('+');
}

export function commandOf(key: string): Command | undefined {
  return byKey.get(key);
}

const SYMBOLS: Record<string, string> = {
  ArrowUp: '↑',
  ArrowDown: '↓',
  ArrowLeft: '←',
  ArrowRight: '→',
  Escape: 'Esc',
  PageUp: 'PgUp',
  PageDown: 'PgDn',
  ' ': 'Space',
};

/** A key as it is printed on keyboards: "Ctrl P", "Shift ↑". */
export function keyCaps(key: string): string[] {
  const parts = key === '+' ? ['+'] : key.split('+');
  return parts.map((part) => SYMBOLS[part] ?? part);
}

/** "Explain (E)": a button's tip. */
export function tip(name: CommandName): string {
  const { label, keys }: Command = commands[name];
  const [key] = keys;
  return key === undefined ? label : `${label} (${keyCaps(key).join(' ')})`;
}
