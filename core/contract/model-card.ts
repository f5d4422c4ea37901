/** The card that every model folder holds beside its file: what the model is, takes, gives, and was measured to do. */
import * as v from 'valibot';

const text = v.pipe(v.string(), v.minLength(1));
const positive = v.pipe(v.number(), v.gtValue(0));
/** Rows or columns of a model's input: beyond it, a slip of the pen would fill the memory. */
const inputSize = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(8192));
const sha256 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const positiveInteger = v.pipe(v.number(), v.integer(), v.minValue(1));

export const ModelCardSchema = v.strictObject({
  schema: v.literal(1),
  id: v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9._-]*$/)),
  name: text,
  version: text,
  task: v.picklist(['classification', 'segmentation']),
  /** Absent: `onnx`. `tfjs-layers`, `tfjs-graph`: TensorFlow.js's LayersModel and GraphModel. */
  format: v.optional(v.picklist(['onnx', 'tfjs-layers', 'tfjs-graph'])),
  /** Name of the model file, beside the card: the ONNX file, or the model.json of a TensorFlow.js model. */
  file: text,
  /** SHA-256 of that file, lower-case hexadecimal. */
  sha256,
  /** Name -> SHA-256 of every other file that holds weights of the model. */
  externalData: v.optional(v.record(text, sha256)),
  intendedUse: text,
  input: v.strictObject({
    name: text,
    /** Order of the axes of one batch: channels before or after the rows and columns. */
    layout: v.picklist(['NCHW', 'NHWC']),
    channels: v.picklist([1, 3]),
    height: inputSize,
    width: inputSize,
    /** `squeeze`: the whole image is resized to height x width, its aspect not kept. */
    fit: v.literal('squeeze'),
    /** `triangle`: bilinear with antialiasing, the filter widened by the scale. */
    filter: v.literal('triangle'),
    /** DICOM modalities of the images that the model was made for; on others its answer comes with a warning. */
    modalities: v.optional(v.pipe(v.array(text), v.minLength(1))),
    /** Display values in [0, 1] become (value - mean) / std; a number for all channels, or one each. */
    mean: v.union([v.number(), v.array(v.number())]),
    std: v.union([positive, v.array(positive)]),
  }),
  /** Values of the model's further inputs, the same for every image: one number for all of a shape, or each, row by row. */
  heldInputs: v.optional(
    v.record(
      text,
      v.strictObject({
        shape: v.array(positiveInteger),
        values: v.pipe(
          v.union([v.number(), v.pipe(v.array(v.number()), v.minLength(1))]),
          v.transform((values) => [values].flat()),
        ),
      }),
    ),
  ),
  output: v.strictObject({
    name: text,
    /** What turns the output into probabilities; `none` where it already is one. */
    activation: v.picklist(['softmax', 'sigmoid', 'none']),
    labels: v.pipe(v.array(text), v.minLength(1)),
  }),
  /**
   * The value inside the model (by its name in the graph) that stands for what it makes of an image, which IG2 and counterfactuals follow.
   * Absent: the input of the last linear layer.
   */
  representation: v.optional(text),
  /** Classification: which label counts as positive, from which probability on, and where that number comes from. */
  decision: v.optional(
    v.strictObject({
      positive: text,
      negative: text,
      threshold: v.pipe(v.number(), v.minValue(0), v.maxValue(1)),
      source: text,
    }),
  ),
  training: v.strictObject({ data: text, procedure: text }),
  performance: v.array(
    v.strictObject({
      data: text,
      images: positiveInteger,
      measures: v.record(v.string(), v.number()),
      note: v.optional(text),
    }),
  ),
  limits: v.pipe(v.array(text), v.minLength(1)),
  licence: text,
  attribution: text,
});

export type ModelCard = v.InferOutput<typeof ModelCardSchema>;
export type ModelFormat = NonNullable<ModelCard['format']>;
