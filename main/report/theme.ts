/** The printed page: A4 in points, one accent, quiet greys. */
export const page = { width: 595.28, height: 841.89, left: 42, right: 42, top: 40, bottom: 48 } as const;
export const contentWidth = page.width - page.left - page.right;

export const color = {
  ink: '#1b2126',
  soft: '#5a646d',
  line: '#d3d9de',
  panel: '#f3f6f8',
  accent: '#0e7490',
  accentSoft: '#cfe7ed',
  amber: '#9a5b00',
  amberPanel: '#fdf3e0',
  red: '#b3261e',
  redPanel: '#fcebe9',
} as const;

export const size = { title: 17, heading: 11, body: 8.4, small: 7.2, tiny: 6.4 } as const;

/** "#d8812a" @param color red, green and blue, 0 to 255 */
export function hexOf(color: readonly number[]): string {
  return `#${color.map((part) => Math.round(part).toString(16).padStart(2, '0')).join('')}`;
}
