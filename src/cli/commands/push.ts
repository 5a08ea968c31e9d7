import type { Command } from 'commander';
import { stringifyJson } from '../../core/value/json.ts';
import { asObject, textField } from '../api-client.ts';
import { readNotedDefinition } from '../documents/document-file.ts';
import { addServerOptions, clientOf, type ServerOptions } from '../server/server-options.ts';
import type { Terminal } from '../terminal.ts';

/** `trama push`: stores a definition on a server. Repeating the same content changes nothing. */
export function definePush(command: Command, terminal: Terminal): void {
  command.argument('<file>', 'a definition in JSON or YAML; - for standard input');
  addServerOptions(command, 'print the stored record')
    .addHelpText(
      'after',
      '\nStoring the same definition again is fine. A different one under the same name and version is refused (exit code 1).',
    )
    .action(async (file: string, options: ServerOptions) => {
      const record = asObject(
        await clientOf(options, terminal).ask('POST', '/workflows/definitions', readNotedDefinition(file, terminal)),
      );
      const { warnings } = record;
      for (const warning of Array.isArray(warnings) ? warnings : []) terminal.note(`Warning: ${String(warning)}`);
      if (options.json === true) terminal.out(stringifyJson(record));
      else
        terminal.out(
          `${textField(record, 'name')} ${textField(record, 'version')} is stored as ${textField(record, 'id')}.`,
        );
    });
}
