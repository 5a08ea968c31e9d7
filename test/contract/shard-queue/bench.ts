/** What the suite for shared queue servers needs of an adapter, and the words that its tests share. */
import { expect } from 'vitest';
import type {
  Held,
  Renewed,
  Ring,
  Shard,
  ShardClaimed,
  ShardClaimReply,
  ShardClaimRequest,
  ShardItem,
  ShardPart,
  ShardQueue,
} from '../../../src/ports/shard-queue.ts';

/** One server under test, empty at first. */
export interface ShardBench {
  /** A connection of another process, not open yet. */
  connect(): ShardQueue;
  /** Lets that much time pass on the server. */
  pass(millis: number): Promise<void>;
  /** The server loses that part of a shard, as one does that evicts keys. */
  lose(shard: Shard, part: ShardPart): Promise<void>;
  close(): Promise<void>;
}

/** A lease that is waited for: long enough for an operation on a real server. */
export const shortLease = 400;

/** A lease that no test waits for. */
export const lease = 60_000;

/** What the shards of the tests are rebuilt for. */
export const incarnation = 'incarnation-1';

/** The shard most tests use. */
export const shard: Shard = { count: 64, index: 7 };

/** An open connection that remembers what it was told. */
export interface Process {
  readonly queue: ShardQueue;
  /** The process part of its tokens. */
  readonly name: string;
  readonly rings: Ring[];
}

/** Opens connections, and closes all of them at the end. */
export class Processes {
  readonly #bench: ShardBench;
  readonly #opened: ShardQueue[] = [];

  constructor(bench: ShardBench) {
    this.#bench = bench;
  }

  /** Opens a connection as member `<name>`, whose tokens begin with `<name>/`. */
  async open(name: string): Promise<Process> {
    const queue = this.#bench.connect();
    this.#opened.push(queue);
    const rings: Ring[] = [];
    await queue.open(name, { rung: (ring) => rings.push(ring), changed: () => undefined });
    return { queue, name: `${name}/`, rings };
  }

  async close(): Promise<void> {
    await Promise.all(this.#opened.splice(0).map((queue) => queue.close()));
    await this.#bench.close();
  }
}

/** An item due after `delayMillis`. */
export function item(id: string, delayMillis: number = 0): ShardItem {
  return { id, delayMillis };
}

/** Claims as their holder renews them: due for so long already. */
export function renewed(held: readonly Held[], lateMillis: number = 0): readonly Renewed[] {
  return held.map(({ id, token }) => ({ id, token, delayMillis: -lateMillis }));
}

/** A request of that process. */
export function request(process: Process, options: Partial<ShardClaimRequest> = {}): ShardClaimRequest {
  const notAfter = process.queue.serverNow() + 60_000;
  return { max: 10, leaseMillis: lease, process: process.name, firstNumber: 1, notAfter, incarnation, ...options };
}

/** Claims, and expects that the claim was admitted. */
export async function claimReply(
  process: Process,
  options: Partial<ShardClaimRequest> = {},
  from: Shard = shard,
): Promise<ShardClaimReply & { kind: 'claimed' }> {
  const reply = await process.queue.claim(from, request(process, options));
  expect(reply.kind).toBe('claimed');
  return reply as ShardClaimReply & { kind: 'claimed' };
}

/** What a claim hands over. */
export async function claim(
  process: Process,
  options: Partial<ShardClaimRequest> = {},
  from: Shard = shard,
): Promise<readonly ShardClaimed[]> {
  return (await claimReply(process, options, from)).claimed;
}

/** Claims, and expects exactly one id. */
export async function claimSingle(process: Process, options: Partial<ShardClaimRequest> = {}): Promise<Held> {
  const claimed = await claim(process, options);
  expect(claimed).toHaveLength(1);
  const { id, token } = claimed[0]!;
  return { id, token };
}

/** The ids, in order. */
export function ids(claimed: readonly Held[]): readonly string[] {
  return claimed.map(({ id }) => id);
}

/** The ids without an order. */
export function sortedIds(claimed: readonly Held[]): readonly string[] {
  return ids(claimed).toSorted();
}

/** Claims one id under this token. */
export async function claimOne(
  { queue }: Process,
  from: Shard,
  { id, token }: Held,
  leaseMillis: number,
  run: string,
): Promise<'claimed' | 'held' | 'unmarked'> {
  const end = token.lastIndexOf('/') + 1;
  const names = { process: token.slice(0, end), firstNumber: Number(token.slice(end)) };
  const answers = await queue.claimEach(from, [id], { ...names, leaseMillis, incarnation: run });
  if (answers === 'unmarked') return answers;
  expect(answers).toHaveLength(1);
  return answers[0] === true ? 'claimed' : 'held';
}
