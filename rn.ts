import * as tfl from '@tensorflow/tfjs-layers';
import { savedLayers, writeTfjsModel } from './test/support/tfjs-models.ts';
import { openTfjsModel } from './main/engine/tfjs/tfjs-model.ts';
import { tfjsRuntime } from './main/engine/tfjs/runtime.ts';
const L = tfl.layers;
const ap = (l: any, x: any) => l.apply(x);
function resnet50() {
  const image = tfl.input({ shape: [224, 224, 3], name: 'image' });
  const cb = (x: any, f: number, k: number, s: number, act = true) => { x = ap(L.conv2d({ filters: f, kernelSize: k, strides: s, padding: 'same', kernelInitializer: 'heNormal' }), x); x = ap(L.batchNormalization({}), x); return act ? ap(L.activation({ activation: 'relu' }), x) : x; };
  let x: any = cb(image, 64, 7, 2); x = ap(L.maxPooling2d({ poolSize: 3, strides: 2, padding: 'same' }), x);
  for (const [f, n, s] of [[64,3,1],[128,4,2],[256,6,2],[512,3,2]] as [number, number, number][]) for (let i = 0; i < n; i++) {
    const st = i === 0 ? s : 1; const short = i === 0 ? cb(x, 4*f, 1, st, false) : x;
    let y = cb(x, f, 1, st); y = cb(y, f, 3, 1); y = cb(y, 4*f, 1, 1, false); x = ap(L.activation({ activation: 'relu' }), ap(L.add(), [y, short]));
  }
  x = ap(L.globalAveragePooling2d({}), x);
  return tfl.model({ inputs: image, outputs: ap(L.dense({ units: 2, activation: 'softmax', name: 'scores' }), x) });
}
const m = writeTfjsModel('/tmp/wt/.tfjsx', await savedLayers(resnet50()), { id: 'resnet50', side: 224, channels: 3, input: 'image', output: 'scores', activation: 'softmax' });
console.log('written');
console.log(process.memoryUsage().rss / 2 ** 20); let t = performance.now();
const model = await openTfjsModel(m.engine);
console.log(model.provider, model.selfTest, 'open+self-test', performance.now() - t);
const x = new Float32Array(3*224*224).map((_, i) => Math.sin(i / 7));
for (let i = 0; i < 3; i++) { t = performance.now(); await model.run(x); console.log('forward', performance.now() - t); }
const d = model.differentiable(1, 'logit');
for (let i = 0; i < 3; i++) { t = performance.now(); await d.evaluate(x, 1); console.log('gradient', performance.now() - t); }
console.log(process.memoryUsage().rss / 2 ** 20, process.resourceUsage().maxRSS / 1024);
