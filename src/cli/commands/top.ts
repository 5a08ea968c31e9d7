import type { Command } from 'commander';
import { isJsonObject, ownProperty, stringifyJson, type JsonObject } from '../../core/value/json.ts';
import { asObject } from '../api-client.ts';
import { addServerOptions, clientOf, type ServerOptions } from '../server/server-options.ts';
import { tableLines } from '../view/table.ts';
import { field } from '../view/timeline.ts';
import type { Terminal } from '../terminal.ts';
import { filterOf, hostOption, queryOf, whereOption } from '../where.ts';

interface TopOptions extends ServerOptions {
  readonly where?: readonly string[];
  readonly host?: string;
  readonly limit?: string;
}

/** The lists of the answer, with the headings of their tables. */
const lists = [
  ['statuses', 'status'],
  ['waits', 'waits as'],
  ['names', 'definition'],
  ['reasons', 'reason'],
  ['nodes', 'node'],
  ['hosts', 'host'],
] as const;

/** `trama top`: the number of runs by status, definition, reason, node and host. */
export function defineTop(command: Command, terminal: Terminal): void {
  addServerOptions(
    command.addOption(whereOption()).addOption(hostOption()),
    'print the counts as the server returns them',
  )
    .option('--limit <number>', 'rows of each table, up to 100 (default: 10)')
    .addHelpText(
      'after',
      `
Without a status in --where, runs that succeeded are left out. The node is where a run stands, or failed; the host is the one that
its call waits for, or failed at. Exit codes: 0 counted, also when nothing matches; 1 refused; 2 wrong usage or no server.`,
    )
    .action(async (options: TopOptions) => {
      const query = queryOf(filterOf(options.where ?? [], options.host));
      if (options.limit !== undefined) query.set('limit', options.limit);
      const answer = asObject(await clientOf(options, terminal).ask('GET', `/workflows/top?${query.toString()}`));
      if (options.json === true) {
        terminal.out(stringifyJson(answer));
        return;
      }
      for (const line of topLines(answer)) terminal.show(line);
      const counted = field(answer, 'counted');
      if (counted === '0') terminal.note('Nothing matches.');
      else if (ownProperty(answer, 'more') === true)
        terminal.note(`These are the newest ${counted} that match; there are more.`);
    });
}

function topLines(answer: JsonObject): readonly string[] {
  return lists.flatMap(([name, head]) => {
    const rows = ownProperty(answer, name);
    const table = tableLines(
      ['count', head],
      (Array.isArray(rows) ? rows.filter(isJsonObject) : []).map((row) => [
        field(row, 'count').padStart(5),
        field(row, 'value'),
      ]),
    );
    return table.length === 0 ? [] : [...table, ''];
  });
}
