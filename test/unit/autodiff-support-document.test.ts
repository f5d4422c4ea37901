import { readFileSync } from 'node:fs';
import path from 'node:path';
import prettier from 'prettier';
import { expect, it } from 'vitest';
import { supportDocument } from '../../core/autodiff/support-document.ts';

it('docs/operators.md is what `npm run generate` makes of the rule table', async () => {
  const file = path.resolve(import.meta.dirname, '../../docs/operators.md');
  const settings = await prettier.resolveConfig(file);
  const expected = await prettier.format(supportDocument(), { ...settings, filepath: file });
  expect(readFileSync(file, 'utf8')).toBe(expected);
});
