import type { Command } from 'commander';
import { migrateStore } from '../../compose/promotion/migrate-store.ts';
import { StoreUnavailable } from '../../ports/store.ts';
import {
  addConfigOptions,
  configProblems,
  loadSettings,
  readSettings,
  type ConfigOptions,
} from '../server/settings.ts';
import { CliProblem, exitCodes, type Terminal } from '../terminal.ts';

/** `trama migrate`: migrates the store's schema; the server does the same at its start. */
export function defineMigrate(command: Command, terminal: Terminal): void {
  addConfigOptions(command)
    .option('--check', 'change nothing; exit code 1 when the store is not up to date, 2 when the check fails')
    .option('--adopt-queue', "move the store to this configuration's queue; stop all of its workers first")
    .addHelpText(
      'after',
      '\nThe server migrates at its start, so this command only checks or migrates in advance. Stop the server first.',
    )
    .action(async (options: ConfigOptions & { readonly check?: true; readonly adoptQueue?: true }) => {
      const isCheck = options.check === true;
      if (isCheck) {
        const loaded = readSettings(options, terminal);
        if (!loaded.ok) throw new CliProblem(configProblems(loaded.problems));
      }
      const config = loadSettings(options, terminal);
      const began = performance.now();
      const ticks = setInterval(() => {
        terminal.progress(`migrating for ${String(Math.round((performance.now() - began) / 1000))} s`);
      }, 1000);
      try {
        const action = isCheck ? 'check' : options.adoptQueue === true ? 'adopt-queue' : 'migrate';
        const place = await migrateStore(config, action, (pending) => {
          if (pending.length > 0) terminal.note(`These migrations run now: ${pending.join(', ')}.`);
        });
        terminal.show(`The store in ${place} is up to date.`);
      } catch (error) {
        const isUnknown = isCheck && error instanceof StoreUnavailable;
        throw new CliProblem(
          error instanceof Error ? error.message : String(error),
          isUnknown ? exitCodes.wrong : exitCodes.found,
        );
      } finally {
        clearInterval(ticks);
      }
    });
}
