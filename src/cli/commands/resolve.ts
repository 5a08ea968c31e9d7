import { type Command, Option } from 'commander';
import { stringifyJson, type Json } from '../../core/value/json.ts';
import { parseUniqueJson } from '../../core/value/unique-json.ts';
import { asObject } from '../api-client.ts';
import { addServerOptions, clientOf, type ServerOptions } from '../server/server-options.ts';
import { CliProblem, type Terminal } from '../terminal.ts';

interface ResolveOptions extends ServerOptions {
  readonly node: string;
  readonly visit?: string;
  readonly phase: string;
  readonly outcome: string;
  readonly reason: string;
  readonly body?: string;
}

/** `trama resolve`: settles by hand what Trama cannot settle. */
export function defineResolve(command: Command, terminal: Terminal): void {
  command
    .argument('<id>', 'the run')
    .requiredOption('--node <id>', 'the node')
    .option('--visit <number>', 'the visit to settle (default: the latest unsettled one)')
    .addOption(
      new Option('--phase <phase>', 'UP: the node itself; DOWN: its compensation')
        .choices(['UP', 'DOWN'])
        .makeOptionMandatory(),
    )
    .addOption(
      new Option(
        '--outcome <outcome>',
        'UP: the result of the node; DOWN: undone, or the effect stands and is accepted',
      )
        .choices(['succeeded', 'failed'])
        .makeOptionMandatory(),
    )
    .requiredOption('--reason <text>', 'the reason; the history shows it')
    .option('--body <json>', 'the answer of the node (UP)');
  addServerOptions(command, 'print { id, status }')
    .addHelpText(
      'after',
      '\nExit codes: 0 settled; 1 refused, for example with nothing to settle; 2 wrong usage or no server.',
    )
    .action(async (id: string, options: ResolveOptions) => {
      const { node, visit, phase, outcome, reason } = options;
      if (visit !== undefined && !/^[1-9]\d*$/.test(visit))
        throw new CliProblem('--visit must be a whole number from 1.');
      const answer = asObject(
        await clientOf(options, terminal).ask('POST', `/workflows/${encodeURIComponent(id)}/resolve`, {
          nodeId: node,
          phase,
          outcome,
          reason,
          ...(visit !== undefined && { visit: Number(visit) }),
          ...(options.body !== undefined && { body: bodyOf(options.body) }),
        }),
      );
      terminal.out(options.json === true ? stringifyJson(answer) : `${id}  ${node} ${phase} is settled as ${outcome}`);
    });
}

function bodyOf(text: string): Json {
  try {
    return parseUniqueJson(text);
  } catch (error) {
    throw new CliProblem(`--body must be JSON: ${error instanceof Error ? error.message : String(error)}.`);
  }
}
