import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'electron-vite';

export default defineConfig({
  main: {
    build: {
      rolldownOptions: {
        input: {
          index: 'main/index.ts',
          serve: 'main/serve.ts',
          cli: 'main/cli.ts',
          // The engine runs in a process of its own, so it is a file of its own.
          engine: 'main/engine/process.ts',
        },
      },
    },
  },
  preload: {
    build: {
      externalizeDeps: false,
      rolldownOptions: {
        input: { index: 'preload/index.ts' },
        // A sandboxed preload must be one CommonJS file.
        output: { format: 'cjs', entryFileNames: '[name].cjs' },
      },
    },
  },
  renderer: {
    root: 'renderer',
    plugins: [svelte({ configFile: '../svelte.config.js' })],
    build: { rolldownOptions: { input: 'renderer/index.html' } },
  },
});
