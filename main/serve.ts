/** Entry of the browser host. */
import { serve } from './host/serve.ts';

process.exitCode = await serve(process.argv.slice(2));
