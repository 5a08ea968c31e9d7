import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
// oxlint-disable-next-line import/no-unassigned-import -- its whole purpose is to stop an old Node
import './scripts/require-node.mjs';

/**
 * Where processes and threads that tests start keep what was compiled, types stripped: that takes a third off the start of a server,
 * and half off that of an embedded store. Node writes an entry under another name first and checks what it reads, so any process may be
 * killed at any time.
 */
// oxlint-disable-next-line node/no-process-env -- Node itself reads it in every process and thread that is started from here
process.env['NODE_COMPILE_CACHE'] ??= join(tmpdir(), 'trama-test-compiled');

/** Tests that share two processor cores with the servers they start must not run more than two files at once. */
const maxWorkers = 2;

interface Project {
  readonly test: {
    readonly name: string;
    readonly include: string[];
    readonly testTimeout: number;
    readonly hookTimeout: number;
    readonly maxWorkers: number;
    readonly globalSetup?: string[];
  };
}

/**
 * Time limits are for machines that are busy with other things, too: they end what hangs, and measure nothing.
 * `globalSetup` runs once before the project's first test.
 */
function project(name: string, include: string[], testTimeout: number, globalSetup?: string): Project {
  const base = { name, include, testTimeout, hookTimeout: testTimeout, maxWorkers };
  return { test: globalSetup === undefined ? base : { ...base, globalSetup: [globalSetup] } };
}

/** Installs the servers that real tests start, where they are missing. */
const servers = 'test/servers/global-setup.ts';

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
      project('unit', ['src/**/*.test.ts', 'simulator/**/*.test.ts', 'ui/src/**/*.test.ts'], 60_000),
      project('repo', ['test/repo/**/*.test.ts'], 60_000),
      project('scenario', ['test/scenario/**/*.test.ts'], 60_000),
      project('contract', ['test/contract/**/*.test.ts'], 60_000),
      project('simulation', ['test/simulation/**/*.test.ts'], 600_000),
      project('integration', ['test/integration/**/*.test.ts'], 120_000, servers),
      project('budgets', ['test/budgets/**/*.test.ts'], 300_000, servers),
      project('chaos', ['test/chaos/**/*.test.ts'], 300_000, servers),
      project('e2e', ['test/e2e/**/*.test.ts'], 180_000),
      project('ui', ['ui/test/**/*.test.ts'], 60_000, 'ui/test/global-setup.ts'),
      project('hostile', ['test/hostile/**/*.test.ts'], 120_000, servers),
    ],
  },
});
