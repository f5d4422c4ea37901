/** The shipped models as the engine is given them. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import * as v from 'valibot';
import { type ModelCard, ModelCardSchema } from '../../core/contract/model-card.ts';
import type { EngineModel } from '../../main/engine/engine.ts';

const models = path.resolve(import.meta.dirname, '../../models');

type ShippedModel = 'pneumonia' | 'pneumonia-shortcut' | 'lungs';

export function shippedCard(id: ShippedModel): ModelCard {
  return v.parse(ModelCardSchema, JSON.parse(readFileSync(path.join(models, id, 'card.json'), 'utf8')));
}

export function shippedModel(id: ShippedModel): EngineModel {
  const card = shippedCard(id);
  const { name, channels, height, width } = card.input;
  return {
    id: card.id,
    file: path.join(models, id, card.file),
    sha256: card.sha256,
    input: { name, shape: [channels, height, width] },
    output: { name: card.output.name, activation: card.output.activation },
  };
}
