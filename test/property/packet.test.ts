import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodePacket, encodePacket } from '../../core/contract/packet.ts';

describe('packets', () => {
  it('come back as they were: any JSON, with or without a buffer', () => {
    fc.assert(
      fc.property(
        fc.jsonValue({ noUnicodeString: false }),
        fc.option(fc.uint8Array({ maxLength: 200 }), { nil: undefined }),
        (json, bytes) => {
          const message = bytes === undefined ? { json } : { json, data: new Uint8Array(bytes).buffer };
          const decoded = decodePacket(encodePacket(message));
          // JSON has one zero.
          expect(JSON.stringify(decoded.json)).toBe(JSON.stringify(json));
          expect(decoded.data === undefined ? undefined : new Uint8Array(decoded.data)).toEqual(bytes);
        },
      ),
    );
  });

  it('of any other bytes are refused as a bad request, or read, but never fail otherwise', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          decodePacket(new Uint8Array(bytes).buffer);
        } catch (error) {
          expect(error).toMatchObject({ name: 'PathlightError', kind: 'bad-request' });
        }
      }),
    );
  });
});
