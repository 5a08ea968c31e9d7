/** Opening the store: databases of other versions, several servers of which some take no writes, TLS, the sole worker. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { SoleWorkerCandidacy, SoleWorkerListener } from '../../src/ports/processes.ts';
import type { DueRow } from '../../src/ports/records.ts';
import { PostgresStore } from '../../src/store/postgres/postgres-store.ts';
import type { PostgresStoreOptions } from '../../src/store/postgres/connection/options.ts';
import { idOf, newExecution, start } from '../contract/fixtures/executions.ts';
import { authority, clientCertificate, clientKey, serverCertificate, serverKey } from '../certificates.ts';
import { PostgresServer } from '../servers/postgres.ts';

let server: PostgresServer;
let other: PostgresServer;
beforeAll(async () => {
  [server, other] = await Promise.all([PostgresServer.create(), PostgresServer.create()]);
});
afterAll(() => Promise.all([server.remove(), other.remove()]));

const deaf: SoleWorkerListener = { lost: () => undefined, rung: () => undefined, freed: () => undefined };

function candidate(store: PostgresStore, listener: Partial<SoleWorkerListener> = {}): SoleWorkerCandidacy {
  return store.soleWorker({ ...deaf, ...listener }, 1_000);
}

/** A store that is closed after the test. */
function storeOn(url: string, options: Partial<PostgresStoreOptions> = {}): PostgresStore {
  const store = new PostgresStore({ url, maxConnections: 4, ...options });
  onTestFinished(() => store.close());
  return store;
}

describe('the schema', () => {
  it('is not made without leave', async () => {
    const database = await server.createDatabase();
    const store = storeOn(server.url(database), { migrate: false });
    expect(await store.pendingMigrations()).toEqual([
      '0001 initial schema',
      '0002 audit log',
      '0003 calls in the rows of their steps',
      '0004 ordered lists',
      '0005 callback keys',
      '0006 processes',
      '0007 listed outputs',
      '0008 pending hooks',
      '0009 lean history',
      '0010 families',
    ]);
    await expect(store.open()).rejects.toThrow(/pending.*has schema 0.*needs 10.*trama migrate/);
    expect(
      await server.query("SELECT count(*)::int AS count FROM pg_class WHERE relname = 'execution'", database),
    ).toEqual([{ count: 0 }]);
    await storeOn(server.url(database)).open();
    expect(await store.pendingMigrations()).toEqual([]);
    await store.open();
  });

  it('is made once by several processes that start at the same time', async () => {
    const database = await server.createDatabase();
    const stores = [1, 2, 3, 4].map(() => storeOn(server.url(database)));
    await Promise.all(stores.map((store) => store.open()));
    expect(await server.query('SELECT version FROM migration', database)).toEqual([
      { version: 1 },
      { version: 2 },
      { version: 3 },
      { version: 4 },
      { version: 5 },
      { version: 6 },
      { version: 7 },
      { version: 8 },
      { version: 9 },
      { version: 10 },
    ]);
    expect(await stores[0]?.submit([newExecution(1)])).toEqual([{ kind: 'created' }]);
  });

  it('has partitions of the running month and the next from the beginning', async () => {
    const database = await server.createDatabase();
    const store = storeOn(server.url(database));
    await store.open();
    const now = new Date(await store.ping());
    expect(await store.tendPartitions({ now: now.getTime(), lookaheadMonths: 1, completedBefore: 0 })).toEqual({
      created: 0,
      dropped: 0,
    });
  });

  it('has the indexes whose use is documented, and no others', async () => {
    const database = await server.createDatabase();
    await storeOn(server.url(database)).open();
    const rows = await server.query(
      `SELECT c.relname AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
       WHERE c.relnamespace = current_schema()::regnamespace AND NOT c.relispartition`,
      database,
    );
    const text = readFileSync(new URL('../../docs/stores.md', import.meta.url), 'utf8');
    const documented = Array.from(text.matchAll(/^\| `(\w+)` \| .+ \|$/gmu), ([, name]) => name);
    expect(new Set(documented)).toEqual(new Set(rows.map(({ name }) => name)));
  });

  it('may be newer where the newer one says so', async () => {
    const database = await server.createDatabase();
    await storeOn(server.url(database)).open();
    await server.query(`INSERT INTO migration (version, title, needed_version) VALUES (11, 'more', 1)`, database);
    const store = storeOn(server.url(database), { migrate: false });
    await store.open();
    expect(await store.submit([newExecution(1)])).toEqual([{ kind: 'created' }]);
  });

  it.each([true, false])('is refused where a newer one is needed (migrating: %s)', async (migrate) => {
    const database = await server.createDatabase();
    await storeOn(server.url(database)).open();
    await server.query(`INSERT INTO migration (version, title, needed_version) VALUES (11, 'other', 11)`, database);
    const store = storeOn(server.url(database), { migrate });
    await expect(store.open()).rejects.toThrow(/schema 11 of a newer version.*Start that version or a newer one/);
    await expect(store.pendingMigrations()).rejects.toThrow(/newer version/);
  });

  it.each([true, false])('is refused where its history has the form of no release (migrating: %s)', async (migrate) => {
    const database = await server.createDatabase();
    await storeOn(server.url(database)).open();
    await server.query('DELETE FROM migration WHERE version > 8', database);
    const store = storeOn(server.url(database), { migrate });
    await expect(store.open()).rejects.toThrow(
      /schema 8 of a version of Trama that was never released.*another database/,
    );
    await expect(store.pendingMigrations()).rejects.toThrow(/never released/);
  });

  it('can be opened again after a server that was away', async () => {
    const database = await server.createDatabase();
    const store = storeOn(server.url(database));
    await server.stop();
    await expect(store.open()).rejects.toMatchObject({ name: 'StoreUnavailable', kind: 'unreachable' });
    await server.start();
    for (;;) {
      const failed = await store.open().then(
        () => false,
        () => true,
      );
      if (!failed) break;
    }
    expect(await store.submit([newExecution(1)])).toEqual([{ kind: 'created' }]);
  });
});

describe('several hosts', () => {
  const hosts = (query = ''): string =>
    `postgres://trama@127.0.0.1:${server.port},127.0.0.1:${other.port}/postgres${query}`;

  /** Submits until a host takes it; answers on which server it is then. */
  async function submitSomewhere(store: PostgresStore, n: number): Promise<PostgresServer | undefined> {
    const patience = performance.now() + 30_000;
    for (;;) {
      try {
        await store.submit([newExecution(n)]);
        break;
      } catch (error) {
        expect(error).toMatchObject({ name: 'StoreUnavailable' });
        if (performance.now() > patience) throw error;
      }
    }
    for (const each of [server, other]) {
      if (!each.isRunning) continue;
      const found = await each.query(`SELECT 1 FROM execution WHERE id = '${idOf(n)}'`, 'postgres');
      if (found.length > 0) return each;
    }
    return undefined;
  }

  it('are tried in order; the one that takes writes is kept, also when it changes', async () => {
    await storeOn(server.url()).open();
    await storeOn(other.url()).open();
    const store = storeOn(hosts());
    await store.open();
    expect(await submitSomewhere(store, 1)).toBe(server);
    await server.restart('fast', { default_transaction_read_only: 'on' });
    expect(await submitSomewhere(store, 2)).toBe(other);
    const second = storeOn(hosts('?target_session_attrs=read-write'));
    expect(await submitSomewhere(second, 3)).toBe(other);
    await Promise.all([server.restart(), other.restart('fast', { default_transaction_read_only: 'on' })]);
    expect(await submitSomewhere(store, 4)).toBe(server);
    expect(await submitSomewhere(second, 5)).toBe(server);
    await other.restart();
  });

  it('are passed over while they are in recovery', async () => {
    await server.restartAs('standby');
    expect(await server.query('SELECT pg_is_in_recovery() AS yes')).toEqual([{ yes: true }]);
    const store = storeOn(hosts());
    await store.open();
    expect(await submitSomewhere(store, 6)).toBe(other);
    const alone = storeOn(server.url(), { migrate: false });
    await alone.open();
    await expect(alone.submit([newExecution(7)])).rejects.toMatchObject({ kind: 'read_only' });
    await server.restartAs('primary');
    await other.stop();
    expect(await submitSomewhere(store, 8)).toBe(server);
    await other.start();
  });

  it('are left as soon as one becomes read-only under open connections', async () => {
    const store = storeOn(hosts());
    await store.open();
    expect(await submitSomewhere(store, 11)).toBe(server);
    await server.query('ALTER SYSTEM SET default_transaction_read_only = on');
    await server.query('SELECT pg_reload_conf()');
    // The signal takes a moment to reach every process of the server.
    const isOn = async (): Promise<boolean> =>
      (await server.query('SHOW default_transaction_read_only'))[0]?.['default_transaction_read_only'] === 'on';
    while (!(await isOn())) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(await submitSomewhere(store, 12)).toBe(other);
    // The role that is refused may still lift the limit for one session.
    await server.query(['SET default_transaction_read_only = off', 'ALTER SYSTEM RESET default_transaction_read_only']);
  });

  it('are all read-only, which is said', async () => {
    await server.restart('fast', { default_transaction_read_only: 'on' });
    await other.restart('fast', { default_transaction_read_only: 'on' });
    const store = storeOn(hosts());
    await expect(store.open()).rejects.toMatchObject({
      kind: 'read_only',
      message: expect.stringMatching(/takes no writes/) as string,
    });
  });
});

describe('TLS', () => {
  const encryption = `SELECT s.ssl, s.client_dn AS client FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)
    WHERE a.application_name = 'trama' ORDER BY a.backend_start DESC LIMIT 1`;

  beforeAll(async () => {
    await server.putFiles({ 'server.crt': serverCertificate, 'server.key': serverKey, 'ca.crt': authority });
    await server.restart('fast', { ssl: 'on', ssl_ca_file: 'ca.crt' });
  });

  it('encrypts, and shows a certificate of its own', async () => {
    const ssl = { ca: authority, cert: clientCertificate, key: clientKey };
    const store = storeOn(server.url(), { ssl });
    await store.open();
    expect(await server.query(encryption)).toEqual([{ ssl: true, client: '/CN=client' }]);
    const candidacy = candidate(store);
    await candidacy.acquire();
    expect(await server.query(encryption)).toEqual([{ ssl: true, client: '/CN=client' }]);
    await candidacy.close();
  });

  it('refuses a server whose certificate no trusted authority issued, unless told not to check', async () => {
    const store = storeOn(server.url(), { ssl: true });
    await expect(store.open()).rejects.toMatchObject({
      kind: 'unreachable',
      message: expect.stringMatching(/certificate/) as string,
    });
    const trusting = storeOn(server.url(), { ssl: { rejectUnauthorized: false } });
    await trusting.open();
    expect(await server.query(encryption)).toEqual([{ ssl: true, client: null }]);
    await storeOn(`${server.url()}?sslmode=require`).open();
    await expect(storeOn(`${server.url()}?sslmode=verify-full`).open()).rejects.toThrow(/certificate/);
  });
});

describe('connections', () => {
  it('are made ready ahead of time for what executions need', async () => {
    const database = await server.createDatabase();
    const store = storeOn(server.url(database), { warmConnections: 3, maxConnections: 10 });
    await store.open();
    const planned = `SELECT count(*)::int AS n FROM pg_stat_activity
      WHERE datname = '${database}' AND application_name = 'trama' AND query LIKE '%RECURSIVE asked%'`;
    await vi.waitFor(async () => expect(await server.query(planned)).toEqual([{ n: 3 }]), 20_000);
    expect(await server.query('SELECT count(*)::int AS n FROM execution', database)).toEqual([{ n: 0 }]);
  });

  it('are never more than they may be', async () => {
    const database = await server.createDatabase();
    const store = storeOn(server.url(database), { warmConnections: 9, maxConnections: 4 });
    await store.open();
    const all = { open: 4, idle: 4, waiting: 0 };
    await vi.waitFor(() => expect(store.connectionCounts).toEqual(all), 20_000);
  });
});

describe('the sole worker', () => {
  it('hears what the others say is due, and nothing else', async () => {
    const database = await server.createDatabase();
    const [worker, other] = [storeOn(server.url(database)), storeOn(server.url(database))];
    const heard: DueRow[] = [];
    const candidacy = candidate(worker, { rung: (items) => heard.push(...items) });
    expect(await candidacy.acquire()).toBe(true);
    await server.query(
      ['', 'no json', '{}', '[1,[]]', `[["${idOf(1)}",1.5,2],["${idOf(1)}",1],["x",1,2]]`].map(
        (text) => `SELECT pg_notify('trama_due', '${text}')`,
      ),
      database,
    );
    const items = Array.from({ length: 250 }, (_, i) => ({ id: idOf(i), slot: 16_383 - i, dueAt: start + i }));
    await other.ringSoleWorker([]);
    await other.ringSoleWorker(items);
    await vi.waitFor(() => expect(heard).toHaveLength(250), 10_000);
    expect(heard).toEqual(items);
    await candidacy.release();
    await other.ringSoleWorker(items);
    await candidacy.close();
    expect(heard).toHaveLength(250);
  });

  it('is one of all processes; the others hear when it lets go', async () => {
    await server.restart();
    const database = await server.createDatabase();
    const [a, b] = [storeOn(server.url(database)), storeOn(server.url(database))];
    const lost: string[] = [];
    let freed: (() => void) | undefined;
    const isFree = new Promise<void>((resolve) => (freed = resolve));
    const first = candidate(a, { lost: () => lost.push('a') });
    const second = candidate(b, { lost: () => lost.push('b'), freed: () => freed?.() });
    expect(await first.acquire()).toBe(true);
    await second.listen();
    expect(await first.acquire()).toBe(true);
    expect([await first.isHeld(), await second.isHeld()]).toEqual([true, false]);
    await first.release();
    await first.release();
    await isFree;
    expect(await second.acquire()).toBe(true);
    expect(await first.acquire()).toBe(false);
    expect(lost).toEqual([]);
    await first.close();
    await second.close();
    await second.close();
  });

  it('learns once that it is no longer the one, and may become it again', async () => {
    const database = await server.createDatabase();
    const store = storeOn(server.url(database));
    let calls = 0;
    let tell: (() => void) | undefined;
    const isLost = new Promise<void>((resolve) => (tell = resolve));
    const lost = (): void => {
      calls += 1;
      tell?.();
    };
    const candidacy = candidate(store, { lost });
    await candidacy.acquire();
    await server.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${database}'`);
    await isLost;
    expect(await candidacy.isHeld()).toBe(false);
    expect(await candidacy.acquire()).toBe(true);
    expect(calls).toBe(1);
    await candidacy.close();
  });

  it('is not kept by a process that says nothing for too long', async () => {
    const database = await server.createDatabase();
    const [a, b] = [storeOn(server.url(database)), storeOn(server.url(database))];
    const silent = candidate(a);
    const next = candidate(b);
    await silent.acquire();
    const begun = performance.now();
    await vi.waitFor(async () => expect(await next.acquire()).toBe(true), { timeout: 20_000, interval: 200 });
    // Never sooner: a process that hangs may believe so long that it works.
    expect(performance.now() - begun).toBeGreaterThan(5_000);
    expect(await silent.isHeld()).toBe(false);
    await silent.close();
    await next.close();
  });
});
