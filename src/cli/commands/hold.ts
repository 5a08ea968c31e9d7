import type { Command } from 'commander';
import { isJsonObject, stringifyJson, type JsonObject } from '../../core/value/json.ts';
import { type ApiClient, asObject } from '../api-client.ts';
import { addServerOptions, clientOf, type ServerOptions } from '../server/server-options.ts';
import { tableLines } from '../view/table.ts';
import { field } from '../view/timeline.ts';
import { CliProblem, exitCodes, type Terminal } from '../terminal.ts';

interface PutOptions extends ServerOptions {
  readonly host?: string;
  readonly name?: string;
  readonly definitionVersion?: string;
  readonly reason: string;
  readonly until?: string;
}

/** `trama hold`: makes calls to a host, or of a definition, wait. */
export function defineHold(command: Command, terminal: Terminal): void {
  command.addHelpText('after', '\nExit codes: 0 done; 1 refused; 2 wrong usage or no server.');
  addServerOptions(command.command('list').description('list the holds in force'), 'print the list').action(
    async (options: ServerOptions) => {
      const client = clientOf(options, terminal);
      const holds = await standing(client);
      if (options.json === true) {
        terminal.out(stringifyJson(holds));
        return;
      }
      const rows = holds.map((hold) => [
        field(hold, 'id'),
        targetOf(hold),
        field(hold, 'until') || 'lifted',
        field(hold, 'actor'),
        field(hold, 'reason'),
      ]);
      for (const line of tableLines(['id', 'what', 'until', 'by', 'reason'], rows)) terminal.out(line);
      if (holds.length === 0) terminal.note('There are no holds.');
    },
  );
  const put = command
    .command('put')
    .description('place a hold, or replace the one with that id')
    .argument('<id>', 'its name: letters, digits, . _ -')
    .option('--host <host>', 'calls to this host, on any port if none is given')
    .option('--name <name>', 'calls of this definition')
    .option('--definition-version <version>', 'only this version of it')
    .requiredOption('--reason <text>', 'the reason; waiting calls show it')
    .option('--until <when>', 'when it ends by itself: 30m, 2h, 1d, or a time like 2030-01-31T06:00:00Z');
  addServerOptions(put, 'print the hold').action(async (id: string, options: PutOptions) => {
    const { host, name, definitionVersion: version, reason, until } = options;
    const hold = asObject(
      await clientOf(options, terminal).ask('PUT', `/holds/${encodeURIComponent(id)}`, {
        reason,
        ...(host !== undefined && { host }),
        ...(name !== undefined && { name }),
        ...(version !== undefined && { version }),
        ...(until !== undefined && { until: endOf(until, Date.now()) }),
      }),
    );
    const end = field(hold, 'until');
    terminal.out(
      options.json === true
        ? stringifyJson(hold)
        : `${id} holds ${targetOf(hold)} until ${end === '' ? `it is lifted: trama hold rm ${id}` : end}`,
    );
  });
  const remove = command.command('rm').description('lift a hold; waiting calls continue').argument('<id>', 'its name');
  addServerOptions(remove, 'print { id }').action(async (id: string, options: ServerOptions) => {
    const client = clientOf(options, terminal);
    // Lifting a hold twice is harmless, so only a look-up can detect a mistyped name.
    const ids = (await standing(client)).map((hold) => field(hold, 'id'));
    if (!ids.includes(id)) {
      const others = ids.length === 0 ? 'There are no holds.' : `Holds in force: ${ids.join(', ')}.`;
      throw new CliProblem(`There is no hold ${id}. ${others}`, exitCodes.found);
    }
    await client.ask('DELETE', `/holds/${encodeURIComponent(id)}`);
    terminal.out(options.json === true ? stringifyJson({ id }) : `${id} is lifted`);
  });
}

async function standing(client: ApiClient): Promise<readonly JsonObject[]> {
  const answer = await client.ask('GET', '/holds');
  return Array.isArray(answer) ? answer.filter(isJsonObject) : [];
}

function targetOf(hold: JsonObject): string {
  const host = field(hold, 'host');
  if (host !== '') return host;
  const version = field(hold, 'version');
  return `definition ${field(hold, 'name')}${version === '' ? '' : ` ${version}`}`;
}

const units: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function endOf(text: string, now: number): string {
  const [, amount, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (amount !== undefined && unit !== undefined)
    return new Date(now + Number(amount) * (units[unit] ?? 0)).toISOString();
  if (/^\d{4}-/.test(text)) return text;
  throw new CliProblem(`--until ${text} must be a time like 2030-01-31T06:00:00Z, or a duration like 30m, 2h or 1d.`);
}
