/** Writes docs/operators.md from the table of gradient rules. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import prettier from 'prettier';
import { supportDocument } from '../core/autodiff/support-document.ts';

const file = path.resolve(import.meta.dirname, '../docs/operators.md');
const settings = await prettier.resolveConfig(file);
const document = await prettier.format(supportDocument(), { ...settings, filepath: file });
writeFileSync(file, document);
