#!/usr/bin/env node
/**
 * The program `trama`. Imports nothing statically but the checks of Node and its settings, so that an old Node gets one
 * clear line instead of a syntax error, and a command loads only what it needs.
 */
import { nodeProblem } from './server/node-version.ts';
import { ensureProcessSettings } from './server/process-settings.ts';

const problem = nodeProblem(process.versions.node);
if (problem === undefined) {
  ensureProcessSettings();
  // Caches compiled modules, which takes a third off the start.
  const { enableCompileCache } = await import('node:module');
  enableCompileCache();
  const { guardCommands } = await import('./server/last-resort.ts');
  guardCommands();
  const { runCli } = await import('./program.ts');
  process.exitCode = await runCli(process.argv.slice(2));
} else {
  console.error(problem);
  process.exitCode = 2;
}
