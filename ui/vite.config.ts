import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/**
 * Relative links, so that any path prefix works. No file is inlined into another: the page's policy allows no data URLs
 * for scripts and styles. The list of bundled licences is written beside the files, for the licence test and for readers.
 */
export default defineConfig({
  base: './',
  plugins: [react()],
  build: {
    target: 'es2023',
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1000,
    license: { fileName: 'licences.json' },
  },
  worker: { format: 'es' },
});
