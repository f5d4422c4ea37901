import { describe, expect, test } from 'vitest';
import { csvRecord, readCsv } from '../../main/app/csv.ts';
import { readLabels } from '../../main/study/labels.ts';

describe('a table', () => {
  test('is read as it was written, whatever its cells hold', () => {
    const records = [
      ['file', 'label'],
      ['a, "left".dcm', 'two\nlines'],
      ['', 'x'],
    ];
    expect(readCsv(records.map(csvRecord).join(''))).toEqual(records);
  });

  test.each([
    [
      'with semicolons',
      'file;label\na.dcm;"x;y"',
      [
        ['file', 'label'],
        ['a.dcm', 'x;y'],
      ],
    ],
    [
      'with tabs and a byte order mark',
      '\uFEFFfile\tlabel\r\na\t\r\n',
      [
        ['file', 'label'],
        ['a', ''],
      ],
    ],
    [
      'with empty lines and no line ending at its end',
      'a,b\n\n\nc,',
      [
        ['a', 'b'],
        ['c', ''],
      ],
    ],
    ['of nothing', '', []],
  ])('is read %s', (_, text, records) => expect(readCsv(text)).toEqual(records));

  test('whose quotation mark is not closed is refused, with its place', () => {
    expect(() => readCsv('file,label\na,b\n"c,d\n')).toThrow(/record 3 on/);
  });
});

describe('labels', () => {
  const images = ['ward/a.dcm', 'ward/b.dcm', 'c.dcm', 'd', 'e.dcm'];

  test('belong to a file by its name, with another ending, or without one', () => {
    const text = 'Label,note, File \nP,x,ward/a.dcm\nN,,ward\\b.jpeg\nP,,c\nN,,d\nP,,e.dcm\n';
    const labels = readLabels(text, images);
    expect(images.map(labels.of)).toEqual(['P', 'N', 'P', 'N', 'P']);
    expect(labels.notes).toEqual([]);
  });

  test('belong to a file in another folder, where only one has the name', () => {
    const labels = readLabels('file,label\na.dcm,P\nold/b.jpg,N\nold/x.jpg,P\n', [
      ...['new/a.dcm', 'new/b.dcm', 'new/x.dcm', 'newer/x.dcm'],
    ]);
    expect(['new/a.dcm', 'new/b.dcm', 'new/x.dcm'].map(labels.of)).toEqual(['P', 'N', '']);
    expect(labels.notes[0]).toBe('1 name of the labels fits several images: old/x.jpg');
  });

  test('belong to a file named by its UID, whose last number is no ending', () => {
    const labels = readLabels('file,label\n1.2.840.4.1,P\n1.2.840.4.7,N\n', [
      '1.2.840.4.1.dcm',
      '1.2.840.4.7',
      '1.2.840.4.8',
    ]);
    expect(['1.2.840.4.1.dcm', '1.2.840.4.7', '1.2.840.4.8'].map(labels.of)).toEqual(['P', 'N', '']);
    expect(labels.notes).toEqual(['1 image has no label: 1.2.840.4.8']);
  });

  test('belong to the file whose whole name they state, though another is called like its beginning', () => {
    const labels = readLabels('file,label\nDoe.John,P\nward/Roe.Jane,N\n', [
      ...['Doe.John.dcm', 'Doe.dcm', 'Roe.Jane.dcm', 'Roe.dcm'],
    ]);
    expect(['Doe.John.dcm', 'Doe.dcm', 'Roe.Jane.dcm', 'Roe.dcm'].map(labels.of)).toEqual(['P', '', 'N', '']);
  });

  test('that do not fit are said, and count for nothing', () => {
    const text = 'file,label\nz.dcm,P\nward/a.dcm,P\nward/a,P\nc.dcm,P\nc.dcm,N\nd,\n';
    const labels = readLabels(text, [...images, 'd.dcm']);
    expect([...images, 'd.dcm'].map(labels.of)).toEqual(['P', '', '', '', '', '']);
    expect(labels.notes).toEqual([
      '1 name of the labels belongs to no image: z.dcm',
      '1 image is labelled twice, alike: ward/a.dcm',
      '1 image has two different labels, so neither counts: c.dcm',
      '4 images have no label: ward/b.dcm, d, e.dcm, d.dcm',
    ]);
  });

  test('whose name fits two images are said, too', () => {
    expect(readLabels('file,label\nx.png,P\n', ['x.dcm', 'x.dicom']).notes[0]).toBe(
      '1 name of the labels fits several images: x.png',
    );
  });

  test('without the column are refused', () => {
    expect(() => readLabels('image,label\n', images)).toThrow(/no column 'file'/);
    expect(() => readLabels('', images)).toThrow(/no column 'file'/);
  });
});
