/** A drawing as a block of the page: vectors and live text, scaled down where the page is narrower or lower. */
import type { Block } from './block.ts';
import type { Drawing, Mark } from './drawing.ts';
import type { Paper } from './paper.ts';

export function drawn(paper: Paper, drawing: Drawing, maxHeight = Number.POSITIVE_INFINITY): Block {
  const scaleAt = (width: number): number => Math.min(1, width / drawing.width, maxHeight / drawing.height);
  return {
    measure: (width) => drawing.height * scaleAt(width),
    draw: (x, y, width) => {
      const scale = scaleAt(width);
      paper.mark(
        'Figure',
        () => {
          paper.pdf.save().translate(x, y).scale(scale);
          for (const mark of drawing.marks) put(paper, mark);
          paper.pdf.restore();
        },
        {
          alt: `${drawing.title} ${drawing.description}`,
          bbox: [x, y, x + drawing.width * scale, y + drawing.height * scale],
        },
      );
    },
  };
}

function put(paper: Paper, mark: Mark): void {
  const { pdf, typesetter } = paper;
  switch (mark.mark) {
    case 'picture':
      pdf.image(Buffer.from(mark.png), mark.x, mark.y, { width: mark.width, height: mark.height });
      return;
    case 'text': {
      const { set, x, y, width, turned } = mark;
      pdf.save();
      if (turned) pdf.rotate(-90, { origin: [x + width / 2, y + set.height / 2] });
      typesetter.draw(set, x, y, width);
      pdf.restore();
      return;
    }
    case 'path': {
      const { d, at, fill, opacity = 1, stroke } = mark;
      pdf.save();
      if (at !== undefined) pdf.translate(...at);
      if (fill !== undefined) pdf.path(d).fillOpacity(opacity).fill(fill);
      if (stroke !== undefined) {
        pdf.path(d).lineWidth(stroke.width).lineCap('butt').lineJoin('round');
        if (stroke.dash !== undefined) pdf.dash(stroke.dash[0], { space: stroke.dash[1] });
        pdf.strokeOpacity(opacity).stroke(stroke.color);
      }
      pdf.restore();
    }
  }
}
