import { defineConfig } from 'vitest/config';
// oxlint-disable-next-line import/no-unassigned-import -- its whole purpose is to stop an old Node
import './scripts/require-node.mjs';

/** Tests that share two processor cores with the servers they start must not run more than two files at once. */
const maxWorkers = 2;

function project(
  name: string,
  include: string[],
  testTimeout: number,
): { test: { name: string; include: string[]; testTimeout: number; hookTimeout: number; maxWorkers: number } } {
  return { test: { name, include, testTimeout, hookTimeout: testTimeout, maxWorkers } };
}

export default defineConfig({
  test: {
    environment: 'node',
    // Processes, not threads: tests load node:sqlite, start workers and send signals.
    pool: 'forks',
    maxWorkers,
    passWithNoTests: false,
    allowOnly: false,
    restoreMocks: true,
    unstubEnvs: true,
    projects: [
      project('unit', ['src/**/*.test.ts'], 10_000),
      project('repo', ['test/repo/**/*.test.ts'], 30_000),
      project('scenario', ['test/scenario/**/*.test.ts'], 30_000),
      project('contract', ['test/contract/**/*.test.ts'], 30_000),
      project('simulation', ['test/simulation/**/*.test.ts'], 600_000),
      project('integration', ['test/integration/**/*.test.ts'], 60_000),
      project('e2e', ['test/e2e/**/*.test.ts'], 60_000),
    ],
  },
});
