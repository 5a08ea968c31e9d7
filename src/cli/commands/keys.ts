import { type Command, Option } from 'commander';
import { randomBytes } from 'node:crypto';
import { unreadable } from '../../config/kinds.ts';
import { findKey } from '../../config/registry.ts';
import { parseInstant } from '../../core/value/instant.ts';
import { createApiKey, digestOf } from '../../security/api-keys.ts';
import { isRole, roles } from '../../security/roles.ts';
import { CliProblem, type Terminal } from '../terminal.ts';

interface CreateOptions {
  readonly id?: string;
  readonly role?: readonly string[];
  readonly definitions?: readonly string[];
  readonly expires?: string;
  readonly json?: true;
}

const dayMillis = 86_400_000;

/** `trama keys`: creates API keys. Stores nothing: the printed entry goes into the configuration. */
export function defineKeys(command: Command, terminal: Terminal): void {
  command
    .command('create')
    .summary('create an API key and print it once, with the entry for the configuration')
    .option('--id <id>', 'name of the key in the audit log (default: generated)')
    .addOption(repeatable('--role <role>', `${roles.join(', ')} (default: viewer); may be repeated`))
    .addOption(
      repeatable(
        '--definitions <glob>',
        'restrict it to definitions with a matching name, * for any characters; may be repeated',
      ),
    )
    .option('--expires <when>', 'its expiry: days from now (90d), or an ISO 8601 time with offset')
    .option('--json', 'print { key, entry }')
    .addHelpText(
      'after',
      '\nThe server keeps only the SHA-256 of a key. A lost key cannot be recovered: create another one.',
    )
    .action((options: CreateOptions) => {
      const key = createApiKey();
      const entry = entryOf(key, options);
      if (options.json === true) {
        terminal.out(JSON.stringify({ key, entry }));
        return;
      }
      terminal.outText(`The key, shown only now:\n\n  ${key}\n`);
      terminal.outText('The entry for the configuration of the server:\n');
      terminal.outText(`security:\n  auth:\n    apiKeys:\n      - ${JSON.stringify(entry)}`);
    });
}

function repeatable(flags: string, description: string): Option {
  return new Option(flags, description).argParser((value: string, earlier: readonly string[] | undefined) => [
    ...(earlier ?? []),
    value,
  ]);
}

/** The entry in the form of the configuration. */
function entryOf(key: string, { id, role = ['viewer'], definitions, expires }: CreateOptions): object {
  const unknown = role.find((name) => !isRole(name));
  if (unknown !== undefined) throw new CliProblem(`--role ${unknown} must be one of ${roles.join(', ')}.`);
  const entry = {
    id: id ?? `key-${randomBytes(4).toString('hex')}`,
    sha256: digestOf(key).toString('hex'),
    roles: role,
    ...(definitions !== undefined && { definitions }),
    ...(expires !== undefined && { expiresAt: endOf(expires) }),
  };
  const kind = findKey('security.auth.apiKeys')?.spec.kind;
  if (kind?.read([entry]) === unreadable) {
    throw new CliProblem(`The server would refuse this key; it requires ${kind.expected}.`);
  }
  return entry;
}

function endOf(expires: string): string {
  const days = /^(\d{1,5})d$/.exec(expires)?.[1];
  const at = days === undefined ? parseInstant(expires) : Date.now() + Number(days) * dayMillis;
  if (at === undefined || at <= Date.now()) {
    throw new CliProblem(
      `--expires ${expires} must be days from now such as 90d, or a later ISO 8601 time with offset.`,
    );
  }
  return new Date(at).toISOString();
}
