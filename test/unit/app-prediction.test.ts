import { readFileSync } from 'node:fs';
import path from 'node:path';
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { type ModelCard, ModelCardSchema } from '../../core/contract/model-card.ts';
import { shippedModels } from '../../main/app/models.ts';
import { predictionOf, targetOf } from '../../main/app/prediction.ts';

const card = v.parse(
  ModelCardSchema,
  JSON.parse(readFileSync(path.join(shippedModels, 'pneumonia/card.json'), 'utf8')),
);
const withOutput = (output: Partial<ModelCard['output']>): ModelCard => ({
  ...card,
  output: { ...card.output, ...output },
});
const undecided = { ...card };
delete undecided.decision;

describe('a prediction', () => {
  test('by softmax, large outputs included', () => {
    const { scores, logits, label, threshold } = predictionOf(card, Float32Array.of(1000, 1002));
    expect(scores['PNEUMONIA']).toBeCloseTo(1 / (1 + Math.exp(-2)), 12);
    expect((scores['PNEUMONIA'] ?? 0) + (scores['NORMAL'] ?? 0)).toBeCloseTo(1, 12);
    expect(logits).toEqual({ NORMAL: 1000, PNEUMONIA: 1002 });
    expect([label, threshold]).toEqual(['PNEUMONIA', 0.5]);
  });

  test('by sigmoid, each label on its own', () => {
    const { scores } = predictionOf(withOutput({ activation: 'sigmoid' }), Float32Array.of(0, 2));
    expect(scores).toEqual({ NORMAL: 0.5, PNEUMONIA: 1 / (1 + Math.exp(-2)) });
  });

  test('of a model that gives probabilities', () => {
    const { scores } = predictionOf(withOutput({ activation: 'none' }), Float32Array.of(0.75, 0.25));
    expect(scores).toEqual({ NORMAL: 0.75, PNEUMONIA: 0.25 });
  });

  test('is positive from the threshold on, the threshold included', () => {
    expect(predictionOf(card, Float32Array.of(1, 1)).label).toBe('PNEUMONIA');
    expect(predictionOf(card, Float32Array.of(1.001, 1)).label).toBe('NORMAL');
  });

  test('without a decision in the card is the label of the highest probability', () => {
    expect(predictionOf(undecided, Float32Array.of(3, 1))).toMatchObject({
      label: 'NORMAL',
      threshold: null,
    });
  });

  test('is refused where the card names other labels than the model gives', () => {
    expect(() => predictionOf(card, new Float32Array(3))).toThrow(
      'gives 3 numbers, but its card names 2 labels',
    );
  });
});

describe('the explained label', () => {
  const prediction = predictionOf(card, Float32Array.of(3, 1));

  test("is the card's positive one by default, or the predicted one where the card has no decision", () => {
    expect(targetOf(card, null, prediction)).toEqual({ label: 'PNEUMONIA', index: 1 });
    expect(targetOf(undecided, null, prediction)).toEqual({ label: 'NORMAL', index: 0 });
  });

  test('is the one asked for', () => {
    expect(targetOf(card, 'NORMAL', prediction)).toEqual({ label: 'NORMAL', index: 0 });
  });

  test('must be one of the labels', () => {
    expect(() => targetOf(card, 'COVID', prediction)).toThrow("has no label 'COVID'");
  });
});
