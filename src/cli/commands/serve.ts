import type { Command } from 'commander';
import { createTrama } from '../../compose/lifecycle.ts';
import { StoreUnavailable } from '../../ports/store.ts';
import { keepHeapSmall, returnStartMemory } from '../server/heap.ts';
import { guard } from '../server/last-resort.ts';
import { addConfigOptions, loadSettings, type ConfigOptions } from '../server/settings.ts';
import { untilStopped } from '../server/signals.ts';
import { CliProblem, exitCodes, type Terminal } from '../terminal.ts';
import { packageVersion } from '../version.ts';

/** `trama serve`: runs until a signal stops it, then ends in order with exit code 0. */
export function defineServe(command: Command, terminal: Terminal): void {
  addConfigOptions(command)
    .addHelpText(
      'after',
      `
SIGTERM or SIGINT stops in order: no new work, calls in flight are awaited (runtime.drainTimeoutMillis), everything is
written, exit code 0. A second signal skips the waiting. Exit code 1 when the start fails, 70 after an unhandled
error: it is logged as fatal, then the server stops as with a signal, within six seconds.`,
    )
    .action(async (options: ConfigOptions) => {
      keepHeapSmall();
      const config = loadSettings(options, terminal);
      const trama = await createTrama(config, {
        env: terminal.env,
        version: packageVersion(),
        beforeListening: returnStartMemory,
      });
      const unguard = guard(trama, terminal);
      // Listens before the start: a signal during it must not kill a half-open store.
      const signals = untilStopped(() => {
        trama.hurry();
      });
      let isAsked = false;
      const stopped = signals.stopped.then(() => {
        isAsked = true;
        return trama.stop();
      });
      try {
        // The clock of `performance` began with the process.
        await trama.start(0);
      } catch (error) {
        await trama.stop();
        signals.forget();
        unguard();
        // The start was waiting for its store when a signal ended it.
        if (isAsked && error instanceof StoreUnavailable) return;
        throw new CliProblem(`Trama cannot start: ${startProblem(error)}`, exitCodes.found);
      }
      await stopped;
      signals.forget();
      unguard();
    });
}

/** A sentence for people; the codes are those of `listen`. */
function startProblem(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE') return `${message}. Something listens there already; choose another with --port.`;
  return message;
}
