import type { Command } from 'commander';
import { definitionJsonSchema } from '../../core/definition/shape/json-schema.ts';
import type { Terminal } from '../terminal.ts';

/** `trama schema`: offline, the same document as the server's `/schema/definition.json`. */
export function defineSchema(command: Command, terminal: Terminal): void {
  command.addHelpText('after', '\nPoint an editor at it to get completion and checks for definitions.').action(() => {
    terminal.outText(JSON.stringify(definitionJsonSchema(), null, 2));
  });
}
