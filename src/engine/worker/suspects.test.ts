import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Lease } from './lease.ts';
import { type Suspect, Suspects } from './suspects.ts';
import type { WorkerPool } from './worker-pool.ts';

/** Executions by id with the counted claims of each, and what the line did with them. */
class Line {
  readonly taken: string[] = [];
  readonly given: string[] = [];
  readonly pool = { draining: false, giveBack: (lease: Lease) => void this.given.push(lease.id) };
  readonly #clear = new Map<string, () => void>();
  readonly suspects: Suspects;

  constructor(claims: Readonly<Record<string, number>>) {
    this.suspects = new Suspects(async ({ lease: { id } }, below) => {
      if ((claims[id] ?? 0) >= below) return 'suspect';
      this.taken.push(id);
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#clear.set(id, resolve);
      return { cleared: promise };
    });
    for (const id of Object.keys(claims)) {
      this.suspects.add({
        lease: { id } as Lease,
        dueAt: 0,
        pool: this.pool as unknown as WorkerPool,
      } satisfies Suspect);
    }
  }

  /** The suspects that are taken over now. */
  async inHand(): Promise<readonly string[]> {
    await setImmediate();
    return [...this.#clear.keys()];
  }

  async clear(): Promise<void> {
    for (const [id, clear] of this.#clear) {
      this.#clear.delete(id);
      clear();
    }
    await setImmediate();
  }
}

describe('suspects', () => {
  it('are tried in groups that grow while the process lives', async () => {
    const line = new Line(Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`s${String(i)}`, 2])));
    const groups: number[] = [];
    for (let held = await line.inHand(); held.length > 0; held = await line.inHand()) {
      groups.push(held.length);
      await line.clear();
    }
    expect(groups).toEqual([1, 2, 4, 1]);
  });

  it('are tried alone, after all others, once they have fallen in company', async () => {
    const line = new Line({ a: 2, bad: 3, b: 2, worse: 5, c: 2 });
    const held: (readonly string[])[] = [];
    for (let now = await line.inHand(); now.length > 0; now = await line.inHand()) {
      held.push(now);
      await line.clear();
    }
    expect(held).toEqual([['a'], ['b'], ['c'], ['bad'], ['worse']]);
  });

  it('are given back while the process drains', async () => {
    const line = new Line({ a: 2, b: 2, c: 3 });
    expect(await line.inHand()).toEqual(['a']);
    line.pool.draining = true;
    await line.clear();
    expect(line.given).toEqual(['b', 'c']);
    expect(line.taken).toEqual(['a']);
  });
});
