import type { Command } from 'commander';
import type { Terminal } from '../terminal.ts';
import { defineRedeliver } from './change.ts';

/** `trama hook`: commands for hooks that were not delivered. */
export function defineHook(command: Command, terminal: Terminal): void {
  command.addHelpText('after', '\nWhich hooks are pending or failed: trama ls --hook pending, trama ls --hook failed.');
  defineRedeliver(
    command
      .command('redeliver')
      .description('call hooks again at once; with --where those that failed, unless it names a hook'),
    terminal,
  );
}
