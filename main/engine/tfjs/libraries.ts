/** TensorFlow.js's packages as types; at run time runtime.ts alone loads them. */
import type * as converter from '@tensorflow/tfjs-converter';
import type * as core from '@tensorflow/tfjs-core';
import type * as layers from '@tensorflow/tfjs-layers';

export type Converter = typeof converter;
export type Core = typeof core;
export type Layers = typeof layers;
