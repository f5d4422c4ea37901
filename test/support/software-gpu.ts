/** A GPU in software for the WebGPU provider: Chromium's SwiftShader, by way of Chromium's own Vulkan loader. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { findChromium } from '../../scripts/chromium.mjs';

const folders = [
  '/usr/lib/chromium',
  '/usr/lib/chromium-browser',
  path.dirname(findChromium() ?? '/nowhere/chromium'),
];
const found = folders.find(
  (folder) =>
    existsSync(path.join(folder, 'vk_swiftshader_icd.json')) &&
    existsSync(path.join(folder, 'libvulkan.so.1')),
);

/** The environment that an engine needs to find it, or null where it is not installed. */
export const softwareGpu: Readonly<Record<string, string>> | null =
  found === undefined
    ? null
    : {
        VK_ICD_FILENAMES: path.join(found, 'vk_swiftshader_icd.json'),
        LD_LIBRARY_PATH: found,
        XDG_RUNTIME_DIR: '/tmp',
      };

if (softwareGpu === null) {
  console.warn(
    'SKIPPED: no SwiftShader Vulkan driver is installed (it comes with Chromium); WebGPU is not tested.',
  );
}
