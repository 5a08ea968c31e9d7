import type { Command } from 'commander';
import { stringifyJson } from '../../core/value/json.ts';
import { asObject } from '../api-client.ts';
import { executionLines } from '../view/execution-view.ts';
import { addServerOptions, clientOf, type ServerOptions } from '../server/server-options.ts';
import type { Terminal } from '../terminal.ts';
import { readHistory } from '../view/timeline.ts';

/** `trama show`: one run, with everything that a person needs to decide about it. */
export function defineShow(command: Command, terminal: Terminal): void {
  addServerOptions(command.argument('<id>', 'the run'), 'print the status document')
    .addHelpText('after', '\nExit codes: 0 shown; 1 there is no such run; 2 wrong usage or no server.')
    .action(async (id: string, options: ServerOptions) => {
      const api = clientOf(options, terminal);
      const document = asObject(await api.ask('GET', `/workflows/${encodeURIComponent(id)}`));
      if (options.json === true) {
        terminal.out(stringifyJson(document));
        return;
      }
      for (const line of executionLines(document, await readHistory(api, id), Date.now())) terminal.show(line);
    });
}
