#!/usr/bin/env -S node --max-semi-space-size=16
/**
 * The program `trama`. Imports nothing statically but the version check, so that an old Node gets one clear line instead
 * of a syntax error, and a command loads only what it needs.
 */
import { nodeProblem } from './server/node-version.ts';

const problem = nodeProblem(process.versions.node);
if (problem === undefined) {
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
