/** Every command line of `trama` and every request by curl that a document shows is one that exists. */
import { Command } from 'commander';
import { beforeAll, describe, expect, it } from 'vitest';
import { commands } from '../../src/cli/command-table.ts';
import { createTerminal } from '../../src/cli/terminal.ts';
import { filterOf } from '../../src/cli/where.ts';
import { createOfflineServer } from '../../src/compose/offline-server.ts';
import { documentedBlocks } from './documented-blocks.ts';
import { commandsIn } from './shell-commands.ts';

interface Line {
  readonly place: string;
  readonly words: readonly string[];
}

const lines: readonly Line[] = [...documentedBlocks.values()]
  .flat()
  .filter(({ language }) => ['sh', 'bash', 'shell', 'console'].includes(language))
  .flatMap(({ place, text }) => commandsIn(text).map(({ words }) => ({ place, words })));

const tramaLines = lines.flatMap(({ place, words }) => {
  if (words[0] === 'trama') return [{ place, args: words.slice(1) }];
  const isScript = words[0] === 'npm' && words[1] === 'run' && words[2] === 'trama';
  return isScript ? [{ place, args: words.slice(words[3] === '--' ? 4 : 3) }] : [];
});
const curlLines = lines.filter(({ words }) => words[0] === 'curl').map(({ place, words }) => ({ place, words }));

const terminal = createTerminal({ out: () => undefined, err: () => undefined }, {}, false);

/** Reads a command line as `trama` does, without doing anything. Throws where it is not understood. */
async function read([name = '', ...args]: readonly string[]): Promise<void> {
  if (name === 'help') return;
  const entry = commands.find((each) => each.name === name);
  if (entry === undefined) throw new Error(`There is no command ${name}.`);
  const command = new Command(name);
  (await entry.load())(command, terminal);
  let isDone = false;
  for (const each of [command, ...command.commands]) {
    each.exitOverride().configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
    if (each === command && command.commands.length > 0) continue;
    each.action(() => {
      isDone = true;
      filterOf(each.opts<{ where?: readonly string[] }>().where ?? []);
    });
  }
  await command.parseAsync(args, { from: 'user' });
  expect(isDone).toBe(true);
}

interface Route {
  readonly method: string;
  readonly path: RegExp;
  readonly parameters: ReadonlySet<string>;
}
let routes: readonly Route[] = [];

beforeAll(async () => {
  const server = createOfflineServer('0');
  const { body } = await server.inject({ url: '/openapi.json', headers: { host: 'localhost' } });
  await server.close();
  const { paths } = JSON.parse(body) as {
    paths: Record<string, Record<string, { parameters?: readonly { in: string; name: string }[] }>>;
  };
  routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { parameters = [] }]) => ({
      method: method.toUpperCase(),
      path: new RegExp(`^${path.replaceAll(/\{[^}]+\}/g, '[^/]+')}$`),
      parameters: new Set(parameters.flatMap((each) => (each.in === 'query' ? [each.name] : []))),
    })),
  );
});

const dataFlags = new Set(['-d', '--data', '--data-binary', '--json']);
const valueFlags = new Set([
  ...dataFlags,
  '-H',
  '--header',
  '-X',
  '--request',
  '-o',
  '-w',
  '-m',
  '-u',
  '--cacert',
  '--retry',
  '--retry-delay',
]);
const bareFlags = new Set([
  '-s',
  '-i',
  '-N',
  '-f',
  '-fsS',
  '-sS',
  '-sN',
  '-si',
  '-v',
  '-k',
  '-g',
  '--retry-connrefused',
]);
/** How the documents name a server of Trama. */
const base = /^"?(?:https?:\/\/)?(?:\$\{?TRAMA_URL\}?|localhost:808\d|127\.0\.0\.1:808\d|trama\.example)/;

/** The request that a line of curl makes. Throws for a flag that this does not know. */
function requestOf(words: readonly string[]): { readonly method: string; readonly url: string } {
  let method: string | undefined;
  let url = '';
  for (let at = 1; at < words.length; at++) {
    const word = words[at] ?? '';
    if (valueFlags.has(word)) {
      const value = words[++at] ?? '';
      if (word === '-X' || word === '--request') method = value;
      if (dataFlags.has(word)) method ??= 'POST';
    } else if (word.startsWith('-')) {
      if (!bareFlags.has(word)) throw new Error(`Is ${word} a flag of curl?`);
    } else url = word;
  }
  return { method: method ?? 'GET', url };
}

describe('documented command lines', () => {
  it('are found', () => {
    const first = (path: string): number => tramaLines.filter(({ place }) => place.startsWith(path)).length;
    expect([first('docs/operating/runbooks/'), first('docs/guide/'), first('README.md')].every((n) => n > 3)).toBe(
      true,
    );
    expect(curlLines.length).toBeGreaterThan(20);
  });

  it.each(tramaLines)('$place: trama $args', async ({ args }) => {
    await read(args);
  });

  it.each(curlLines)('$place: $words', ({ words }) => {
    const { method, url } = requestOf(words);
    if (!base.test(url)) return;
    const [path = '', query = ''] = url.replace(base, '').split('?');
    const fitting = routes.filter((each) => each.method === method && each.path.test(path));
    // As the server does: `/workflows/top` is no execution.
    const route = fitting.find((each) => !each.path.source.includes('[^/]+')) ?? fitting[0];
    expect(route, `${method} ${path}`).toBeDefined();
    const names = [...new URLSearchParams(query).keys()];
    expect(names.filter((name) => route?.parameters.has(name) !== true)).toEqual([]);
  });
});

describe('commands of a shell', () => {
  it('are told apart', () => {
    const text = `# a comment
A=1 trama ls --where 'a=b c' | jq '.[] | x'   # why
curl -s "$URL/<the id>?x=1" \\
  -H "A: \\"b\\"" > out.txt 2>&1 && psql -c 'it''s'; true $(echo x) &\n`;
    expect(commandsIn(text)).toEqual([
      { words: ['trama', 'ls', '--where', 'a=b c'], assignments: ['A'] },
      { words: ['jq', '.[] | x'], assignments: [] },
      { words: ['curl', '-s', '$URL/<the id>?x=1', '-H', 'A: "b"'], assignments: [] },
      { words: ['psql', '-c', 'its'], assignments: [] },
      { words: ['true', '$(echo x)'], assignments: [] },
    ]);
  });

  it('are refused where they do not exist', async () => {
    await expect(read(['ls', '--nothing'])).rejects.toThrow('unknown option');
    await expect(read(['hold', 'lift', 'x'])).rejects.toThrow();
    await expect(read(['hold', 'put', 'x'])).rejects.toThrow('--reason');
    await expect(read(['ls', '--where', 'colour=red'])).rejects.toThrow('colour');
    await expect(read(['explode'])).rejects.toThrow('no command');
  });
});
