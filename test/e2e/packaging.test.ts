/** The checkout as npm starts it, and the package as npm packs it. */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startDownstream } from './trama-process.ts';

const root = join(import.meta.dirname, '../..');
const run = promisify(execFile);
/** The Node that the project brings comes first, as it does in every npm script. */
const env = {
  PATH: `${join(root, 'node_modules/.bin')}:${process.env['PATH'] ?? ''}`,
  HOME: process.env['HOME'],
  npm_config_update_notifier: 'false',
  npm_config_offline: 'true',
};
const longMillis = 180_000;

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'trama-packaging-'));
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

interface Started {
  readonly line: Readonly<Record<string, string>>;
  readonly pid: number;
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null; readonly out: string }>;
}

/** Starts a server and waits until it is ready. `ownGroup`: as the leader of a group of processes, as from a terminal. */
async function started(
  file: string,
  args: readonly string[],
  cwd: string,
  more: object,
  ownGroup = false,
): Promise<Started> {
  const stdio: ['ignore', 'pipe', 'pipe'] = ['ignore', 'pipe', 'pipe'];
  const child = spawn(file, args, { cwd, env: { ...env, ...more }, stdio, detached: ownGroup });
  let out = '';
  const { promise: ready, resolve, reject } = Promise.withResolvers<string>();
  const take = (text: Buffer): void => {
    out += text.toString();
    const line = /^\{.*"msg":"ready"\}$/m.exec(out)?.[0];
    if (line !== undefined) resolve(line);
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const ended = new Promise<Awaited<Started['ended']>>((over) => {
    child.on('close', (code, signal) => {
      over({ code, signal, out });
      reject(new Error(`It ended before it was ready:\n${out}`));
    });
  });
  const line = JSON.parse(await ready) as Started['line'];
  return { line, pid: child.pid ?? 0, ended };
}

describe('npm start', () => {
  it(
    'says where the data and the documentation are, and a signal to npm alone stops the server in order',
    async () => {
      const dataDir = join(directory, 'started');
      const server = await started('npm', ['start'], root, { PORT: '0', DATABASE_DATADIR: dataDir });
      expect(server.line).toMatchObject({ dataDir, documentation: join(root, 'docs/README.md') });
      expect((await fetch(`${server.line['url']}/readyz`)).status).toBe(200);
      process.kill(server.pid, 'SIGTERM');
      // The pipes are closed once the server has ended, too: it holds them.
      const { out } = await server.ended;
      expect(out).toMatch(/"msg":"stopping: no more claims"/);
      expect(out).toMatch(/"msg":"closed"/);
      await expect(fetch(`${server.line['url']}/healthz`)).rejects.toThrow('fetch failed');
    },
    longMillis,
  );
});

describe('Ctrl-C', () => {
  it(
    'to npm start waits for the call in flight, although npm hands it on a second time',
    async () => {
      const arrived = Promise.withResolvers<void>();
      const downstream = await startDownstream((_request, response) => {
        arrived.resolve();
        setTimeout(() => response.end('{}'), 2_000);
      });
      try {
        const dataDir = join(directory, 'interrupted');
        const server = await started('npm', ['start'], root, { PORT: '0', DATABASE_DATADIR: dataDir }, true);
        const steps = [{ name: 'slow', up: { url: `${downstream.url}/slow`, verb: 'POST' } }];
        const answer = await fetch(`${server.line['url']}/workflows/run`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ definition: { name: 'slow', version: '1', steps } }),
        });
        expect(answer.status).toBe(200);
        await arrived.promise;
        // As a terminal does: to the group.
        process.kill(-server.pid, 'SIGINT');
        const { out } = await server.ended;
        expect(out).toContain('"msg":"stopping: drained"');
        expect(out).not.toContain('calls in flight are given up');
      } finally {
        await downstream.close();
      }
    },
    longMillis,
  );
});

interface Manifest {
  readonly version: string;
  readonly engines: Readonly<Record<string, string>>;
  readonly bin: Readonly<Record<string, string>>;
}
interface Lock {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly devOptional?: boolean }>>;
}

describe('the package', () => {
  let home: string;
  const manifest = (): Manifest => JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as Manifest;
  const program = (): string => join(home, manifest().bin['trama'] ?? '');

  beforeAll(async () => {
    const packed = await run('npm', ['pack', '--json', '--pack-destination', directory], { cwd: root, env });
    const [{ filename }] = JSON.parse(packed.stdout.slice(packed.stdout.indexOf('['))) as [{ filename: string }];
    const modules = join(directory, 'node_modules');
    home = join(modules, 'trama');
    mkdirSync(home, { recursive: true });
    execFileSync('tar', ['-xzf', join(directory, filename), '-C', home, '--strip-components=1']);
    // What npm would install beside it: the packages that the lock file does not keep for development.
    const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lock;
    for (const [path, { dev, devOptional }] of Object.entries(packages)) {
      const name = /^node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(path)?.[1];
      if (name === undefined || dev === true || devOptional === true || !existsSync(join(root, path))) continue;
      mkdirSync(dirname(join(modules, name)), { recursive: true });
      symlinkSync(join(root, path), join(modules, name));
    }
  }, longMillis);

  it('says its version', async () => {
    const { stdout } = await run(process.execPath, [program(), '--version'], { env });
    expect(stdout).toBe(`${manifest().version}\n`);
  });

  it('has the README, what that links to, and the documents', () => {
    const readme = readFileSync(join(home, 'README.md'), 'utf8');
    const links = [...readme.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)].map(([, link = '']) => link);
    expect(links.length).toBeGreaterThan(10);
    const local = links.filter((link) => !/^https?:/.test(link));
    expect(local.filter((link) => !existsSync(join(home, link)))).toEqual([]);
    for (const path of ['LICENSE', 'CHANGELOG.md', 'docs/README.md', 'examples/first-saga/definition.json']) {
      expect([path, existsSync(join(home, path))]).toEqual([path, true]);
    }
  });

  it('serves, runs a saga, and says where its documents are', async () => {
    const dataDir = join(directory, 'packed');
    const args = [program(), 'serve', '--port', '0', '--data-dir', dataDir];
    const server = await started(process.execPath, args, directory, {});
    expect(server.line).toMatchObject({ dataDir, documentation: join(home, 'docs/README.md') });
    const file = join(directory, 'saga.json');
    const nap = { kind: 'sleep', id: 'nap', durationMillis: 1 };
    writeFileSync(file, JSON.stringify({ name: 'nap', version: '1', entrypoint: 'nap', nodes: [nap] }));
    const url = server.line['url'] ?? '';
    expect(server.line['ui']).toBe(`${url}/ui/`);
    expect(await (await fetch(`${url}/ui/`)).text()).toContain('<title>Trama</title>');
    const { stdout } = await run(process.execPath, [program(), 'run', file, '--url', url, '--wait'], { env });
    expect(stdout).toMatch(/nap 1 [\w-]{36}: SUCCEEDED/);
    process.kill(server.pid, 'SIGTERM');
    expect((await server.ended).code).toBe(0);
  });

  it('needs the Node that its message for an older one names', async () => {
    const { nodeProblem } = (await import(join(home, 'dist/cli/server/node-version.js'))) as {
      nodeProblem: (version: string) => string | undefined;
    };
    const needed = /^>=(\d+\.\d+)$/.exec(manifest().engines['node'] ?? '')?.[1] ?? '';
    expect(nodeProblem(`${needed}.0`)).toBeUndefined();
    expect(nodeProblem('20.19.0')).toContain(`Trama needs Node ${needed} or newer`);
    // The README says the same.
    expect(readFileSync(join(home, 'README.md'), 'utf8')).toContain(`Node ${needed}`);
  });
});
