/** Entry of the Electron application. */
import { runElectronHost } from './host/electron.ts';

runElectronHost();
