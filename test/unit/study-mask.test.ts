import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { encode } from 'fast-png';
import { deflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { readMask } from '../../main/study/mask.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const folder = temporaryFolder();
mkdirSync(path.join(folder, 'ward'));

function png(
  name: string,
  width: number,
  height: number,
  channels: number,
  data: number[],
  depth: 8 | 16 = 8,
) {
  const samples = depth === 8 ? Uint8Array.from(data) : Uint16Array.from(data);
  writeFileSync(path.join(folder, name), encode({ width, height, channels, depth, data: samples }));
}

/** [] of a 4 x 2 mask, inside at the left and at the top right. */
const inside = [1, 1, 0, 1, 1, 1, 0, 0];
const rows = (mask: Uint8Array | undefined) => Array.from(mask ?? []);

describe('a mask is read as meant', () => {
  test.each([
    ['0 and 255', 1, inside.map((v) => 255 * v), 8],
    ['0 and 1', 1, inside, 8],
    ['with 127 for what is to be ignored', 1, [255, 255, 127, 255, 255, 255, 0, 127], 8],
    ['of 16 bits', 1, inside.map((v) => 65_535 * v), 16],
    ['of colour', 3, inside.flatMap((v) => [0, 200 * v, 0]), 8],
    ['of white, with what is transparent outside', 4, inside.flatMap((v) => [255, 255, 255, 255 * v]), 8],
  ] as const)('%s', async (_, channels, data, depth) => {
    png('a.png', 4, 2, channels, [...data], depth);
    expect(rows((await readMask(folder, 'a.dcm', 2, 4))?.mask)).toEqual(inside);
  });

  test('of one bit a pixel, as many programs save it', async () => {
    const chunk = (type: string, body: Uint8Array): Buffer => {
      const head = Buffer.alloc(4);
      head.writeUInt32BE(body.length);
      // What reads it does not check the sum.
      return Buffer.concat([head, Buffer.from(type, 'latin1'), body, Buffer.alloc(4)]);
    };
    const header = Buffer.from([0, 0, 0, 4, 0, 0, 0, 2, 1, 0, 0, 0, 0]);
    const bits = deflateSync(Buffer.from([0, 0b1101_0000, 0, 0b1100_0000]));
    const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
    writeFileSync(
      path.join(folder, 'bits.png'),
      Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', bits), chunk('IEND', Buffer.alloc(0))]),
    );
    expect(rows((await readMask(folder, 'bits.dcm', 2, 4))?.mask)).toEqual(inside);
  });

  test('at another size, by the nearest pixel', async () => {
    png(
      'big.png',
      4,
      2,
      1,
      inside.map((v) => 255 * v),
    );
    expect(rows((await readMask(folder, 'big.dcm', 1, 2))?.mask)).toEqual([1, 0]);
    expect(rows((await readMask(folder, 'big.dcm', 4, 4))?.mask)).toEqual(
      [inside.slice(0, 4), inside.slice(0, 4), inside.slice(4), inside.slice(4)].flat(),
    );
  });

  test('of nothing is empty', async () => {
    png('empty.png', 2, 1, 1, [0, 0]);
    expect(rows((await readMask(folder, 'empty.dcm', 1, 2))?.mask)).toEqual([0, 0]);
  });
});

test('a mask stands below the subfolder of its image, or straight in the folder; or there is none', async () => {
  png('ward/a.png', 1, 1, 1, [255]);
  png('b.png', 1, 1, 1, [255]);
  expect(await readMask(folder, 'ward/a.dcm', 1, 1)).not.toBeNull();
  expect(await readMask(folder, 'ward/b.dcm', 1, 1)).not.toBeNull();
  expect(await readMask(folder, 'ward/none.dcm', 1, 1)).toBeNull();
});

test('a mask of an image named by its UID has all of its numbers', async () => {
  png('1.2.840.4.7.png', 1, 1, 1, [255]);
  png('1.2.840.png', 1, 1, 1, [255]);
  expect(await readMask(folder, '1.2.840.4.7', 1, 1)).not.toBeNull();
  expect(await readMask(folder, '1.2.840.4.7.dcm', 1, 1)).not.toBeNull();
  expect(await readMask(folder, '1.2.840.4', 1, 1)).toBeNull();
  // An image without an ending, though its name looks as if it had one.
  png('Doe.John.png', 1, 1, 1, [255]);
  png('Doe.png', 2, 1, 1, [0, 0]);
  expect(rows((await readMask(folder, 'Doe.John', 1, 1))?.mask)).toEqual([1]);
});

test('what is no PNG is refused by its name, and what claims to be huge before it is unpacked', async () => {
  writeFileSync(path.join(folder, 'text.png'), 'not a picture');
  await expect(readMask(folder, 'text.dcm', 1, 1)).rejects.toThrow(/'text.png' cannot be read/);
  const huge = Buffer.from(encode({ width: 1, height: 1, channels: 1, data: Uint8Array.of(0) }));
  huge.writeUInt32BE(65_536, 16);
  huge.writeUInt32BE(65_536, 20);
  writeFileSync(path.join(folder, 'huge.png'), huge);
  await expect(readMask(folder, 'huge.dcm', 1, 1)).rejects.toMatchObject({ kind: 'too-large' });
});
