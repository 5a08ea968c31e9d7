import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chain, graph, RuntimeFixture, task } from '../../../test/runtime-fixture.ts';
import type { ProcessInfo, SoleWorkerCandidacy, SoleWorkerListener } from '../../ports/processes.ts';
import { StoreUnavailable } from '../../ports/store.ts';
import type { DueRow } from '../../ports/records.ts';
import { MemoryQueueHub } from '../../queue/memory/memory-queue.ts';
import type { Engine } from '../engine.ts';
import { SoleWorkerQueue } from './sole-worker-queue.ts';

/** The lock of a store: one holder at a time, who hears the rings of the others; its connection can break. */
class Lock {
  /** Those that listen. */
  readonly #candidates = new Set<SoleWorkerListener>();
  #holder: SoleWorkerListener | undefined;
  #severed: SoleWorkerListener | undefined;
  /** What becomes of rings. */
  rings: 'heard' | 'lost' | 'refused' = 'heard';
  /** A process that hangs is told of nothing. */
  tells = true;

  soleWorker(listener: SoleWorkerListener): SoleWorkerCandidacy {
    const release = (): Promise<void> => {
      if (this.#holder !== listener) return Promise.resolve();
      this.#holder = undefined;
      for (const candidate of this.#candidates) if (candidate !== listener) candidate.freed();
      return Promise.resolve();
    };
    return {
      listen: () => {
        this.#candidates.add(listener);
        return Promise.resolve();
      },
      acquire: () => {
        if (this.#severed === listener) return Promise.reject(new StoreUnavailable('unreachable', 'Away.'));
        this.#holder ??= listener;
        return Promise.resolve(this.#holder === listener);
      },
      isHeld: () => {
        if (this.#holder !== listener) listener.lost();
        return Promise.resolve(this.#holder === listener);
      },
      release,
      close: () => {
        this.#candidates.delete(listener);
        return release();
      },
    };
  }

  ringSoleWorker(items: readonly DueRow[]): Promise<void> {
    if (this.rings === 'refused') return Promise.reject(new StoreUnavailable('unreachable', 'Away.'));
    if (this.rings === 'heard') this.#holder?.rung(items);
    return Promise.resolve();
  }

  /** Its connection breaks, and another process gets it, which gives it back by the result. */
  break(): () => void {
    const holder = this.#holder;
    this.#holder = { lost: () => undefined, rung: () => undefined, freed: () => undefined };
    if (this.tells) holder?.lost();
    return () => (this.#holder = undefined);
  }

  /** All connections break, and no process has the lock. */
  restart(): void {
    const holder = this.#holder;
    this.#holder = undefined;
    holder?.lost();
  }

  /** The worker reaches the store no more. */
  sever(): void {
    const holder = this.#holder;
    this.#severed = holder;
    this.#holder = undefined;
    holder?.lost();
  }
}

describe('processes without a shared queue', () => {
  let fixture: RuntimeFixture;
  let lock: Lock;

  beforeEach(() => {
    fixture = new RuntimeFixture();
    lock = new Lock();
  });

  afterEach(async () => {
    await fixture.close();
    expect(fixture.clock.pending).toBe(0);
  });

  /** Each process has a queue of its own. */
  async function engine(name: string, works = true): Promise<Engine> {
    const { clock, entropy, telemetry } = fixture;
    const queue = new MemoryQueueHub(clock).connect(`${name}/run`);
    const made = await fixture.engine(
      {},
      works,
      () => new SoleWorkerQueue({ clock, entropy, telemetry, store: lock, queue, works, leaseMillis: 10_000 }),
    );
    await clock.advance(10);
    return made;
  }

  it('work one at a time; the others accept runs that the worker does', async () => {
    const worker = await engine('one');
    const other = await engine('two');
    const own = await fixture.submit(worker, chain('a'));
    expect((await fixture.until(own, 'over', 100)).status).toBe('SUCCEEDED');
    const foreign = await fixture.submit(other, chain('b'));
    expect((await fixture.until(foreign, 'over', 100)).status).toBe('SUCCEEDED');
    expect(other.load().held).toBe(0);
  });

  it.each(['lost', 'refused'] as const)(
    'do what was accepted elsewhere within seconds where rings are %s',
    async (rings) => {
      await engine('one');
      const other = await engine('two');
      lock.rings = rings;
      const id = await fixture.submit(other, chain('a'));
      await fixture.clock.advance(100);
      expect((await fixture.detail(id)).status).toBe('IN_PROGRESS');
      expect((await fixture.until(id, 'over', 5_000)).status).toBe('SUCCEEDED');
    },
  );

  it('start what is scheduled elsewhere at its time', async () => {
    await engine('one');
    const other = await engine('two');
    const id = await fixture.submit(other, chain('a'), { startAt: fixture.clock.now() + 1_000 });
    await fixture.clock.advance(900);
    expect(fixture.http.paths()).toEqual([]);
    expect((await fixture.until(id, 'over', 200)).status).toBe('SUCCEEDED');
  });

  it.each(['heard', 'lost'] as const)('see that a callback came in elsewhere, rings being %s', async (rings) => {
    const worker = await engine('one');
    const other = await engine('two');
    const asks = task('asks', { action: { mode: 'async', callback: { timeoutMillis: 60_000 } } });
    const id = await fixture.submit(worker, graph([asks]));
    await fixture.until(id, 'WAITING_CALLBACK');
    lock.rings = rings;
    await fixture.offer(other, id, await fixture.callbackOf(id, 'asks'));
    expect((await fixture.until(id, 'over', rings === 'heard' ? 100 : 5_000)).status).toBe('SUCCEEDED');
  });

  it('hand the work over when the worker stops', async () => {
    const worker = await engine('one');
    const other = await engine('two');
    const stopped = worker.stop({ drainTimeoutMillis: 1_000 });
    await fixture.clock.advance(100);
    await stopped;
    const id = await fixture.submit(other, chain('a'));
    expect((await fixture.until(id, 'over', 10)).status).toBe('SUCCEEDED');
  });

  it('leave the work to the worker whose lock broke, as long as it lives', async () => {
    await engine('one');
    const other = await engine('two');
    lock.restart();
    await fixture.clock.advance(30_000);
    const id = await fixture.submit(other, chain('a'));
    expect((await fixture.until(id, 'over', 100)).status).toBe('SUCCEEDED');
    expect(other.load().held).toBe(0);
    const said = fixture.logs.filter(({ message }) => message === 'this process works on the store');
    expect(said).toHaveLength(2);
  });

  it('take the work over from a worker that has been silent for two thirds of a lease', async () => {
    await engine('one');
    const other = await engine('two');
    fixture.store.fault = (operation, [process]) =>
      operation === 'beat' && (process as ProcessInfo).podId === 'one' ? 'away' : undefined;
    lock.sever();
    const id = await fixture.submit(other, chain('a'));
    await fixture.clock.advance(3_000);
    expect((await fixture.detail(id)).status).toBe('IN_PROGRESS');
    expect((await fixture.until(id, 'over', 7_000)).status).toBe('SUCCEEDED');
  });

  it('make no call for which another process may have the work by now, told of it or not', async () => {
    const worker = await engine('one');
    fixture.http.reply = (path) => (path === 'a' ? 'hold' : {});
    const id = await fixture.submit(worker, chain('a', 'b'));
    await fixture.clock.advance(10);
    lock.tells = false;
    lock.break();
    // The process hangs for longer than its lease; the answer is there when it goes on, and its timers fire.
    fixture.clock.freeze(11_000);
    fixture.http.calls[0]!.answer({});
    await fixture.clock.advance(5_000);
    expect(fixture.http.paths()).toEqual(['a']);
    expect((await fixture.detail(id)).status).toBe('IN_PROGRESS');
  });

  it('start no further call once the lock is lost, and go on when it is theirs again', async () => {
    const worker = await engine('one');
    fixture.http.reply = (path) => (path === 'a' ? 'hold' : {});
    const id = await fixture.submit(worker, chain('a', 'b'));
    await fixture.clock.advance(10);
    const giveBack = lock.break();
    await fixture.clock.advance(100);
    fixture.http.calls[0]!.answer({});
    await fixture.clock.advance(1_000);
    expect(fixture.http.paths()).toEqual(['a']);
    giveBack();
    expect((await fixture.until(id, 'over', 15_000)).status).toBe('SUCCEEDED');
    expect(fixture.http.paths()).toEqual(['a', 'b']);
  });

  it('never become the worker where they only serve the API', async () => {
    const api = await engine('one', false);
    await fixture.clock.advance(10_000);
    const id = await fixture.submit(api, chain('a'));
    await fixture.clock.advance(10_000);
    expect((await fixture.detail(id)).status).toBe('IN_PROGRESS');
    await engine('two');
    expect((await fixture.until(id, 'over', 5_000)).status).toBe('SUCCEEDED');
  });
});
