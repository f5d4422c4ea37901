import { createHash } from 'node:crypto';
import type { ModelCard } from '../../core/contract/model-card.ts';

/**
 * What names a model in results: the SHA-256 of its file, as its card states it. Where weights stand in files of their own, that of all
 * the card's hashes: two models may differ in those files alone.
 * @returns lower-case hexadecimal
 */
export function modelSha256({ sha256, externalData }: ModelCard): string {
  if (externalData === undefined) return sha256;
  const files = Object.entries(externalData).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([sha256, files]))
    .digest('hex');
}
