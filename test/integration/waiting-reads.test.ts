/** What a run that waits for its end reads from a real store: once at the end while its own process runs it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createTrama, type Trama } from '../../src/compose/lifecycle.ts';
import { loadConfig } from '../../src/config/load.ts';
import { EncodedStore } from '../../src/store/encoded-store.ts';
import { httpServer } from '../local-servers.ts';
import { PostgresServer } from '../servers/postgres.ts';
import { RedisServer } from '../servers/redis.ts';

const methods = ['getExecution', 'getProgress', 'readOutputs', 'listSteps', 'listEffects'] as const;

/** What was read since the last test began, and by which store. */
const reads: { readonly name: string; readonly store: unknown }[] = [];
beforeEach(() => {
  reads.length = 0;
  for (const name of methods) {
    const real = EncodedStore.prototype[name] as (...args: unknown[]) => unknown;
    vi.spyOn(EncodedStore.prototype, name).mockImplementation(function (this: unknown, ...args: unknown[]) {
      reads.push({ name, store: this });
      return real.apply(this, args) as never;
    });
  }
});

/** Starts a server in this process; it stops after the test. */
async function start(settings: Readonly<Record<string, string>>): Promise<Trama> {
  const flags = Object.entries({
    'server.host': '127.0.0.1',
    'server.port': '0',
    'maintenance.enabled': 'false',
    'metrics.enabled': 'false',
    'logging.level': 'silent',
    ...settings,
  }).map(([path, value]) => ({ path, value, flag: path }));
  const loaded = loadConfig({ env: {}, flags, fileText: { text: '', name: 'nothing' } });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  const trama = await createTrama(loaded.config, { env: {}, version: '0.0.0', logTo: 2 });
  onTestFinished(() => trama.stop());
  await trama.start();
  return trama;
}

/** Runs a chain of three calls, each of which takes a moment, and answers its status document. */
async function runChain({ url }: Trama): Promise<{ readonly status: string; readonly result: unknown }> {
  const downstream = await httpServer((_request, response) => {
    setTimeout(() => response.setHeader('content-type', 'application/json').end('{"done":true}'), 20);
  });
  const steps = ['a', 'b', 'c'].map((name) => ({ name, up: { url: `${downstream.url}/${name}`, verb: 'POST' } }));
  const answer = await fetch(`${url}/workflows/run?waitMillis=30000`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ definition: { name: 'chain', version: '1', steps } }),
  });
  return (await answer.json()) as { status: string; result: unknown };
}

const ended = { status: 'SUCCEEDED', result: { done: true } };
const names = (): readonly string[] => reads.map(({ name }) => name).toSorted();

describe('embedded', () => {
  it('reads the execution and its result once, at the end', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'trama-waiting-'));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    const trama = await start({ 'database.dataDir': directory });
    expect(await runChain(trama)).toMatchObject(ended);
    expect(names()).toEqual(['getExecution', 'readOutputs']);
  });
});

describe('on Postgres and Redis', () => {
  let postgres: PostgresServer;
  let redis: RedisServer;
  beforeAll(async () => {
    [postgres, redis] = await Promise.all([PostgresServer.create(), RedisServer.start()]);
  });
  afterAll(async () => {
    await redis.close();
    await postgres.remove();
  });

  const settings = async (): Promise<Readonly<Record<string, string>>> => {
    const database = await postgres.createDatabase();
    return { 'database.url': postgres.url(database), 'redis.url': `redis://127.0.0.1:${String(redis.port)}` };
  };

  it('reads the execution and its result once, at the end', async () => {
    const trama = await start({ ...(await settings()), 'redis.sharding.podId': 'alone' });
    // The first run may wait until the process has its shards.
    await runChain(trama);
    reads.length = 0;
    expect(await runChain(trama)).toMatchObject(ended);
    expect(names()).toEqual(['getExecution', 'readOutputs']);
  });

  it('finds the end of what another process runs, with a read per second', async () => {
    const shared = await settings();
    await start({ ...shared, 'redis.sharding.podId': 'worker' });
    const api = await start({ ...shared, 'redis.sharding.podId': 'api', 'runtime.enabled': 'false' });
    const began = performance.now();
    expect(await runChain(api)).toMatchObject(ended);
    const seconds = Math.ceil((performance.now() - began) / 1000);
    expect(names().filter((name) => name === 'getExecution')).toHaveLength(1);
    expect(names().filter((name) => name === 'getProgress').length).toBeLessThanOrEqual(seconds);
  });
});
