import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { root } from './source-files.ts';

interface Instruction {
  readonly word: string;
  readonly rest: string;
}

/** Instructions of a Dockerfile: comments left out, continued lines joined. */
function parseDockerfile(text: string): readonly Instruction[] {
  const lines = text.split('\n').filter((line) => !line.startsWith('#'));
  const joined = lines.join('\n').replaceAll(/\\\n\s*/g, ' ');
  return joined.split('\n').flatMap((line) => {
    const [, word, rest] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    return word === undefined || rest === undefined ? [] : [{ word, rest }];
  });
}

/** Instructions by stage, each beginning with its FROM. */
function stagesOf(instructions: readonly Instruction[]): readonly (readonly Instruction[])[] {
  const stages: Instruction[][] = [];
  for (const instruction of instructions) {
    if (instruction.word === 'FROM') stages.push([]);
    stages.at(-1)?.push(instruction);
  }
  return stages;
}

const instructions = parseDockerfile(readFileSync(join(root, 'deploy/docker/Dockerfile'), 'utf8'));
const stages = stagesOf(instructions);
const runtime = stages.at(-1) ?? [];
const all = (word: string, from: readonly Instruction[] = instructions): readonly string[] =>
  from.filter((each) => each.word === word).map(({ rest }) => rest);

/** What of the checkout is sent to the build: names that .dockerignore lets in. */
const context = new Set(
  readFileSync(join(root, '.dockerignore'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('!'))
    .map((line) => line.slice(1)),
);

describe('the image', () => {
  it('is built from one pinned base, the Node that the project is tested on', () => {
    const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { version: string }>;
    };
    expect(all('ARG')).toEqual([`NODE_IMAGE=node:${lock.packages['node_modules/node']?.version ?? ''}-bookworm-slim`]);
    expect(all('FROM').map((rest) => rest.split(' ')[0])).toEqual(stages.map(() => '${NODE_IMAGE}'));
    expect(stages.length).toBeGreaterThan(1);
  });

  it('does not run as root, and says so in numbers', () => {
    const user = all('USER', runtime).at(-1) ?? '';
    expect(user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    // Nothing after it could undo it.
    const words = runtime.map(({ word }) => word);
    expect(words.slice(words.indexOf('USER')).filter((word) => word === 'RUN' || word === 'COPY')).toEqual([]);
  });

  it('starts without a shell, so that signals arrive', () => {
    // Options of Node are the program's own affair: see process-settings.test.ts.
    expect(JSON.parse(all('ENTRYPOINT', runtime).join(''))).toEqual(['node', '/app/dist/cli/main.js']);
    expect(JSON.parse(all('CMD', runtime).join(''))).toEqual(['serve']);
    const [health = ''] = all('HEALTHCHECK', runtime);
    expect(JSON.parse(health.slice(health.indexOf('[')))).toEqual(['node', '/app/health-check.mjs']);
  });

  it('holds no development dependency and no package manager', () => {
    const copies = all('COPY', runtime);
    expect(copies).toContain('--from=libraries /build/node_modules node_modules');
    const libraries = stages.find(([from]) => from?.rest.endsWith(' AS libraries')) ?? [];
    expect(all('RUN', libraries).join(' ')).toContain('npm ci --omit=dev --ignore-scripts');
    expect(all('RUN', runtime).join(' ')).toContain('rm -rf /usr/local/lib/node_modules');
  });

  it('copies only what exists and what .dockerignore lets in', () => {
    const sources = all('COPY')
      .filter((rest) => !rest.startsWith('--from'))
      .flatMap((rest) => rest.split(' ').slice(0, -1));
    expect(sources.length).toBeGreaterThan(5);
    expect(sources.filter((source) => !existsSync(join(root, source)))).toEqual([]);
    expect(sources.filter((source) => !context.has(source))).toEqual([]);
  });

  it('follows the rules of the trade', () => {
    expect(all('ADD')).toEqual([]);
    expect(all('WORKDIR').filter((rest) => !rest.startsWith('/'))).toEqual([]);
    expect(
      all('RUN').filter((rest) => /\bsudo\b|\bcurl\b[^|]*\|\s*sh|:latest\b|apt-get (?!.*--no-install)/.test(rest)),
    ).toEqual([]);
    expect(all('ENV').filter((rest) => /PASSWORD|SECRET|TOKEN/i.test(rest))).toEqual([]);
    expect(all('STOPSIGNAL')).toEqual(['SIGTERM']);
  });
});

describe('the health check of the image', () => {
  async function check(
    status: number | undefined,
  ): Promise<{ code: number | null; said: string; asked: readonly string[] }> {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url ?? '');
      response.writeHead(status ?? 200).end();
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const { port } = server.address() as { port: number };
    const close = (): Promise<unknown> => new Promise((resolve) => server.close(resolve));
    if (status === undefined) await close();
    else onTestFinished(async () => void (await close()));
    const script = join(root, 'deploy/docker/health-check.mjs');
    const child = spawn(process.execPath, [script], {
      env: { PORT: String(port) },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString('utf8')));
    const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
    return { code, said, asked };
  }

  it('is content with a server that lives', async () => {
    expect(await check(200)).toEqual({ code: 0, said: '', asked: ['/healthz'] });
  });

  it('is not with one whose loops stand still', async () => {
    expect(await check(503)).toMatchObject({ code: 1, said: '/healthz answered 503\n' });
  });

  it('nor with none', async () => {
    const { code, said } = await check(undefined);
    expect([code, said.includes('ECONNREFUSED')]).toEqual([1, true]);
  });
});
