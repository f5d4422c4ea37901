/** SVG to PNG without a browser or a library of the system: resvg, as WebAssembly. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { initWasm, Resvg } from '@resvg/resvg-wasm';

const packages = createRequire(import.meta.url);

let ready: Promise<void> | undefined;

/**
 * @param svg without text elements: no font is loaded
 * @param width of the picture, pixels
 */
export async function rasterise(svg: string, width: number): Promise<Uint8Array> {
  ready ??= readFile(packages.resolve('@resvg/resvg-wasm/index_bg.wasm')).then((wasm) => initWasm(wasm));
  await ready;
  const renderer = new Resvg(svg, { fitTo: { mode: 'width', value: width }, background: '#ffffff' });
  try {
    const picture = renderer.render();
    try {
      return picture.asPng();
    } finally {
      picture.free();
    }
  } finally {
    renderer.free();
  }
}
