// Where a Chromium is, for the tests and for the browser host's window.
import { existsSync } from 'node:fs';
import path from 'node:path';

const NAMES = [
  'chromium',
  'chromium-browser',
  'google-chrome',
  'google-chrome-stable',
  'microsoft-edge',
  'chrome',
];
const FIXED = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
  'C:\\Program Files (x86)\\Microsoft\\Edge\\Application\\msedge.exe',
];

/** Path of an installed Chromium-family browser, or undefined. PATHLIGHT_CHROMIUM names one explicitly. */
export function findChromium() {
  const named = process.env.PATHLIGHT_CHROMIUM;
  if (named) return existsSync(named) ? named : undefined;
  const folders = (process.env.PATH ?? '').split(path.delimiter).filter(Boolean);
  const candidates = folders.flatMap((folder) => NAMES.map((name) => path.join(folder, name)));
  return [...candidates, ...FIXED].find((file) => existsSync(file));
}

/** Switches under which Chromium opens no connection of its own, and resolves no name but this machine's. */
export const chromiumArguments = [
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-domain-reliability',
  '--disable-sync',
  '--disable-default-apps',
  '--no-pings',
  '--password-store=basic',
  // To the discard port rather than ~NOTFOUND: a name that is not found makes Chromium question the name servers.
  '--host-resolver-rules=MAP * 127.0.0.1:9, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE *.localhost',
  // No inquiry for accounts at the start.
  '--enable-features=SkipListAccountsWithoutGaiaCookies',
];
