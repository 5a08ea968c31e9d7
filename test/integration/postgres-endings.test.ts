/**
 * Connections to Postgres that end in every state, in every way: the process lives, what was under way fails as unavailable,
 * and the next one works. The server is a scripted one, which is at the exact place each time.
 */
import { createSecureContext } from 'node:tls';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { StoreUnavailable, type StoreFault } from '../../src/ports/store.ts';
import { Connections } from '../../src/store/postgres/connection/connections.ts';
import type { PostgresTls } from '../../src/store/postgres/connection/options.ts';
import { SoleWorkerLock } from '../../src/store/postgres/sole-worker.ts';
import { TestAuthority } from '../certificate-maker.ts';
import { endings, ScriptedPostgres, type Moment } from '../servers/scripted-postgres.ts';
import { gatherUncaught } from '../uncaught.ts';

const authority = new TestAuthority();
const context = createSecureContext(authority.issue({ commonName: 'server', names: ['127.0.0.1'] }));
const ways = Object.entries(endings);

const moments: Readonly<Record<string, Moment>> = {
  'it is accepted': { at: 'accept' },
  'encryption is asked for': { at: 'encryption' },
  'the handshake begins': { at: 'handshake' },
  'it says who it is': { at: 'startup' },
  'it shows its password': { at: 'password' },
  'it is ready, in the same read': { at: 'ready' },
  'it asks whether it may write': { at: 'asked', text: 'readonly' },
  'it was told that it may write': { at: 'answered', text: 'readonly' },
  'a transaction begins': { at: 'asked', text: 'BEGIN' },
  'one statement is answered': { at: 'answered', text: 'BEGIN' },
  'a statement is under way': { at: 'asked', text: 'UPDATE' },
  'the next statement is answered': { at: 'answered', text: 'UPDATE' },
  'it commits': { at: 'asked', text: 'COMMIT' },
  'the commit is answered': { at: 'answered', text: 'COMMIT' },
};

let server: ScriptedPostgres;
let connections: Connections;
let faults: StoreFault[] = [];

async function open(secure: boolean): Promise<void> {
  faults = [];
  server = await ScriptedPostgres.listen(secure ? context : undefined);
  const tls: false | PostgresTls = secure ? { ca: authority.cert } : false;
  connections = new Connections(
    {
      hosts: [{ host: '127.0.0.1', port: server.port }],
      database: 'd',
      user: 'u',
      password: 'p',
      tls,
      channelBinding: 'disable',
      settings: {},
      mustWrite: true,
    },
    { maxConnections: 2, minConnections: 1, statementTimeoutMillis: 2000 },
    (fault) => faults.push(fault),
  );
}

afterEach(async () => {
  await connections.close();
  await server.close();
});

/** A turn of the event loop after everything that was read in this one. */
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

/** Works as the store does, again until it is done; what failed before. */
async function insist(): Promise<unknown[]> {
  const failures: unknown[] = [];
  for (;;) {
    try {
      await connections.transaction('short', (session) => session.query({ text: 'UPDATE x', values: [1] }));
      return failures;
    } catch (error) {
      failures.push(error);
      await turn();
    }
  }
}

const reached = (secure: boolean): readonly [string, Moment][] =>
  Object.entries(moments).filter(([, { at }]) => secure || (at !== 'encryption' && at !== 'handshake'));

describe.each([
  ['in the clear', false],
  ['by TLS', true],
])('a connection %s ends', (_way, secure) => {
  it.each(reached(secure))('when %s', async (_name, moment) => {
    const uncaught = gatherUncaught();
    for (const [name, ending] of ways) {
      await open(secure);
      server.endNext(moment, ending);
      const failures = await insist();
      // What was answered before the end is done; it fails the next one at most.
      await insist();
      expect({ name, ended: server.ended }).toEqual({ name, ended: 1 });
      expect(failures.filter((error) => !(error instanceof StoreUnavailable))).toEqual([]);
      await turn();
      expect({ name, uncaught }).toEqual({ name, uncaught: [] });
      // Nothing is left behind of a connection that ended.
      await vi.waitFor(() => expect({ name, open: server.open }).toEqual({ name, open: connections.counts.open }));
      await connections.close();
      await server.close();
    }
    await open(secure);
  });
});

describe('the holder of the lock', () => {
  /** Gets the lock, and asks until it is lost; answers how often it was told so. */
  const holdUntilLost = async (): Promise<number> => {
    let lost = 0;
    const listener = { lost: () => void lost++, rung: () => undefined, freed: () => undefined };
    const candidacy = new SoleWorkerLock(connections, listener, 1_000);
    try {
      if (!(await candidacy.acquire())) return 1;
      await vi.waitFor(async () => expect(await candidacy.isHeld()).toBe(false), 5000);
      return lost;
    } finally {
      await candidacy.close();
    }
  };

  const early: Readonly<Record<string, Moment>> = {
    'it is ready, in the same read': { at: 'ready' },
    'it asks for the lock': { at: 'asked', text: 'advisory' },
    'it got the lock, in the same read': { at: 'answered', text: 'advisory' },
    'it begins to listen': { at: 'asked', text: 'LISTEN' },
    'it listens, in the same read': { at: 'answered', text: 'LISTEN' },
  };
  const asks: Moment = { at: 'asked', text: 'SELECT 1' };
  const some = ways.filter(([name]) => /^(57P01|a reset|half a message)$/.test(name));

  it.each([
    ...Object.entries(early).map(([name, moment]) => [name, moment, ways] as const),
    ['it listens and asks whether it still holds it', asks, some] as const,
  ])('loses its connection when %s', async (_name, moment, tried) => {
    const uncaught = gatherUncaught();
    for (const [name, ending] of tried) {
      await open(false);
      server.endNext(moment, ending);
      try {
        expect({ name, lost: await holdUntilLost() }).toEqual({ name, lost: 1 });
      } catch (error) {
        expect({ name, error }).toEqual({ name, error: expect.any(StoreUnavailable) });
      }
      await turn();
      expect({ name, uncaught }).toEqual({ name, uncaught: [] });
      await vi.waitFor(() => expect({ name, open: server.open }).toEqual({ name, open: 0 }));
      await connections.close();
      await server.close();
    }
    await open(false);
  });
});

describe('a server that stops', () => {
  it.each(ways)('ends all idle connections with %s, which is one warning', async (_name, ending) => {
    const uncaught = gatherUncaught();
    await open(false);
    await Promise.all([insist(), insist(), connections.query('long', { text: 'SELECT' })]);
    server.endAll(ending);
    await insist();
    server.endAll(ending);
    await insist();
    await turn();
    expect(uncaught).toEqual([]);
    expect(faults).toMatchObject([{ level: 'warn' }]);
  });
});
