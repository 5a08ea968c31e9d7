import type { Command } from 'commander';
import type { Terminal } from '../terminal.ts';
import { packageVersion } from '../version.ts';

/** `trama version`. */
export function defineVersion(command: Command, terminal: Terminal): void {
  command.option('--json', 'print { version, node }').action(({ json }: { readonly json?: true }) => {
    const version = packageVersion();
    terminal.out(json === true ? JSON.stringify({ version, node: process.versions.node }) : version);
  });
}
