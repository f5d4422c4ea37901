/** What the user has set, kept from one session to the next: one small JSON file. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import * as v from 'valibot';
import { PROVIDERS } from '../../core/contract/device.ts';

const SettingsSchema = v.object({
  /** What gradients are computed on. */
  device: v.optional(v.picklist(PROVIDERS), 'cpu'),
});

export type Settings = v.InferOutput<typeof SettingsSchema>;

const FILE = 'settings.json';

/** The defaults where nothing is kept; also, with a warning, where what is kept cannot be read. */
export function readSettings(folder: string, warn: (message: string) => void): Settings {
  const defaults = v.parse(SettingsSchema, {});
  let text;
  try {
    text = readFileSync(path.join(folder, FILE), 'utf8');
  } catch {
    return defaults;
  }
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), SettingsSchema), text);
  if (parsed.success) return parsed.output;
  warn(`The settings in ${FILE} cannot be read; the defaults hold.`);
  return defaults;
}

/** Settings that cannot be written hold for this session: that is a warning, not an error. */
export function writeSettings(folder: string, settings: Settings, warn: (message: string) => void): void {
  const file = path.join(folder, FILE);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(`${file}.tmp`, `${JSON.stringify(settings, null, 2)}\n`);
    renameSync(`${file}.tmp`, file);
  } catch (error) {
    warn(`The settings were not kept: ${error instanceof Error ? error.message : String(error)}.`);
  }
}
