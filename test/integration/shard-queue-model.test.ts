/**
 * Redis against the server in memory: the same commands in the same order, chosen at random, must give the same answers
 * and leave the same behind. Time plays no part: delays differ by far more than a test takes.
 */
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Held, Shard, ShardPart, ShardQueue } from '../../src/ports/shard-queue.ts';
import { ShardQueueServer } from '../../simulator/queue/shard-queue-server.ts';
import { VirtualClock } from '../../simulator/virtual-clock.ts';
import { lease, renewed, sortedIds } from '../contract/shard-queue/bench.ts';
import { RedisServer } from '../servers/redis.ts';
import { Keyspace } from '../../src/queue/redis/keyspace.ts';
import { openQueue, settingsFor, standaloneAt } from './redis-queues.ts';

let server: RedisServer;

beforeAll(async () => {
  server = await RedisServer.start();
});

afterAll(async () => {
  await server.close();
});

const id = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
const items = fc.array(fc.record({ id, delayMillis: fc.constantFrom(-5_000_000, 0, 1_000_000, 7_000_000) }), {
  maxLength: 5,
});
const process = fc.constantFrom('pod-1/a/', 'pod-2/b/');

const command = fc.oneof(
  fc.record({ kind: fc.constant('enqueue' as const), items }),
  fc.record({ kind: fc.constant('restore' as const), items }),
  fc.record({ kind: fc.constant('restoreHeld' as const), items }),
  fc.record({ kind: fc.constant('disown' as const), id }),
  fc.record({ kind: fc.constant('claim' as const), process }),
  fc.record({ kind: fc.constant('claimEach' as const), process, ids: fc.uniqueArray(id, { maxLength: 4 }) }),
  fc.record({
    kind: fc.constant('finish' as const),
    ids: fc.array(id, { maxLength: 4 }),
    next: fc.constantFrom('gone' as const, 'back' as const, 0, 3_000_000),
    isStale: fc.boolean(),
  }),
  // How many rounds of claims back the oldest unanswered one is: 0 spares none.
  fc.record({
    kind: fc.constant('renew' as const),
    process,
    ids: fc.array(id),
    roundsBack: fc.nat(3),
    lateMillis: fc.constantFrom(-4_000_000, 0, 6_000_000),
  }),
  fc.record({ kind: fc.constant('drop' as const) }),
  fc.record({
    kind: fc.constant('lose' as const),
    parts: fc.subarray(['ready', 'inflight', 'claims', 'marker'] as const, { minLength: 1 }),
    process,
  }),
);
type Command = typeof command extends fc.Arbitrary<infer T> ? T : never;

/** How one of the two loses a part of a shard. */
type Lose = (shard: Shard, part: ShardPart) => unknown;

/** One of the two servers, with what its claims have answered. */
class Side {
  readonly #queue: ShardQueue;
  readonly #shard: Shard;
  readonly #lose: Lose;
  /** The latest token of each id. */
  readonly #tokens = new Map<string, string>();
  #round = 0;

  constructor(queue: ShardQueue, shard: Shard, lose: Lose) {
    this.#queue = queue;
    this.#shard = shard;
    this.#lose = lose;
  }

  /** What can be compared of the answer. */
  async do(command: Command): Promise<unknown> {
    const queue = this.#queue;
    const shard = this.#shard;
    if (command.kind === 'enqueue') return (await queue.enqueue(shard, command.items)).map(({ id }) => id);
    if (command.kind === 'restore') return queue.restore(shard, command.items);
    if (command.kind === 'restoreHeld') return queue.restoreHeld(shard, command.items, lease);
    if (command.kind === 'disown') return queue.finish(shard, [{ id: command.id, token: '', next: 'back' }]);
    if (command.kind === 'claim') return this.#claim(command.process);
    if (command.kind === 'claimEach') {
      const firstNumber = 1000 * ++this.#round;
      const request = { process: command.process, firstNumber, leaseMillis: lease, incarnation: 'model' };
      const answers = await queue.claimEach(shard, command.ids, request);
      for (const [i, id] of command.ids.entries()) {
        if (answers[i] === true) this.#tokens.set(id, `${command.process}${String(firstNumber + i)}`);
      }
      return answers;
    }
    if (command.kind === 'finish') {
      const held = this.#heldOf(command.ids);
      return queue.finish(
        shard,
        held.map(({ id, token }) => ({ id, token: command.isStale ? `${token}0` : token, next: command.next })),
      );
    }
    if (command.kind === 'renew') {
      const held = this.#heldOf(command.ids).filter(({ token }) => token.startsWith(command.process));
      const below = 1000 * Math.max(0, this.#round + 1 - command.roundsBack);
      const { lost, revived } = await queue.renew(
        shard,
        command.process,
        renewed(held, command.lateMillis),
        lease,
        below,
      );
      return { lost: ids(lost), revived: ids(revived) };
    }
    if (command.kind === 'lose') {
      for (const part of command.parts) await this.#lose(shard, part);
      await queue.mark(shard, 'model');
      // Redis notices at the next claim what the memory has at once.
      return this.#claim(command.process);
    }
    await queue.drop(shard);
    return queue.mark(shard, 'model');
  }

  /** Everything in the shard: counts, then what comes out when all of it is asked for. */
  async rest(): Promise<unknown> {
    const counts = await this.#queue.count([this.#shard]);
    const due = await this.#claim('pod-3/c/');
    return { counts, due };
  }

  async #claim(process: string): Promise<unknown> {
    const firstNumber = 1000 * ++this.#round;
    const notAfter = this.#queue.serverNow() + 60_000;
    const request = { max: 100, leaseMillis: lease, process, firstNumber, notAfter, incarnation: 'model' };
    const reply = await this.#queue.claim(this.#shard, request);
    if (reply.kind !== 'claimed') return reply.kind;
    for (const { id, token } of reply.claimed) this.#tokens.set(id, token);
    // Real time has passed for one of the two; a million milliseconds have not.
    const roughly = (millis: number): number => Math.round(millis / 1_000_000) + 0;
    const next = reply.nextDelayMillis === undefined ? 'none' : roughly(reply.nextDelayMillis);
    const late = new Map(reply.claimed.map(({ id, lateMillis }) => [id, roughly(lateMillis)]));
    return { ids: sortedIds(reply.claimed), late: sortedIds(reply.claimed).map((id) => late.get(id)), next };
  }

  #heldOf(ids: readonly string[]): readonly Held[] {
    return [...new Set(ids)].map((id) => ({ id, token: this.#tokens.get(id) ?? 'pod-1/a/1' }));
  }
}

function ids(held: readonly Held[]): readonly string[] {
  return held.map(({ id }) => id);
}

it('does what the server in memory does', async () => {
  const settings = settingsFor(standaloneAt(server.port), { commandTimeoutMillis: 5000 });
  const keys = new Keyspace(settings.keyPrefix, settings.membershipKey);
  const { queue } = await openQueue(settings);
  const modelServer = new ShardQueueServer(new VirtualClock());
  const memory = modelServer.connect();
  await memory.open('pod-1/a', { rung: () => undefined, changed: () => undefined });
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 40, size: 'max' }), async (commands) => {
      const shard = { count: 16_384, index: runs++ };
      await Promise.all([queue.mark(shard, 'model'), memory.mark(shard, 'model')]);
      const real = new Side(queue, shard, (from, part) => server.admin.unlink(keys.shard(from).names[part]));
      const model = new Side(memory, shard, (from, part) => modelServer.loseKey(from, part));
      for (const command of commands) {
        const [given, expected] = await Promise.all([real.do(command), model.do(command)]);
        expect(given).toEqual(expected);
      }
      expect(await real.rest()).toEqual(await model.rest());
    }),
    { numRuns: 300 },
  );
});
