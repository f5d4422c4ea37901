/** What TensorFlow.js can differentiate of a graph model's operators. */

type Kind = 'differentiable' | 'zero-gradient';

const differentiable = [
  ...['Identity', 'IdentityN', 'Snapshot', 'StopGradient', 'Cast'],
  // Element by element
  ...[
    'Abs',
    'Acos',
    'Acosh',
    'Asin',
    'Asinh',
    'Atan',
    'Atanh',
    'ClipByValue',
    'Cos',
    'Cosh',
    'Elu',
    'Erf',
    'Exp',
  ],
  ...['Expm1', 'LeakyRelu', 'Log', 'Log1p', 'Neg', 'Prelu', 'Reciprocal', 'Relu', 'Relu6', 'Rsqrt', 'Selu'],
  ...['Sigmoid', 'Sin', 'Sinh', 'Softplus', 'Sqrt', 'Square', 'Tan', 'Tanh'],
  ...['Add', 'AddN', 'AddV2', 'Atan2', 'BiasAdd', 'Div', 'Maximum', 'Minimum', 'Mul', 'Pow', 'RealDiv'],
  ...['Select', 'SelectV2', 'SquaredDifference', 'Sub'],
  // Convolution, pooling, normalisation
  ...[
    'AvgPool',
    'AvgPool3D',
    'Conv2D',
    'Conv2DBackpropInput',
    'Conv3D',
    'DepthwiseConv2d',
    'DepthwiseConv2dNative',
  ],
  ...[
    'FusedBatchNorm',
    'FusedBatchNormV2',
    'FusedBatchNormV3',
    'FusedDepthwiseConv2dNative',
    'LRN',
    'LogSoftmax',
  ],
  ...['MaxPool', 'MaxPool3D', 'Softmax', '_FusedConv2D'],
  // Matrices and reductions
  ...['BatchMatMul', 'BatchMatMulV2', 'Einsum', 'MatMul', '_FusedMatMul'],
  ...['Cumsum', 'Max', 'Mean', 'Min', 'Sum'],
  // Movement
  ...[
    'BatchToSpaceND',
    'BroadcastTo',
    'Concat',
    'ConcatV2',
    'ExpandDims',
    'Gather',
    'GatherV2',
    'MirrorPad',
    'Pack',
  ],
  ...['Pad', 'PadV2', 'Reshape', 'ResizeBilinear', 'ResizeNearestNeighbor', 'Reverse', 'ReverseV2', 'Slice'],
  ...['SpaceToBatchND', 'Split', 'SplitV', 'Squeeze', 'StridedSlice', 'Tile', 'Transpose', 'Unpack'],
];

const zeroGradient = [
  ...[
    'All',
    'Any',
    'ArgMax',
    'ArgMin',
    'Ceil',
    'Equal',
    'Fill',
    'Floor',
    'FloorDiv',
    'Greater',
    'GreaterEqual',
  ],
  ...[
    'IsFinite',
    'IsInf',
    'IsNan',
    'Less',
    'LessEqual',
    'LogicalAnd',
    'LogicalNot',
    'LogicalOr',
    'NotEqual',
    'OneHot',
  ],
  ...['Ones', 'OnesLike', 'Rank', 'Round', 'Shape', 'ShapeN', 'Sign', 'Size', 'Zeros', 'ZerosLike'],
];

/** Operators that take the image's values, or what is computed of them, but are not listed have no gradient: the model is refused. */
export const graphOperators: ReadonlyMap<string, Kind> = new Map([
  ...differentiable.map((operator): [string, Kind] => [operator, 'differentiable']),
  ...zeroGradient.map((operator): [string, Kind] => [operator, 'zero-gradient']),
]);
