/**
 * Paints frames with their overlays onto 2-D canvases through one WebGL2 context, so that the viewport and every baseline
 * cell come from the same shader and share the uploaded image.
 */
import { PathlightError } from '../../core/contract/errors.ts';
import { colorsOf, type OverlaySign, type OverlayStyle } from '../../core/imaging/blend.ts';
import type { ColorTable } from '../../core/imaging/colormap.ts';
import type { StoredFrame } from '../../core/imaging/frame.ts';
import { apply, imageToCanvas, inverse, type ImageSize, type View } from './geometry.ts';
import { FRAGMENT_SHADER, VERTEX_SHADER } from './shaders.ts';

/** A map or a mask at the model's input size, row-major; it covers the whole image. */
export interface Field {
  data: Float32Array;
  height: number;
  width: number;
}

export interface PaintedPicture {
  frame: StoredFrame;
  /** [2^bitsStored] display values, from core/imaging/grayscale.ts. */
  lut: Float32Array;
  size: ImageSize;
  view: View;
  overlay: { field: Field; style: OverlayStyle } | null;
  /** Lung probability whose 0.5 line is drawn. */
  outline: Field | null;
}

/** Neither of the map's hues: the lungs' outline must not read as attribution. */
const OUTLINE_COLOR = [0.86, 0.9, 0.72] as const;
const OUTLINE_CSS_PIXELS = 1.5;

const SIGNS: Record<OverlaySign, number> = { all: 0, positive: 1, negative: 2, absolute: 3 };
/** Samples a side; beyond it a minified image costs more than it gains. */
const MOST_TAPS = 4;
const IMAGES_KEPT = 2;
const FIELDS_KEPT = 16;

const SAMPLERS = ['stored', 'displayTable', 'map', 'colors', 'lungs'] as const;
type Sampler = (typeof SAMPLERS)[number];
const UNIFORMS = [
  'canvasHeight',
  'imageX',
  'imageY',
  'codeMask',
  'taps',
  'overlaid',
  'sign_',
  'range_',
  'threshold',
  'opacity',
  'outlined',
  'lineWidth',
  'lineColor',
] as const;
type Uniform = (typeof UNIFORMS)[number];

interface Program {
  uniforms: Record<Uniform | Sampler, WebGLUniformLocation | null>;
  textures: TextureCache;
  lut: { values: Float32Array; texture: WebGLTexture } | null;
  /** Stands where a sampler is not used. */
  blank: WebGLTexture;
}

export class Painter {
  readonly #canvas = new OffscreenCanvas(1, 1);
  readonly #gl: WebGL2RenderingContext;
  readonly #largest: number;
  #program: Program | null;
  readonly #restored = new Set<() => void>();

  /** @throws PathlightError `unsupported` without WebGL2 */
  constructor() {
    const gl = this.#canvas.getContext('webgl2', { antialias: false, alpha: false, depth: false });
    if (gl === null) {
      throw new PathlightError(
        'unsupported',
        'This window has no WebGL2, which draws the images.',
        'Update the graphics driver, or start Pathlight with --enable-unsafe-swiftshader.',
      );
    }
    this.#gl = gl;
    this.#largest = gl.getParameter(gl.MAX_TEXTURE_SIZE) as number;
    this.#program = buildProgram(gl);
    this.#canvas.addEventListener('webglcontextlost', (event) => {
      // Without this the context never comes back.
      event.preventDefault();
      this.#program = null;
    });
    this.#canvas.addEventListener('webglcontextrestored', () => {
      this.#program = buildProgram(gl);
      for (const listener of this.#restored) listener();
    });
  }

  /** Calls the listener when pictures must be painted again because the graphics processor was reset. */
  onRestored(listener: () => void): () => void {
    this.#restored.add(listener);
    return () => this.#restored.delete(listener);
  }

  /** The context, to lose and restore it on purpose. */
  get context(): WebGL2RenderingContext {
    return this.#gl;
  }

  /**
   * @param target its canvas's width and height are device pixels
   * @returns false where the graphics processor was reset; the picture is to be painted again after `onRestored`
   * @throws PathlightError `too-large` where the frame does not fit a texture
   */
  paint(target: CanvasRenderingContext2D, picture: PaintedPicture, pixelRatio: number): boolean {
    const { frame } = picture;
    if (Math.max(frame.rows, frame.columns) > this.#largest) {
      throw new PathlightError(
        'too-large',
        `The image has ${frame.columns} × ${frame.rows} pixels; this graphics processor draws at most ${this.#largest} × ${this.#largest}.`,
        'Open it on a machine with a larger limit. Explaining and reporting work here all the same.',
      );
    }
    const program = this.#program;
    if (program === null || this.#gl.isContextLost()) return false;
    const { width, height } = target.canvas;
    // Growing only: resizing a drawing buffer is dear, and several panes share this one.
    if (this.#canvas.width < width) this.#canvas.width = width;
    if (this.#canvas.height < height) this.#canvas.height = height;
    this.#draw(program, picture, width, height, pixelRatio);
    target.drawImage(this.#canvas, 0, this.#canvas.height - height, width, height, 0, 0, width, height);
    return true;
  }

  dispose(): void {
    this.#restored.clear();
    this.#gl.getExtension('WEBGL_lose_context')?.loseContext();
  }

  #draw(program: Program, picture: PaintedPicture, width: number, height: number, pixelRatio: number): void {
    const gl = this.#gl;
    const { frame, lut, size, view, overlay, outline } = picture;
    const { uniforms, textures, blank } = program;

    const toCanvas = imageToCanvas(view, size, { width: width / pixelRatio, height: height / pixelRatio });
    const [a, b, c, d, e, f] = inverse(toCanvas);
    const pixelsCovered = Math.max(Math.hypot(a, d), Math.hypot(b, e)) / pixelRatio;

    if (program.lut?.values !== lut) {
      if (program.lut !== null) gl.deleteTexture(program.lut.texture);
      program.lut = { values: lut, texture: lutTexture(gl, lut) };
    }
    gl.viewport(0, 0, width, height);
    // Uploading binds to the first unit, so all textures are there before any is bound to its own.
    const sampled = [
      textures.image(frame),
      program.lut.texture,
      overlay === null ? blank : textures.field(overlay.field),
      overlay === null ? blank : textures.colors(colorsOf(overlay.style.sign)),
      outline === null ? blank : textures.field(outline),
    ];
    sampled.forEach((texture, unit) => {
      gl.activeTexture(gl.TEXTURE0 + unit);
      gl.bindTexture(gl.TEXTURE_2D, texture);
    });

    gl.uniform1f(uniforms.canvasHeight, height);
    gl.uniform3f(uniforms.imageX, a / pixelRatio, b / pixelRatio, c);
    gl.uniform3f(uniforms.imageY, d / pixelRatio, e / pixelRatio, f);
    gl.uniform1i(uniforms.codeMask, lut.length - 1);
    gl.uniform1i(uniforms.taps, Math.min(MOST_TAPS, Math.max(1, Math.ceil(pixelsCovered - 0.01))));
    gl.uniform1i(uniforms.overlaid, Number(overlay !== null));
    if (overlay !== null) {
      const { style } = overlay;
      gl.uniform1i(uniforms.sign_, SIGNS[style.sign]);
      gl.uniform1f(uniforms.range_, style.range);
      gl.uniform1f(uniforms.threshold, style.threshold);
      gl.uniform1f(uniforms.opacity, style.opacity);
    }
    gl.uniform1i(uniforms.outlined, Number(outline !== null));
    gl.uniform1f(uniforms.lineWidth, OUTLINE_CSS_PIXELS * pixelRatio);
    gl.uniform3f(uniforms.lineColor, ...OUTLINE_COLOR);

    // Only where the image lies: the bars beside it would cost as much as the image.
    const corners = [
      apply(toCanvas, { x: -0.5, y: -0.5 }),
      apply(toCanvas, { x: size.columns - 0.5, y: size.rows - 0.5 }),
    ];
    const [left, right] = span(
      corners.map(({ x }) => x * pixelRatio),
      width,
    );
    const [top, bottom] = span(
      corners.map(({ y }) => y * pixelRatio),
      height,
    );
    gl.disable(gl.SCISSOR_TEST);
    gl.clearColor(0, 0, 0, 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.enable(gl.SCISSOR_TEST);
    gl.scissor(left, height - bottom, right - left, bottom - top);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }
}

/** Whole pixels between two edges, within a canvas of the given length. */
function span(edges: readonly number[], length: number): [number, number] {
  const from = Math.min(length, Math.max(0, Math.floor(Math.min(...edges))));
  return [from, Math.max(from, Math.min(length, Math.ceil(Math.max(...edges))))];
}

function buildProgram(gl: WebGL2RenderingContext): Program {
  const program = gl.createProgram();
  const compile = (kind: number, source: string): void => {
    const shader = gl.createShader(kind);
    if (shader === null) throw graphicsFailure('no shader');
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) {
      throw graphicsFailure(gl.getShaderInfoLog(shader) ?? 'shader');
    }
    gl.attachShader(program, shader);
  };
  compile(gl.VERTEX_SHADER, VERTEX_SHADER);
  compile(gl.FRAGMENT_SHADER, FRAGMENT_SHADER);
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) {
    throw graphicsFailure(gl.getProgramInfoLog(program) ?? 'program');
  }
  gl.useProgram(program);
  const names = [...UNIFORMS, ...SAMPLERS];
  const uniforms = Object.fromEntries(
    names.map((name) => [name, gl.getUniformLocation(program, name)]),
  ) as Program['uniforms'];
  SAMPLERS.forEach((name, unit) => gl.uniform1i(uniforms[name], unit));
  gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  // A float texture stands for any unused float sampler; the image's sampler is always used.
  const blank = floatTexture(gl, new Float32Array(1), 1, 1);
  return { uniforms, textures: new TextureCache(gl), lut: null, blank };
}

function graphicsFailure(detail: string): PathlightError {
  return new PathlightError(
    'internal',
    `The graphics driver refused the image shader: ${detail}`,
    'Update the graphics driver.',
  );
}

/** Uploaded arrays, by identity; the ones not used for longest go first. */
class TextureCache {
  readonly #gl: WebGL2RenderingContext;
  readonly #images = new Map<object, WebGLTexture>();
  readonly #fields = new Map<object, WebGLTexture>();
  readonly #colors = new Map<object, WebGLTexture>();

  constructor(gl: WebGL2RenderingContext) {
    this.#gl = gl;
  }

  image({ values, rows, columns }: StoredFrame): WebGLTexture {
    return this.#kept(this.#images, IMAGES_KEPT, values, () => {
      const gl = this.#gl;
      const texture = newTexture(gl);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.R16UI, columns, rows, 0, gl.RED_INTEGER, gl.UNSIGNED_SHORT, values);
      return texture;
    });
  }

  field({ data, height, width }: Field): WebGLTexture {
    return this.#kept(this.#fields, FIELDS_KEPT, data, () => floatTexture(this.#gl, data, width, height));
  }

  colors(table: ColorTable): WebGLTexture {
    return this.#kept(this.#colors, 2, table, () => {
      const gl = this.#gl;
      const texture = newTexture(gl);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB8, 256, 1, 0, gl.RGB, gl.UNSIGNED_BYTE, table);
      return texture;
    });
  }

  #kept(
    cache: Map<object, WebGLTexture>,
    most: number,
    key: object,
    create: () => WebGLTexture,
  ): WebGLTexture {
    const kept = cache.get(key);
    const texture = kept ?? create();
    cache.delete(key);
    cache.set(key, texture);
    const [oldest] = cache;
    if (cache.size > most && oldest) {
      this.#gl.deleteTexture(oldest[1]);
      cache.delete(oldest[0]);
    }
    return texture;
  }
}

function newTexture(gl: WebGL2RenderingContext): WebGLTexture {
  const texture = gl.createTexture();
  gl.activeTexture(gl.TEXTURE0);
  gl.bindTexture(gl.TEXTURE_2D, texture);
  // Integer and float textures cannot be filtered everywhere; the shader interpolates by itself.
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  return texture;
}

function floatTexture(
  gl: WebGL2RenderingContext,
  data: Float32Array,
  width: number,
  height: number,
): WebGLTexture {
  const texture = newTexture(gl);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.R32F, width, height, 0, gl.RED, gl.FLOAT, data);
  return texture;
}

/** The table in rows of 256, the last one filled up. */
function lutTexture(gl: WebGL2RenderingContext, lut: Float32Array): WebGLTexture {
  const rows = Math.ceil(lut.length / 256);
  const data = new Float32Array(rows * 256);
  data.set(lut);
  return floatTexture(gl, data, 256, rows);
}
