/**
 * The store on Postgres while the server or the way to it fails. A writer sends its batches again, unchanged, as long as
 * they are not answered, as the engine does; afterwards everything is there exactly once.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PostgresStore } from '../../src/store/postgres/postgres-store.ts';
import type { PostgresStoreOptions } from '../../src/store/postgres/connection/options.ts';
import { StoreUnavailable, type TerminalChange } from '../../src/ports/store.ts';
import {
  callRow,
  cancelOffer,
  checkpointOf,
  endState,
  idOf,
  newExecution,
  start,
  stateOf,
  stepRow,
  summaryOf,
} from '../contract/fixtures/executions.ts';
import { emptyDatabase, openStore } from '../servers/postgres-stores.ts';
import { PostgresServer } from '../servers/postgres.ts';
import { endings } from '../servers/scripted-postgres.ts';
import { TcpProxy } from '../servers/tcp-proxy.ts';
import { gatherUncaught } from '../uncaught.ts';

let server: PostgresServer;
let proxy: TcpProxy;
let database: string;
/** Directly at the server; reads what is there in the end. */
let direct: PostgresStore;
let store: PostgresStore;
let faults: string[] = [];

beforeAll(async () => {
  server = await PostgresServer.create();
  proxy = await TcpProxy.listen(server.port);
  ({ store: direct, database } = await openStore(server));
});
afterAll(async () => {
  await direct.close();
  await proxy.close();
  await server.remove();
});

/** A store that is closed after the test. */
function opened(port: number, options: Partial<PostgresStoreOptions> = {}): PostgresStore {
  const onFault = ({ message }: { message: string }): void => void faults.push(message);
  const made = new PostgresStore({ url: server.url(database, port), maxConnections: 4, onFault, ...options });
  closers.push(made);
  return made;
}

let closers: PostgresStore[] = [];

beforeEach(async () => {
  await emptyDatabase(server, database);
  faults = [];
  proxy.mode = 'pass';
  store = opened(proxy.port);
  await store.open();
});
afterEach(async () => {
  proxy.cut();
  await Promise.all(closers.map((each) => each.close()));
  closers = [];
});

/** The error that a call ends with. */
async function failure(call: Promise<unknown>): Promise<unknown> {
  try {
    await call;
  } catch (error) {
    return error;
  }
  throw new Error('The call succeeded.');
}

/** Sends it again until it is answered. */
async function insist<T>(
  call: () => Promise<T>,
  failed: (error: StoreUnavailable) => void = () => undefined,
): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      failed(error);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

function retryOf(n: number): TerminalChange {
  return {
    id: idOf(n),
    seq: 0,
    writeId: `retry ${n}`,
    state: stateOf({ round: 2 }),
    summary: summaryOf('IN_PROGRESS', { round: 2 }),
    dueAt: start,
    steps: [stepRow(1)],
    undo: [],
  };
}

const batch = Array.from({ length: 10 }, (_, i) => i);

/** Writes executions of three checkpoints each until stopped. */
class Writer {
  readonly #store: PostgresStore;
  readonly #run: Promise<void>;
  readonly failures: StoreUnavailable[] = [];
  #isStopped = false;
  #rounds = 0;
  #onRound: (() => void) | undefined;

  constructor(to: PostgresStore) {
    this.#store = to;
    this.#run = this.#write();
  }

  async #write(): Promise<void> {
    const failed = (error: StoreUnavailable): void => void this.failures.push(error);
    while (!this.#isStopped) {
      const numbers = batch.map((i) => this.#rounds * batch.length + i + 1);
      const created = await insist(
        () => this.#store.submit(numbers.map((n) => newExecution(n, { claim: 'c' }))),
        failed,
      );
      expect(created).toEqual(numbers.map(() => ({ kind: 'created' })));
      for (const seq of [0, 1, 2]) {
        const ord = seq * 2 + 1;
        const rows = { inboxSeq: 0, steps: [stepRow(ord)], calls: [callRow(ord + 1)] };
        const checkpoints = numbers.map((n) => checkpointOf(n, 'c', seq, rows));
        const results = await insist(() => this.#store.checkpoint(checkpoints), failed);
        expect(results).toEqual(numbers.map(() => ({ kind: 'written', inboxSeq: 0 })));
      }
      this.#rounds += 1;
      this.#onRound?.();
    }
  }

  /** Resolves after this many further rounds; rejects should the writer have failed. */
  async rounds(count: number): Promise<void> {
    const target = this.#rounds + count;
    const reached = new Promise<void>((resolve) => {
      this.#onRound = () => {
        if (this.#rounds >= target) resolve();
      };
    });
    await Promise.race([reached, this.#run]);
  }

  /** Ends after the round under way and checks that each of its writes is there once. */
  async stopAndCheck(): Promise<void> {
    this.#isStopped = true;
    await this.#run;
    for (let n = 1; n <= this.#rounds * batch.length; n++) {
      expect((await direct.getExecution(idOf(n)))?.seq).toBe(3);
      const steps = await direct.listSteps(idOf(n), { limit: 9 });
      expect(steps.items.map(({ ord }) => ord)).toEqual([1, 3, 5]);
      const calls = await direct.listCalls(idOf(n), { limit: 9 });
      expect(calls.items.map(({ ord }) => ord)).toEqual([2, 4, 6]);
    }
  }
}

/** Holds the table of executions until the returned function is called. */
async function lockExecutions(): Promise<() => Promise<void>> {
  const ended = failure(server.query('BEGIN; LOCK TABLE execution; SELECT pg_sleep(60)', database));
  const granted = `SELECT count(*) > 0 AS yes FROM pg_locks
    WHERE relation = 'execution'::regclass AND mode = 'AccessExclusiveLock' AND granted`;
  while ((await server.query(granted, database))[0]?.['yes'] !== true);
  return async () => {
    await server.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()`,
    );
    await ended;
  };
}

const kindsOf = (errors: readonly StoreUnavailable[]): Set<string> => new Set(errors.map(({ kind }) => kind));

describe('the server', () => {
  it.each(['fast', 'immediate', 'kill'] as const)('comes back after it ended (%s)', async (mode) => {
    const writer = new Writer(opened(server.port));
    await writer.rounds(3);
    await server.stop(mode);
    expect(await failure(store.ping())).toMatchObject({ kind: 'unreachable' });
    await server.start();
    await writer.rounds(3);
    await writer.stopAndCheck();
    expect(kindsOf(writer.failures)).toEqual(new Set(['unreachable']));
    expect(await insist(() => store.ping())).toBeGreaterThan(start);
  });

  it('ends sessions', async () => {
    const writer = new Writer(store);
    for (let i = 0; i < 5; i++) {
      await writer.rounds(1);
      await server.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${database}' AND application_name = 'trama'`,
      );
    }
    await writer.rounds(1);
    await writer.stopAndCheck();
  });

  it('takes no writes for a while, but answers reads', async () => {
    await store.submit([newExecution(1)]);
    await server.query(`ALTER DATABASE ${database} SET default_transaction_read_only = on`);
    await server.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${database}'`);
    const isDown = (error: unknown): boolean => error instanceof StoreUnavailable && error.kind === 'unreachable';
    await expect.poll(async () => isDown(await failure(store.ping()))).toBe(false);
    expect(await failure(store.ping())).toMatchObject({ kind: 'read_only' });
    expect(await failure(store.submit([newExecution(2)]))).toMatchObject({
      name: 'StoreUnavailable',
      kind: 'read_only',
    });
    expect(await failure(store.offer(cancelOffer(1, 'e'), start))).toMatchObject({ kind: 'read_only' });
    expect((await store.getExecution(idOf(1)))?.seq).toBe(0);
    await server.query(`ALTER DATABASE ${database} RESET default_transaction_read_only`);
    await server.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${database}'`);
    expect(await insist(() => store.submit([newExecution(2)]))).toEqual([{ kind: 'created' }]);
  });

  it('stands still', async () => {
    const writer = new Writer(opened(server.port));
    await writer.rounds(1);
    server.signal('SIGSTOP');
    try {
      expect(await failure(store.ping())).toMatchObject({ kind: 'unreachable' });
    } finally {
      server.signal('SIGCONT');
    }
    await writer.rounds(2);
    await writer.stopAndCheck();
  });

  it('waits for a lock that another session holds', async () => {
    await store.submit([newExecution(1, { claim: 'c' })]);
    const unlock = await lockExecutions();
    expect(await failure(store.checkpoint([checkpointOf(1, 'c', 0)]))).toMatchObject({ kind: 'unreachable' });
    await unlock();
    expect(await insist(() => store.checkpoint([checkpointOf(1, 'c', 0)]))).toEqual([{ kind: 'written', inboxSeq: 0 }]);
  });
});

describe('the way to the server', () => {
  it('is cut again and again', async () => {
    const writer = new Writer(store);
    for (let i = 0; i < 8; i++) {
      await writer.rounds(1);
      proxy.cut();
    }
    await writer.rounds(1);
    await writer.stopAndCheck();
  });

  it('swallows everything without a word', async () => {
    const writer = new Writer(store);
    await writer.rounds(2);
    proxy.mode = 'blackhole';
    expect(await failure(store.ping())).toMatchObject({ kind: 'unreachable' });
    // New connections are taken and never served.
    expect(await failure(store.ping())).toMatchObject({ kind: 'unreachable' });
    proxy.mode = 'pass';
    await writer.rounds(2);
    await writer.stopAndCheck();
  });

  it('loses answers to commits', async () => {
    const writer = new Writer(store);
    for (let i = 0; i < 8; i++) {
      await writer.rounds(1);
      proxy.mode = 'deaf';
      // The next statement is carried out, its answer lost.
      await proxy.lostAnswer();
      proxy.mode = 'pass';
      proxy.cut();
    }
    await writer.rounds(1);
    await writer.stopAndCheck();
    expect(writer.failures.length).toBeGreaterThanOrEqual(8);
  });

  it('loses any one answer of a new offer or a retry, which is done once', async () => {
    for (let after = 0; after < 5; after++) {
      const n = after + 1;
      const over = { state: endState('FAILED'), summary: summaryOf('FAILED') };
      await insist(() => store.submit([newExecution(n), newExecution(100 + n, over)]));
      await insist(() => store.ping());
      let failures = 0;
      const counted = (): void => void failures++;
      proxy.loseAnswer(after);
      const offer = cancelOffer(n, 'event');
      expect(await insist(() => store.offer(offer, start), counted)).toEqual({ kind: 'accepted' });
      expect(failures).toBeGreaterThan(0);
      expect(await direct.readInbox(idOf(n))).toEqual({ inboxSeq: 1, inbox: [offer.row] });
      await insist(() => store.ping());
      proxy.loseAnswer(after);
      expect(await insist(() => store.changeTerminal(retryOf(100 + n)), counted)).toBe(true);
      expect(failures).toBeGreaterThan(1);
      expect((await direct.getExecution(idOf(100 + n)))?.seq).toBe(1);
      expect((await direct.listSteps(idOf(100 + n), { limit: 9 })).items).toHaveLength(1);
    }
  });

  it.each(Object.entries(endings))('ends with %s behind any one answer', async (_name, ending) => {
    const uncaught = gatherUncaught();
    const writer = new Writer(store);
    await writer.rounds(1);
    // Those of a new connection are among them: each broken one is replaced.
    for (let after = 0; after < 12; after++) {
      const ended = proxy.lostAnswer();
      proxy.endWith(after % 6, ending);
      await ended;
    }
    await writer.rounds(1);
    await writer.stopAndCheck();
    expect(uncaught).toEqual([]);
  });

  it('tells of idle connections that broke, and uses others', async () => {
    await store.ping();
    proxy.cut();
    expect(await insist(() => store.ping())).toBeGreaterThan(start);
    expect(new Set(faults)).toEqual(new Set(['An idle connection to Postgres broke.']));
  });
});

describe('the pool', () => {
  it('refuses callers that waited too long for a connection', async () => {
    const small = opened(server.port, { maxConnections: 2 });
    await small.ping();
    const unlock = await lockExecutions();
    const waiting = small.getExecution(idOf(1)).catch((error: unknown) => error);
    const refused = await Promise.all([1, 2, 3].map(() => failure(small.readInbox(idOf(1)))));
    expect(refused).toMatchObject([{ kind: 'unreachable' }, { kind: 'unreachable' }, { kind: 'unreachable' }]);
    await unlock();
    await waiting;
  });

  it('is closed once, and refuses requests from then on', async () => {
    await Promise.all([store.close(), store.close()]);
    expect(await failure(store.ping())).toMatchObject({ kind: 'unreachable', message: 'The store is closed.' });
  });
});
