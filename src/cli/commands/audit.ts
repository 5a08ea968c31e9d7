import type { Command } from 'commander';
import { isJsonObject, stringifyJson } from '../../core/value/json.ts';
import { addServerOptions, clientOf, type ServerOptions } from '../server/server-options.ts';
import { tableLines } from '../view/table.ts';
import { detailsText, field } from '../view/timeline.ts';
import { CliProblem, type Terminal } from '../terminal.ts';

interface AuditOptions extends ServerOptions {
  readonly actor?: string;
  readonly action?: string;
  readonly target?: string;
  readonly limit?: string;
  readonly cursor?: string;
}

/** `trama audit`: the changes of a run, or of anything, and who made them. */
export function defineAudit(command: Command, terminal: Terminal): void {
  command
    .argument('[id]', 'the run; without it the whole log, which needs the role admin')
    .option('--actor <actor>', 'without an id: only changes by this actor, such as key:alice')
    .option('--action <action>', 'without an id: only changes of this kind, such as execution.cancel or hold.put')
    .option('--target <id>', 'without an id: only changes of this target, such as the name of a hold');
  addServerOptions(command, 'print the list as the server returns it')
    .option('--limit <number>', 'the most rows to list, up to 200 (default: 50)')
    .option('--cursor <cursor>', 'go on after an earlier page')
    .addHelpText('after', '\nExit codes: 0 shown; 1 refused, or there is no such run; 2 wrong usage or no server.')
    .action(async (id: string | undefined, options: AuditOptions) => {
      const { actor, action, target, limit, cursor: from } = options;
      if (id !== undefined && (actor ?? action ?? target) !== undefined) {
        throw new CliProblem('--actor, --action and --target do not work with an id.');
      }
      const query = new URLSearchParams();
      for (const [name, value] of Object.entries({ actor, action, id: target, limit, cursor: from })) {
        if (value !== undefined) query.set(name, value);
      }
      const path = id === undefined ? '/audit' : `/workflows/${encodeURIComponent(id)}/audit`;
      const { answer, cursor } = await clientOf(options, terminal).page(`${path}?${query.toString()}`);
      if (options.json === true) terminal.out(stringifyJson(answer));
      else {
        const rows = Array.isArray(answer) ? answer.filter(isJsonObject) : [];
        const head = ['at', 'who', 'what', ...(id === undefined ? ['id'] : []), 'outcome', 'from', 'details'];
        const table = tableLines(
          head,
          rows.map((row) => [
            ...['at', 'actor', 'action', ...(id === undefined ? ['id'] : []), 'outcome', 'address'].map((name) =>
              field(row, name),
            ),
            detailsText(row),
          ]),
        );
        for (const line of table) terminal.show(line);
        if (rows.length === 0) terminal.note('The audit log has no such entry.');
      }
      if (cursor !== undefined) terminal.note(`There are more: --cursor ${cursor}`);
    });
}
