/** The table of roles in the documentation is the one by which requests are let in. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { expect, it } from 'vitest';
import { defineKeys } from '../../src/cli/commands/keys.ts';
import { createTerminal } from '../../src/cli/terminal.ts';
import { createOfflineServer } from '../../src/compose/offline-server.ts';
import { root } from './source-files.ts';

interface Operation {
  readonly description?: string;
}

const page = (path: string): string => readFileSync(join(root, path), 'utf8');

it('every route that needs a role is in the table, with that role', async () => {
  const server = createOfflineServer('0');
  const { body } = await server.inject({ url: '/openapi.json', headers: { host: 'localhost' } });
  await server.close();
  const { paths } = JSON.parse(body) as { paths: Record<string, Record<string, Operation>> };
  const needed = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { description = '' }]) => {
      const role = /^Needs the role (\w+)(?:\.|, and)/.exec(description)?.[1];
      return role === undefined ? [] : [`${method.toUpperCase()} ${path} ${role}`];
    }),
  );
  const rows = [...page('docs/operating/security.md').matchAll(/^\| `([A-Z]+ \/[^`]+)` \| (\w+) \|$/gm)];
  expect(needed.length).toBeGreaterThan(20);
  expect(rows.map(([, route = '', role = '']) => `${route} ${role}`).toSorted()).toEqual(needed.toSorted());
});

it('every flag of `trama keys create` is explained', () => {
  const terminal = createTerminal({ out: () => undefined, err: () => undefined }, {}, false);
  const command = new Command('keys');
  defineKeys(command, terminal);
  const flags = command.commands.flatMap((one) => one.options.map((option) => `\`${option.flags}\``));
  expect(flags).toHaveLength(5);
  const text = page('docs/guide/command-line.md');
  expect(flags.filter((flag) => !text.includes(`| ${flag} |`))).toEqual([]);
});
