import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { commands } from './command-table.ts';
import { nodeProblem } from './server/node-version.ts';
import { runCli } from './program.ts';
import { createTerminal, type Terminal } from './terminal.ts';

interface Spoken {
  readonly code: number;
  readonly out: string;
  readonly notes: string;
}

const root = join(import.meta.dirname, '../..');

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'trama-cli-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

async function trama(args: readonly string[], env: Terminal['env'] = {}): Promise<Spoken> {
  const out: string[] = [];
  const notes: string[] = [];
  const streams = { out: (text: string) => out.push(text), err: (text: string) => notes.push(text) };
  // A file of the checkout must not have a say here.
  const terminal = createTerminal(streams, { TRAMA_CONFIG: write('empty.yaml', ''), ...env }, false);
  const code = await runCli(args, terminal);
  return { code, out: out.join('').trimEnd(), notes: notes.join('').trimEnd() };
}

function write(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

const good = JSON.stringify({
  name: 'a',
  version: '1',
  steps: [{ name: 's', up: { url: 'http://localhost/s', verb: 'GET' } }],
});

describe('the command line', () => {
  it('lists every command in its help', async () => {
    const { code, out } = await trama(['--help']);
    expect(code).toBe(0);
    for (const { name, summary } of commands) {
      expect(out).toContain(`  ${name} `);
      expect(out.replaceAll(/\s+/g, ' ')).toContain(summary);
    }
    expect(out).toContain('Exit codes: 0');
  });

  it('helps with every command', async () => {
    for (const { name } of commands) {
      const { code, out } = await trama([name, '--help']);
      expect([name, code]).toEqual([name, 0]);
      expect(out).toContain(`Usage: trama ${name}`);
    }
  });

  it.each([
    [['vrsion'], 'Did you mean version?'],
    [['version', '--jsn'], 'Did you mean --json?'],
    [['validate'], "missing required argument 'file'"],
    [['serve', 'now'], 'too many arguments'],
    [['config', '--set', 'x'], '--set x must have the form key=value.'],
    [['config', '--set', 'redis.password:secret'], '--set redis.password must have the form key=value.'],
    [['push', 'a.yaml', '--url', 'localhost:1'], '--url must be an http or https URL, not localhost:1.'],
    [['push', 'a.yaml', '--url', 'http://me:secret@localhost:1'], '--url must contain no user info; use --api-key'],
    [['push', 'a.yaml', '--url', 'me:secret@localhost:1'], '--url must contain no user info; use --api-key'],
    [['run', 'nowhere.yaml'], 'nowhere.yaml cannot be read: ENOENT'],
    [['validate', 'nowhere.yaml', '--json'], ''],
    [
      ['run', join(root, 'examples/order-fulfilment/definition.json'), '--label', 'a=1', '--label', 'a=2'],
      '--label a is given twice.',
    ],
    [
      ['run', join(root, 'examples/order-fulfilment/definition.json'), '--payload', '{"a":1,"a":2}'],
      'a: This key stands twice in its object',
    ],
    [
      ['run', join(root, 'examples/order-fulfilment/definition.json'), '--payload', '{x'],
      '--payload must be JSON, or @',
    ],
  ])('answers wrong usage with exit code 2: %j', async (args, note) => {
    const { code, notes } = await trama(args);
    expect(code).toBe(2);
    expect(notes).toContain(note);
  });

  it('says its version', async () => {
    const { code, out } = await trama(['version']);
    expect([code, out]).toEqual([0, expect.stringMatching(/^\d+\.\d+\.\d+/)]);
    expect(JSON.parse((await trama(['version', '--json'])).out)).toEqual({
      version: out,
      node: process.versions.node,
    });
  });
});

describe('trama validate', () => {
  it('lists every problem of every file', async () => {
    const files = [
      write('good.json', good),
      write('bad.yaml', 'name: a\nversion: latest\nsteps: []'),
      write('no.json', '{'),
      write('empty.yaml', '\n'),
    ];
    const { code, out } = await trama(['validate', ...files]);
    expect(code).toBe(1);
    expect(out).toContain(`${files[0]}: valid`);
    expect(out).toMatch(/bad\.yaml: \d problems/);
    expect(out).toContain('- version: ');
    expect(out).toContain('is not JSON');
    expect(out).toContain('empty.yaml is empty.');
  });

  it('prints one JSON document', async () => {
    const file = write('good.json', good);
    const { code, out } = await trama(['validate', '--json', file]);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual({ valid: true, files: [{ file, valid: true, errors: [], warnings: [] }] });
  });

  it('takes a definition whose nodes are no list for a definition all the same', async () => {
    const file = write('map.json', JSON.stringify({ name: 'a', version: '1', entrypoint: 'a', nodes: { a: {} } }));
    const { code, out } = await trama(['validate', file]);
    expect(code).toBe(1);
    expect(out).toContain('- nodes: Must be a list');
  });

  it('takes warnings as errors when it is strict', async () => {
    const step = (name: string): object => ({ name, up: { url: 'http://localhost/', verb: 'POST', body: {} } });
    const file = write('w.json', JSON.stringify({ name: 'a', version: '1', steps: [step('x'), step('y')] }));
    expect((await trama(['validate', file])).code).toBe(0);
    const strict = await trama(['validate', '--strict', '--json', file]);
    expect(strict.code).toBe(1);
    expect(JSON.parse(strict.out).files[0].errors.length).toBeGreaterThan(0);
  });
});

describe('trama config', () => {
  it('prints values with their sources, secrets redacted', async () => {
    const env = { PORT: '9000', RUNTIME_CALLBACK_HMACSECRET: 'a secret of some length, and more' };
    const { code, out, notes } = await trama(['config', '--set', 'logging.level=warn'], env);
    expect([code, notes]).toEqual([0, '']);
    expect(out).toMatch(/^server\.port +9000 +environment variable PORT$/m);
    expect(out).toMatch(/^logging\.level +warn +flag --set logging\.level$/m);
    expect(out).toMatch(/^runtime\.callback\.hmacSecret +\*\*\* +environment variable/m);
    expect(out).not.toContain('a secret of some length, and more');
  });

  it('lists every problem and exits with 1', async () => {
    const bad = write('bad.yaml', 'server: { port: x }\nnope: 1');
    const plain = await trama(['config', '--config', bad]);
    expect(plain.code).toBe(1);
    expect(plain.notes).toContain('The configuration has 2 problems:');
    const json = JSON.parse((await trama(['config', '--config', bad, '--json'])).out);
    expect(json.ok).toBe(false);
    expect(json.problems).toHaveLength(2);
  });
});

describe('documents of the API', () => {
  it('are printed offline', async () => {
    const openapi = await trama(['openapi']);
    expect(openapi.code).toBe(0);
    expect(JSON.parse(openapi.out).paths).toHaveProperty('/workflows/run');
    const schema = await trama(['schema']);
    expect(JSON.parse(schema.out).$schema).toBe('https://json-schema.org/draft/2020-12/schema');
  });
});

describe('the version of Node', () => {
  it.each([
    ['20.20.2', true],
    ['22.18.0', true],
    ['22.19.0', false],
    ['24.0.0', false],
  ])('%s is refused: %s', (version, isRefused) => {
    expect(nodeProblem(version) !== undefined).toBe(isRefused);
  });
});
