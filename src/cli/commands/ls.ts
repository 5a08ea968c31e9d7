import type { Command } from 'commander';
import { isJsonObject, stringifyJson } from '../../core/json.ts';
import { addServerOptions, clientOf, type ServerOptions } from '../server-options.ts';
import { tableLines } from '../table.ts';
import { field } from '../timeline.ts';
import type { Terminal } from '../terminal.ts';
import { filterOf, queryOf, whereOption } from '../where.ts';

interface ListOptions extends ServerOptions {
  readonly where?: readonly string[];
  readonly hook?: string;
  readonly limit?: string;
  readonly cursor?: string;
}

/** `trama ls`: the runs of a server, newest first. */
export function defineLs(command: Command, terminal: Terminal): void {
  addServerOptions(command.addOption(whereOption()), 'print the list as the server gives it')
    .option('--hook <state>', 'only runs whose hook is pending, or failed; the same as --where hook=<state>')
    .option('--limit <number>', 'how many at most, up to 200 (default: 50)')
    .option('--cursor <cursor>', 'go on after an earlier page')
    .addHelpText('after', '\nExit codes: 0 listed, also when nothing matches; 1 refused; 2 wrong usage or no server.')
    .action(async (options: ListOptions) => {
      const query = queryOf(
        filterOf([...(options.where ?? []), ...(options.hook === undefined ? [] : [`hook=${options.hook}`])]),
      );
      if (options.limit !== undefined) query.set('limit', options.limit);
      if (options.cursor !== undefined) query.set('cursor', options.cursor);
      const { answer, cursor } = await clientOf(options, terminal).page(`/workflows?${query.toString()}`);
      if (options.json === true) terminal.out(stringifyJson(answer));
      else {
        const rows = Array.isArray(answer) ? answer.filter(isJsonObject) : [];
        const head = ['id', 'status', 'name', 'version', 'started', 'why'];
        const table = tableLines(
          head,
          rows.map((row) => [
            ...['id', 'status', 'name', 'version', 'startedAt'].map((name) => field(row, name)),
            [
              field(row, 'reason'),
              field(row, 'failedNodeId') && `at ${field(row, 'failedNodeId')}`,
              field(row, 'callbackWarning'),
            ]
              .filter(Boolean)
              .join(' '),
          ]),
        );
        for (const line of table) terminal.out(line);
        if (rows.length === 0) terminal.note(cursor === undefined ? 'Nothing matches.' : 'Nothing matches so far.');
      }
      if (cursor !== undefined) terminal.note(`There are more: --cursor ${cursor}`);
    });
}
