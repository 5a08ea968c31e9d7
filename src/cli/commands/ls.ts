import type { Command } from 'commander';
import { isJsonObject, ownProperty, stringifyJson, type Json, type JsonObject } from '../../core/value/json.ts';
import type { PagingClient } from '../api-client.ts';
import { addServerOptions, clientOf, type ServerOptions } from '../server/server-options.ts';
import { tableLines } from '../view/table.ts';
import { field } from '../view/timeline.ts';
import type { Terminal } from '../terminal.ts';
import { filterOf, hostOption, queryOf, whereOption } from '../where.ts';

interface ListOptions extends ServerOptions {
  readonly where?: readonly string[];
  readonly host?: string;
  readonly hook?: string;
  readonly parent?: string;
  readonly root?: boolean;
  readonly limit?: string;
  readonly cursor?: string;
}

/** `trama ls`: the runs of a server, newest first. */
export function defineLs(command: Command, terminal: Terminal): void {
  addServerOptions(command.addOption(whereOption()).addOption(hostOption()), 'print the list as the server returns it')
    .option('--hook <state>', 'only runs whose hook is pending, or failed; the same as --where hook=<state>')
    .option('--parent <id>', 'only runs that this run started itself; the same as --where parent=<id>')
    .option('--root', 'only runs that no other run started; the same as --where root=true')
    .option('--limit <number>', 'the most rows to list, up to 200 (default: 50)')
    .option('--cursor <cursor>', 'go on after an earlier page')
    .addHelpText('after', '\nExit codes: 0 listed, also when nothing matches; 1 refused; 2 wrong usage or no server.')
    .action(async (options: ListOptions) => {
      const query = queryOf(filterOf([...(options.where ?? []), ...abbreviated(options)], options.host));
      if (options.limit !== undefined) query.set('limit', options.limit);
      if (options.cursor !== undefined) query.set('cursor', options.cursor);
      const { rows, cursor } = await readPage(clientOf(options, terminal), query);
      if (options.json === true) terminal.out(stringifyJson(rows));
      else {
        const head = ['id', 'status', 'name', 'version', 'started', 'why'];
        const table = tableLines(
          head,
          rows
            .filter(isJsonObject)
            .map((row) => [
              ...['id', 'status', 'name', 'version', 'startedAt'].map((name) => field(row, name)),
              whyText(row),
            ]),
        );
        for (const line of table) terminal.show(line);
        if (rows.length === 0) terminal.note(cursor === undefined ? 'Nothing matches.' : 'Nothing matches so far.');
      }
      if (cursor !== undefined) terminal.note(`There are more: --cursor ${cursor}`);
    });
}

/** The options that abbreviate `--where`. */
function abbreviated({ hook, parent, root }: ListOptions): readonly string[] {
  return [
    ...(hook === undefined ? [] : [`hook=${hook}`]),
    ...(parent === undefined ? [] : [`parent=${parent}`]),
    ...(root === true ? ['root=true'] : []),
  ];
}

/** Bound of the pages read for one list: a filter that few runs match makes them short, or empty. */
const maxPages = 20;

/** One page for the user: the server may end its own earlier, because it bounds the work of one request. */
async function readPage(
  api: PagingClient,
  query: URLSearchParams,
): Promise<{ readonly rows: readonly Json[]; readonly cursor?: string }> {
  const rows: Json[] = [];
  const wanted = Number(query.get('limit') ?? 50);
  for (let page = 1; ; page++) {
    const { answer, cursor } = await api.page(`/workflows?${query.toString()}`);
    if (Array.isArray(answer)) rows.push(...(answer as readonly Json[]));
    if (cursor === undefined) return { rows };
    if (!(rows.length < wanted) || page === maxPages) return { rows, cursor };
    query.set('limit', String(wanted - rows.length));
    query.set('cursor', cursor);
  }
}

/** Why a run did not succeed, and where; of a CORRUPTED run, whose compensation failed. */
function whyText(row: JsonObject): string {
  const reason = field(row, 'reason');
  const failed = ownProperty(row, 'failedCompensations');
  const [first, ...others] = Array.isArray(failed) ? failed.filter(isJsonObject) : [];
  if (reason === 'compensation' && first !== undefined) {
    return `${reason} of ${field(first, 'nodeId')}${others.length === 0 ? '' : ` and ${String(others.length)} more`}`;
  }
  return [reason, field(row, 'failedNodeId') && `at ${field(row, 'failedNodeId')}`].filter(Boolean).join(' ');
}
