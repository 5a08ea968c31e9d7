/** Options of commands that speak to a server, and the client that they make. */
import { type Command, Option } from 'commander';
import { createApiClient, credentialOf, type PagingClient, serverUrl } from './api-client.ts';
import { CliProblem, type Terminal } from './terminal.ts';

/** The options as commander hands them over. */
export interface ServerOptions {
  readonly url?: string;
  readonly apiKey?: string;
  readonly json?: true;
}

/** Adds the options. `json` says what `--json` prints. */
export function addServerOptions(command: Command, json: string): Command {
  return command
    .option('--url <url>', 'the server (default: TRAMA_URL)')
    .addOption(
      new Option('--api-key <key>', 'the key to ask with (default: TRAMA_API_KEY, which no list of processes shows)'),
    )
    .option('--json', json);
}

/**
 * The client of the server that the options name.
 *
 * @throws CliProblem when none is named.
 */
export function clientOf(options: ServerOptions, terminal: Terminal): PagingClient {
  const url = serverUrl(options.url, terminal);
  if (url === undefined) throw new CliProblem('Give the server with --url or TRAMA_URL.');
  return createApiClient(url, credentialOf(options.apiKey, terminal));
}
