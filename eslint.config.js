import js from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import { defineConfig } from 'eslint/config';
import globals from 'globals';
import ts from 'typescript-eslint';
import svelteConfig from './svelte.config.js';

/** The import direction of docs/architecture.md: a wrong import fails the lint. */
const direction = (files, forbidden, message) => ({
  files,
  rules: {
    'no-restricted-imports': ['error', { patterns: forbidden.map((regex) => ({ regex, message })) }],
  },
});

export default defineConfig(
  {
    ignores: [
      'out/**',
      '.cache/**',
      'dist/**',
      'node_modules/**',
      'core/onnx/generated/**',
      'test-results/**',
    ],
  },
  js.configs.recommended,
  ...ts.configs.strictTypeChecked,
  ...svelte.configs.recommended,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['*.js'] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
    },
  },
  {
    files: ['main/**', 'test/**', '*.ts', '*.js', 'scripts/**'],
    languageOptions: { globals: globals.node },
  },
  { files: ['renderer/**', 'preload/**'], languageOptions: { globals: globals.browser } },
  direction(
    ['core/**'],
    [
      '^node:',
      '^electron$',
      '^onnxruntime',
      '^ws$',
      '^svelte',
      '^pino$',
      '^pdfkit$',
      '(^|/)(main|renderer|preload|test|scripts)/',
    ],
    'core/ is pure: it imports nothing of Node, Electron, the DOM or native code, and nothing outside core/.',
  ),
  direction(
    ['renderer/**', 'preload/**'],
    ['^node:', '^onnxruntime', '^ws$', '(^|/)main/', '(^|/)test/'],
    'The renderer and the preload see core/ and the contract only.',
  ),
  direction(
    ['main/**'],
    ['(^|/)(renderer|preload|test)/'],
    'main/ does not import the renderer, the preload or tests.',
  ),
  direction(
    ['main/{app,engine,dicom,store,report}/**', 'main/cli.ts', 'main/serve.ts', 'main/host/browser.ts'],
    ['^electron$', '(^|/)(renderer|preload|test)/'],
    'Only main/index.ts and main/host/electron.ts know Electron.',
  ),
  {
    files: ['test/electron-double/**'],
    languageOptions: { globals: { ...globals.node, ...globals.browser } },
    rules: { 'no-empty': 'off', '@typescript-eslint/no-extraneous-class': 'off' },
  },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: {
      parserOptions: {
        projectService: true,
        extraFileExtensions: ['.svelte'],
        parser: ts.parser,
        svelteConfig,
      },
    },
  },
  { files: ['**/*.js', '**/*.mjs'], ...ts.configs.disableTypeChecked },
);
