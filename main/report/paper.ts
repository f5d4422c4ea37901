/**
 * A tagged PDF/A-2a document of A4 pages with a running header and footer. Content is given as blocks, which are measured
 * before they are drawn, so that nothing overlaps and nothing is cut by a page's end.
 */
import PDFDocument from 'pdfkit';
import type { Block } from './block.ts';
import { color, contentWidth, page, size } from './theme.ts';
import { Typesetter, type TextStyle } from './typesetter.ts';

export interface PaperOptions {
  /** Without patient data: it stands in the file's metadata. */
  title: string;
  subject: string;
  createdAt: Date;
  app: { version: string; commit: string };
  /** At the top of the second and later pages: left and right. */
  running: { left: string; right: string };
  /** At the foot of every page. */
  notice: string;
}

/** pdfkit takes more than its types say: a header cell's scope, and a figure's box [left, top, right, bottom]. */
export interface StructureOptions {
  alt?: string;
  scope?: 'Row' | 'Column';
  bbox?: [number, number, number, number];
}

/** What fits below the running header. */
const fullPage = page.height - page.bottom - page.top - 30;

const piecesKept = 4096;

/** pdfkit keeps what is drawn on a page in pieces until the page is written, here at the end, with its number. */
type PageWithContent = PDFKit.PDFPage & { readonly content: { readonly buffer: Uint8Array[] } };

export class Paper {
  readonly typesetter: Typesetter;
  readonly #pdf: PDFKit.PDFDocument;
  readonly #chunks: Uint8Array[] = [];
  readonly #blocks: Uint8Array[] = [];
  readonly #options: PaperOptions;
  /** Open structure elements, outermost first. */
  readonly #open: PDFKit.PDFStructureElement[];
  #y: number = page.top;
  #pages = 0;

  constructor(options: PaperOptions) {
    this.#options = options;
    this.#pdf = new PDFDocument({
      size: 'A4',
      margin: 0,
      autoFirstPage: false,
      bufferPages: true,
      pdfVersion: '1.7',
      subset: 'PDF/A-2a',
      tagged: true,
      lang: 'en',
      displayTitle: true,
      info: {
        Title: options.title,
        Subject: options.subject,
        Creator: `Pathlight ${options.app.version}`,
        Producer: 'PDFKit',
        CreationDate: options.createdAt,
      },
    });
    this.#pdf.on('data', (chunk: Uint8Array) => {
      // One table of thousands of rows is written in a million pieces of some ten bytes.
      if (this.#chunks.push(chunk) === piecesKept) this.#blocks.push(Buffer.concat(this.#chunks.splice(0)));
    });
    this.typesetter = new Typesetter(this.#pdf);
    const root = this.#pdf.struct('Document');
    this.#pdf.addStructure(root);
    this.#open = [root];
    this.addPage();
  }

  /** The drawing surface; only within `mark` or `decorate`. */
  get pdf(): PDFKit.PDFDocument {
    return this.#pdf;
  }

  get pages(): number {
    return this.#pages;
  }

  /** Height left on the page. */
  get room(): number {
    return page.height - page.bottom - this.#y;
  }

  addPage(): void {
    const finished = this.#pages === 0 ? undefined : (this.#pdf.page as PageWithContent).content;
    finished?.buffer.splice(0, finished.buffer.length, Buffer.concat(finished.buffer));
    this.#pdf.addPage();
    this.#pages++;
    this.#y = page.top;
    if (this.#pages > 1) this.#runningHeader();
  }

  /** Leaves white space, unless at the top of a page. */
  space(height: number): void {
    if (this.#y > page.top) this.#y += height;
  }

  /**
   * Draws a block at full width below what is there, on a new page where it does not fit.
   * @param together height that must also fit below it, so that a heading is not left alone
   */
  flow(block: Block, together = 0): void {
    const height = block.measure(contentWidth);
    if (height > fullPage && block.parts !== undefined) {
      for (const part of block.parts(contentWidth)) this.flow(part);
      return;
    }
    if (height + Math.min(together, fullPage - height) > this.room) this.addPage();
    block.draw(page.left, this.#y, contentWidth);
    this.#y += height;
  }

  /** A structure element around whatever `content` draws. */
  within(tag: string, content: () => void): void {
    const close = this.#openElement(tag);
    content();
    close();
  }

  /** The same for content that is drawn with pauses. */
  async withinLong(tag: string, content: () => Promise<void>): Promise<void> {
    const close = this.#openElement(tag);
    await content();
    close();
  }

  /** Drawn content as one structure element. */
  mark(tag: string, draw: () => void, options: StructureOptions = {}): void {
    const element = this.#pdf.struct(tag, options);
    this.#parent().add(element);
    element.add(draw);
    element.end();
  }

  /** Drawn content that says nothing: rules, panels. Never inside `mark`. */
  decorate(draw: () => void, type: 'Layout' | 'Pagination' = 'Layout'): void {
    this.#pdf.markContent('Artifact', { type });
    draw();
    this.#pdf.endMarkedContent();
  }

  /** Numbers the pages and closes the document. */
  async finish(): Promise<Uint8Array> {
    for (const element of this.#open.splice(0).reverse()) element.end();
    for (let index = 0; index < this.#pages; index++) {
      this.#pdf.switchToPage(index);
      this.#footer(index + 1);
    }
    const ended = new Promise<void>((resolve, reject) => {
      this.#pdf.once('end', resolve);
      this.#pdf.once('error', reject);
    });
    this.#pdf.end();
    await ended;
    return Buffer.concat([...this.#blocks, ...this.#chunks]);
  }

  #parent(): PDFKit.PDFStructureElement {
    const parent = this.#open.at(-1);
    if (parent === undefined) throw new Error('The document is finished');
    return parent;
  }

  #openElement(tag: string): () => void {
    const element = this.#pdf.struct(tag);
    this.#parent().add(element);
    this.#open.push(element);
    return () => {
      this.#open.pop();
      element.end();
    };
  }

  #runningHeader(): void {
    const style: TextStyle = { size: size.small, color: color.soft };
    const right = this.typesetter.set(this.#options.running.right, style);
    const left = this.typesetter.set(this.#options.running.left, style, contentWidth - right.width - 24);
    this.decorate(() => {
      this.typesetter.draw(left, page.left, this.#y);
      this.typesetter.draw(right, page.width - page.right - right.width, this.#y);
      const rule = this.#y + left.height + 4;
      this.#pdf
        .moveTo(page.left, rule)
        .lineTo(page.width - page.right, rule)
        .lineWidth(0.5)
        .stroke(color.line);
    }, 'Pagination');
    this.#y += left.height + 16;
  }

  #footer(number: number): void {
    const y = page.height - page.bottom + 16;
    const right = this.typesetter.set(`Page ${number} of ${this.#pages}`, {
      size: size.small,
      color: color.soft,
    });
    const notice = this.typesetter.set(
      this.#options.notice,
      { size: size.small, weight: 'semibold', color: color.amber },
      contentWidth - right.width - 24,
    );
    this.decorate(() => {
      this.#pdf
        .moveTo(page.left, y - 6)
        .lineTo(page.width - page.right, y - 6)
        .lineWidth(0.5)
        .stroke(color.line);
      this.typesetter.draw(notice, page.left, y);
      this.typesetter.draw(right, page.width - page.right - right.width, y);
    }, 'Pagination');
  }
}
