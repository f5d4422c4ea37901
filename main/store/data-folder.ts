/** Where an application may keep its data, by the platform's own convention. */
import os from 'node:os';
import path from 'node:path';

/** Absolute path of the user's data folder for Pathlight; it need not exist yet. */
export function dataFolder(
  platform = process.platform,
  environment: NodeJS.ProcessEnv = process.env,
): string {
  const home = os.homedir();
  if (platform === 'win32') {
    return path.join(environment['LOCALAPPDATA'] ?? path.join(home, 'AppData', 'Local'), 'pathlight');
  }
  if (platform === 'darwin') return path.join(home, 'Library', 'Application Support', 'pathlight');
  // XDG Base Directory Specification: a relative value is to be ignored.
  const named = environment['XDG_DATA_HOME'];
  const base = named !== undefined && path.isAbsolute(named) ? named : path.join(home, '.local', 'share');
  return path.join(base, 'pathlight');
}

/** Where prepared gradient graphs are kept: what can be made again, and nothing of any patient. */
export function preparedFolder(folder: string): string {
  return path.join(folder, 'prepared');
}
