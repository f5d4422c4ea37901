import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { GrayscaleAttributes, StoredFrame, Voi } from '../../core/imaging/frame.ts';
import { applyLut, displayLut } from '../../core/imaging/grayscale.ts';

const frames = fc
  .record({
    bitsStored: fc.integer({ min: 1, max: 16 }),
    signed: fc.boolean(),
    values: fc.uint16Array({ minLength: 1, maxLength: 40 }),
  })
  .map(({ values, ...format }): StoredFrame => ({ rows: 1, columns: values.length, values, ...format }));

const windows: fc.Arbitrary<Voi> = fc.record({
  kind: fc.constant('window'),
  function: fc.constantFrom('linear', 'linear-exact', 'sigmoid'),
  center: fc.double({ min: -70000, max: 70000, noNaN: true }),
  width: fc.double({ min: 1, max: 140000, noNaN: true }),
  explanation: fc.constant(''),
});

const attributes = fc.record({
  modalityLut: fc.record({
    kind: fc.constant('linear'),
    slope: fc.double({ min: 0.001, max: 50, noNaN: true }),
    intercept: fc.double({ min: -5000, max: 5000, noNaN: true }),
    units: fc.constant(''),
  }),
  vois: fc.constant([]),
  photometricInterpretation: fc.constant('MONOCHROME2'),
  presentationLutShape: fc.constant(null),
}) satisfies fc.Arbitrary<GrayscaleAttributes>;

it('display values lie in [0, 1] and rise with the stored value; MONOCHROME1 is their complement', () => {
  fc.assert(
    fc.property(frames, attributes, fc.option(windows), (frame, chain, voi) => {
      const lut = displayLut(frame, chain, voi);
      expect(lut).toHaveLength(2 ** frame.bitsStored);
      const half = lut.length / 2;
      const rising =
        frame.signed && lut.length > 1 ? [...lut.subarray(half), ...lut.subarray(0, half)] : [...lut];
      expect(rising.every((value, i) => value >= 0 && value <= 1 && value >= (rising[i - 1] ?? 0))).toBe(
        true,
      );

      const inverted = applyLut(
        frame,
        displayLut(frame, { ...chain, photometricInterpretation: 'MONOCHROME1' }, voi),
      );
      applyLut(frame, lut).forEach((value, i) => expect(value + (inverted[i] ?? NaN)).toBeCloseTo(1, 6));
    }),
  );
});
