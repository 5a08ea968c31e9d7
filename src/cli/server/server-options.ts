/** Options of commands that talk to a server, and their client. */
import { type Command, Option } from 'commander';
import { createApiClient, credentialOf, type PagingClient, serverUrl } from '../api-client.ts';
import type { Terminal } from '../terminal.ts';

/** The default address of `trama serve`. */
const localServer = 'http://127.0.0.1:8080';

/** The options as commander passes them. */
export interface ServerOptions {
  readonly url?: string;
  readonly apiKey?: string;
  readonly json?: true;
}

/** Adds the options. `json` describes what `--json` prints. */
export function addServerOptions(command: Command, json: string): Command {
  return command
    .option('--url <url>', `the server (default: TRAMA_URL, else ${localServer})`)
    .addOption(new Option('--api-key <key>', 'the API key (default: TRAMA_API_KEY, which process lists do not show)'))
    .option('--json', json);
}

/**
 * The client of the server that the options name, or of the one on this machine at the default address.
 *
 * @throws CliProblem when an option is no URL.
 */
export function clientOf(options: ServerOptions, terminal: Terminal): PagingClient {
  const url = serverUrl(options.url, terminal);
  const credential = credentialOf(options.apiKey, terminal);
  if (url === undefined)
    return createApiClient(localServer, credential, ['Name another server with --url or TRAMA_URL.']);
  return createApiClient(url, credential);
}
