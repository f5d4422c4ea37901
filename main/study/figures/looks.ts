/**
 * How a method looks in every figure: a colour that colour-blind readers tell from the others (Okabe and Ito 2008, and darker ones beyond
 * their eight), and a shape that says the same without colour. What IDGI reweights keeps its colour and shape, dashed and hollow.
 */
import {
  symbol,
  symbolCircle,
  symbolCross,
  symbolDiamond,
  symbolSquare,
  symbolStar,
  symbolTriangle,
  symbolWye,
  type SymbolType,
} from 'd3-shape';
import type { MethodId } from '../../../core/attribution/methods.ts';
import type { Sketch, Stroke } from '../../report/drawing.ts';

interface Look {
  color: string;
  shape: SymbolType;
  hollow?: true;
}

const looks: Record<MethodId, Look> = {
  'integrated-gradients': { color: '#0072b2', shape: symbolCircle },
  'integrated-gradients-fixed': { color: '#0072b2', shape: symbolSquare },
  'integrated-gradients-adaptive': { color: '#0072b2', shape: symbolDiamond },
  'idgi-ig': { color: '#0072b2', shape: symbolCircle, hollow: true },
  'guided-ig': { color: '#d55e00', shape: symbolTriangle },
  'idgi-guided-ig': { color: '#d55e00', shape: symbolTriangle, hollow: true },
  'blur-ig': { color: '#009e73', shape: symbolDiamond },
  'idgi-blur-ig': { color: '#009e73', shape: symbolDiamond, hollow: true },
  'expected-gradients': { color: '#cc79a7', shape: symbolSquare },
  ig2: { color: '#8c510a', shape: symbolStar },
  'smooth-taylor': { color: '#e69f00', shape: symbolWye },
  gradient: { color: '#222222', shape: symbolCross },
  'gradient-x-input': { color: '#222222', shape: symbolCircle },
  smoothgrad: { color: '#56b4e9', shape: symbolCircle },
  'smoothgrad-squared': { color: '#56b4e9', shape: symbolSquare },
  vargrad: { color: '#56b4e9', shape: symbolTriangle },
  xrai: { color: '#5e3c99', shape: symbolCross },
};

export const nullColor = '#8a949c';

/** Random maps, and the image's edges. */
export const nullLines = {
  random: { color: nullColor, width: 1, dash: [1.2, 2] },
  edges: { color: nullColor, width: 1, dash: [6, 2] },
} as const satisfies Record<string, Stroke>;

export function colorOf(method: MethodId): string {
  return looks[method].color;
}

export function lineOf(method: MethodId): Stroke {
  const { color, hollow } = looks[method];
  return { color, width: 1.3, ...(hollow === true ? { dash: [4, 2.2] as const } : {}) };
}

/** The method's shape about a point. */
export function putShape(sketch: Sketch, method: MethodId, x: number, y: number, area = 18): void {
  const { color, shape, hollow } = looks[method];
  sketch.path(
    symbol(shape, area)(),
    { fill: hollow === true ? '#ffffff' : color, stroke: { color, width: 0.9 } },
    [x, y],
  );
}
