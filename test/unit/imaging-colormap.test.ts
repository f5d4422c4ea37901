import { describe, expect, it } from 'vitest';
import {
  colorAt,
  divergingColors,
  linearOfLch,
  sequentialColors,
  type ColorTable,
} from '../../core/imaging/colormap.ts';

type Triple = [number, number, number];

function linearRgb(table: ColorTable, i: number): Triple {
  const linear = (byte: number) => {
    const c = byte / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  };
  return [linear(table[3 * i] ?? 0), linear(table[3 * i + 1] ?? 0), linear(table[3 * i + 2] ?? 0)];
}

/** CIE L*a*b*, D65. */
function lab([r, g, b]: Triple): Triple {
  const f = (t: number) => (t > (6 / 29) ** 3 ? Math.cbrt(t) : t / (3 * (6 / 29) ** 2) + 4 / 29);
  const x = f((0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047);
  const y = f(0.2126729 * r + 0.7151522 * g + 0.072175 * b);
  const z = f((0.0193339 * r + 0.119192 * g + 0.9503041 * b) / 1.08883);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

/** Machado, Oliveira, Fernandes 2009, severity 1. */
function deuteranopia([r, g, b]: Triple): Triple {
  const clip = (value: number) => Math.min(Math.max(value, 0), 1);
  return [
    clip(0.367322 * r + 0.860646 * g - 0.227968 * b),
    clip(0.280085 * r + 0.672501 * g + 0.047413 * b),
    clip(-0.01182 * r + 0.04294 * g + 0.968881 * b),
  ];
}

const distance = (a: Triple, b: Triple) => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
const lightness = (table: ColorTable, i: number) => lab(linearRgb(table, i))[0];

describe('the diverging map', () => {
  it('is as light at -t as at +t, and darkens evenly away from zero', () => {
    for (let i = 0; i < 128; i++) {
      expect(Math.abs(lightness(divergingColors, i) - lightness(divergingColors, 255 - i))).toBeLessThan(0.6);
    }
    for (let i = 4; i < 128; i += 4) {
      expect(lightness(divergingColors, i)).toBeGreaterThan(lightness(divergingColors, i - 4));
    }
  });

  it('is neutral in the middle only', () => {
    const chroma = (i: number) => Math.hypot(...lab(linearRgb(divergingColors, i)).slice(1));
    expect(chroma(127)).toBeLessThan(2);
    expect(chroma(128)).toBeLessThan(2);
    expect(chroma(112)).toBeGreaterThan(6);
    expect(chroma(143)).toBeGreaterThan(6);
    const [red, green, blue] = colorAt(divergingColors, 0.5);
    expect(Math.max(red, green, blue) - Math.min(red, green, blue)).toBeLessThan(0.01);
  });

  it('keeps its signs apart for a deuteranope', () => {
    for (let i = 0; i <= 96; i += 8) {
      const negative = lab(deuteranopia(linearRgb(divergingColors, i)));
      const positive = lab(deuteranopia(linearRgb(divergingColors, 255 - i)));
      expect(distance(negative, positive)).toBeGreaterThan(20);
    }
    const ends = [0, 255].map((i) => lab(deuteranopia(linearRgb(divergingColors, i))));
    expect(distance(ends[0] ?? [0, 0, 0], ends[1] ?? [0, 0, 0])).toBeGreaterThan(60);
  });
});

describe('the sequential map', () => {
  it('lightens evenly, for every reader', () => {
    for (let i = 4; i < 256; i += 4) {
      const step = lightness(sequentialColors, i) - lightness(sequentialColors, i - 4);
      expect(step).toBeGreaterThan(0.6);
      expect(step).toBeLessThan(1.9);
      const seen = (k: number) => lab(deuteranopia(linearRgb(sequentialColors, k)))[0];
      expect(seen(i)).toBeGreaterThan(seen(i - 4));
    }
  });
});

it('L* = 100 without chroma is white, and mid-grey is where CIE puts it', () => {
  for (const component of linearOfLch(100, 0, 0)) expect(component).toBeCloseTo(1, 3);
  for (const component of linearOfLch(50, 0, 0)) expect(component).toBeCloseTo(0.18419, 3);
});

it('interpolates between entries and holds the ends', () => {
  const table = Uint8Array.from({ length: 768 }, (_, i) => Math.floor(i / 3));
  expect(colorAt(table, 0.5)[0]).toBeCloseTo(0.5, 10);
  expect(colorAt(table, -1)).toEqual([0, 0, 0]);
  expect(colorAt(table, 2)).toEqual([1, 1, 1]);
});
