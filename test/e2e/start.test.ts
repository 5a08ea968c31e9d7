/** What a server is started with, and what it loads: only that which its configuration needs. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mallocArenas, semiSpaceMib } from '../../src/cli/server/process-settings.ts';
import { maxYoungGenerationMib } from '../../src/store/sqlite/sqlite-thread.ts';
import { startTrama } from './trama-process.ts';

/** What `fixtures/seen-start.mjs` writes. */
interface Seen {
  readonly execArgv: readonly string[];
  readonly arenas?: string;
  readonly urls: readonly string[];
  readonly builtins: readonly string[];
  readonly thread?: {
    readonly resourceLimits: Readonly<Record<string, number>>;
    /** Bytes. */
    readonly heapLimit: number;
  };
}

const preload = `--import=${join(import.meta.dirname, 'fixtures/seen-start.mjs')}`;
const mib = 1024 * 1024;

/** Parts of the addresses of modules, each with what it is for. */
const optional = {
  yaml: '/node_modules/yaml/',
  tokens: '/node_modules/jose/',
  validation: '/node_modules/ajv/',
  validatorOfFastify: '/node_modules/@fastify/ajv-compiler/',
  serializerOfFastify: '/node_modules/@fastify/fast-json-stringify-compiler/',
  processSeries: '/node_modules/prom-client/',
  otherTracing: '/node_modules/@opentelemetry/',
  prettyLog: '/node_modules/pino-pretty/',
  proxy: '/undici/lib/dispatcher/proxy-agent.js',
  postgresClient: '/node_modules/pg/',
  redisClient: '/node_modules/ioredis/',
  postgres: '/store/postgres/',
  sqlite: '/store/sqlite/',
  redis: '/queue/redis/',
  tracing: '/telemetry/tracing/otlp-tracer',
  simulation: '/scenario/',
  demo: '/cli/demo/',
  apiClient: '/cli/api-client',
} as const;

const present = ({ urls }: Seen): readonly string[] =>
  Object.entries(optional).flatMap(([name, part]) => (urls.some((url) => url.includes(part)) ? [name] : []));

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'trama-start-'));
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** Starts a server, stops it once it has said `until`, and returns what was seen of it. */
async function seen(until: RegExp, env: Readonly<Record<string, string>>): Promise<Seen> {
  const file = join(directory, 'seen.json');
  const dataDir = join(directory, 'data');
  const server = startTrama(['serve', '--port', '0', '--data-dir', dataDir], {
    NODE_OPTIONS: preload,
    SEEN_START: file,
    ...env,
  });
  await server.said(until);
  server.child.kill('SIGTERM');
  expect(await server.ended).toMatchObject({ code: 0 });
  return JSON.parse(readFileSync(file, 'utf8')) as Seen;
}

it('knows the modules by names that exist', () => {
  const root = join(import.meta.dirname, '../..');
  const places = (part: string): readonly string[] => [part, `/node_modules${part}`, `/src${part}`, `/src${part}.ts`];
  const unknown = Object.values(optional).filter((part) => !places(part).some((path) => existsSync(join(root, path))));
  expect(unknown).toEqual([]);
});

describe('the embedded default', () => {
  let start: Seen;
  beforeAll(async () => {
    start = await seen(/"msg":"ready"/, {});
  });

  it('runs with the settings of V8 and the C library, however it is started', () => {
    expect(start.execArgv).toEqual([`--max-semi-space-size=${String(semiSpaceMib)}`]);
    expect(start.arenas).toBe(String(mallocArenas));
  });

  it('loads nothing that it does not need', () => {
    expect(start.urls.length).toBeGreaterThan(200);
    expect(present(start)).toEqual(['sqlite']);
  });

  it("gives the store's thread bounds of its own, which those of the process do not override", () => {
    expect(start.thread?.resourceLimits).toMatchObject({ maxYoungGenerationSizeMb: maxYoungGenerationMib });
    const { maxOldGenerationSizeMb = 0 } = start.thread?.resourceLimits ?? {};
    expect((start.thread?.heapLimit ?? 0) / mib - maxOldGenerationSizeMb).toBe(maxYoungGenerationMib);
  });
});

it('on Postgres alone, loads neither the embedded store nor the client of Redis', async () => {
  const start = await seen(/the store is away/, { DATABASE_URL: 'postgres://trama@127.0.0.1:1/trama' });
  expect(present(start)).toEqual(['postgresClient', 'postgres']);
  expect(start.builtins.filter((name) => /\bsqlite\b/.test(name))).toEqual([]);
});

it('runs with a semi-space and arenas that its environment names', async () => {
  const start = await seen(/"msg":"ready"/, {
    NODE_OPTIONS: `--max-semi-space-size=8 ${preload}`,
    MALLOC_ARENA_MAX: '7',
  });
  expect(start.execArgv).toEqual([]);
  expect(start.arenas).toBe('7');
});
