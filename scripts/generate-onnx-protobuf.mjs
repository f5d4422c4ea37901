/** Writes core/onnx/generated/onnx_pb.{js,d.ts} from core/onnx/onnx.proto. Needs `protoc` (Debian: protobuf-compiler). */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');
const schema = path.join(root, 'core/onnx');
const plugin = path.join(
  root,
  'node_modules/.bin',
  process.platform === 'win32' ? 'protoc-gen-es.cmd' : 'protoc-gen-es',
);

if (!existsSync(plugin)) {
  console.error('protoc-gen-es is not installed: run `npm ci` first.');
  process.exit(1);
}

// JavaScript with declarations: the TypeScript target writes enums, which Node's type stripping cannot run.
const result = spawnSync(
  'protoc',
  [
    `--plugin=protoc-gen-es=${plugin}`,
    `--proto_path=${schema}`,
    `--es_out=${path.join(schema, 'generated')}`,
    '--es_opt=target=js+dts,import_extension=js',
    'onnx.proto',
  ],
  { stdio: 'inherit' },
);
if (result.error) {
  console.error('protoc could not be started. On Debian: apt-get install protobuf-compiler');
  process.exit(1);
}
process.exit(result.status ?? 1);
