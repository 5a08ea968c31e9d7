import type { Command } from 'commander';
import { stringifyJson } from '../../core/json.ts';
import { asObject, createApiClient, credentialOf, serverUrl, textField } from '../api-client.ts';
import { readDocumentFile } from '../document-file.ts';
import { CliProblem, type Terminal } from '../terminal.ts';

/** `trama push`: stores a definition on a server. The same content again changes nothing. */
export function definePush(command: Command, terminal: Terminal): void {
  command
    .argument('<file>', 'a definition in JSON or YAML; - for standard input')
    .option('--url <url>', 'the server (default: TRAMA_URL)')
    .option('--api-key <key>', 'API key or token for the server (default: TRAMA_API_KEY)')
    .option('--json', 'print the stored record')
    .addHelpText(
      'after',
      '\nThe same definition again is fine. Another one under the same name and version is refused (exit code 1).',
    )
    .action(
      async (file: string, options: { readonly url?: string; readonly apiKey?: string; readonly json?: true }) => {
        const url = serverUrl(options.url, terminal);
        if (url === undefined) throw new CliProblem('Give the server with --url or TRAMA_URL.');
        const api = createApiClient(url, credentialOf(options.apiKey, terminal));
        const record = asObject(await api.ask('POST', '/workflows/definitions', readDocumentFile(file)));
        const { warnings } = record;
        for (const warning of Array.isArray(warnings) ? warnings : []) terminal.note(`Warning: ${String(warning)}`);
        if (options.json === true) terminal.out(stringifyJson(record));
        else
          terminal.out(
            `${textField(record, 'name')} ${textField(record, 'version')} is stored as ${textField(record, 'id')}.`,
          );
      },
    );
}
