/** What a device is called, as far as the system tells: ONNX Runtime does not say which one its providers took. */
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Provider } from '../../core/contract/device.ts';

const run = promisify(execFile);

/** A tool that hangs must not keep the device from being tried. */
const patienceMilliseconds = 5000;

const names = new Map<Provider, Promise<string>>();

/**
 * Asks the system once.
 * @returns several names joined by "or" where any of them may be meant; empty where the system does not say
 */
export function deviceName(provider: Provider): Promise<string> {
  const name = names.get(provider) ?? askForName(provider);
  names.set(provider, name);
  return name;
}

async function askForName(provider: Provider): Promise<string> {
  if (provider === 'cpu') return os.cpus()[0]?.model.trim() ?? '';
  if (provider === 'cuda') return (await nvidiaCards())[0] ?? '';
  return [...new Set(await graphicsCards())].join(' or ');
}

async function graphicsCards(): Promise<string[]> {
  switch (process.platform) {
    case 'linux': {
      const forced = forcedVulkanDriver();
      if (forced !== null) return [forced];
      const nvidia = await nvidiaCards();
      return [...nvidia, ...(await drmCards(nvidia.length > 0))];
    }
    case 'win32':
      return lines('powershell.exe', [
        '-NoProfile',
        '-NonInteractive',
        '-Command',
        'Get-CimInstance Win32_VideoController | ForEach-Object Name',
      ]);
    case 'darwin': {
      const told = await lines('system_profiler', ['SPDisplaysDataType', '-detailLevel', 'mini']);
      return told.flatMap((line) => /^Chipset Model: (.+)$/.exec(line)?.[1] ?? []);
    }
    default:
      return [];
  }
}

/** The Vulkan loader takes no other driver then. */
function forcedVulkanDriver(): string | null {
  const files = process.env['VK_DRIVER_FILES'] ?? process.env['VK_ICD_FILENAMES'] ?? '';
  return files === '' ? null : `Vulkan driver ${path.basename(files, '.json')}`;
}

/** In the order of their numbers. */
async function nvidiaCards(): Promise<string[]> {
  const told = await lines('nvidia-smi', ['--query-gpu=name', '--format=csv,noheader']);
  if (told.length > 0) return told;
  const folder = '/proc/driver/nvidia/gpus';
  const cards = await readdir(folder).catch(() => []);
  const models = await Promise.all(
    cards.sort().map((card) => readFile(path.join(folder, card, 'information'), 'utf8').catch(() => '')),
  );
  return models.flatMap((text) => /^Model:\s*(.+)$/m.exec(text)?.[1]?.trim() ?? []);
}

const VENDORS: Readonly<Record<string, string>> = {
  '1002': 'AMD',
  '10DE': 'NVIDIA',
  '8086': 'Intel',
  '106B': 'Apple',
};

/** What Linux itself knows of its graphics cards: the maker and the number of the model. */
async function drmCards(nvidiaNamed: boolean): Promise<string[]> {
  const folder = '/sys/class/drm';
  const entries = await readdir(folder).catch(() => []);
  const cards = entries.filter((entry) => /^card\d+$/.test(entry)).sort();
  const told = await Promise.all(
    cards.map((card) => readFile(path.join(folder, card, 'device/uevent'), 'utf8').catch(() => '')),
  );
  return told.flatMap((text) => {
    const [, vendor = '', model = ''] = /^PCI_ID=([0-9A-F]+):([0-9A-F]+)$/m.exec(text) ?? [];
    if (vendor === '' || (nvidiaNamed && VENDORS[vendor] === 'NVIDIA')) return [];
    return [`${VENDORS[vendor] ?? 'unknown maker'} GPU (PCI ${vendor}:${model})`];
  });
}

/** What a tool of the system prints, line by line; nothing where it is not there or fails. */
async function lines(tool: string, args: string[]): Promise<string[]> {
  try {
    const { stdout } = await run(tool, args, { timeout: patienceMilliseconds, windowsHide: true });
    return stdout
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '');
  } catch {
    return [];
  }
}
