/**
 * What every shared queue server must do, whatever it is made of. An adapter's test calls {@link describeShardQueue} with
 * a bench that connects processes and lets time pass.
 */
import { afterEach, beforeEach, describe } from 'vitest';
import type { Shard, ShardPart } from '../../src/ports/shard-queue.ts';
import { Processes, incarnation, shard, type Process, type ShardBench } from './shard-queue/bench.ts';
import { describeBatches } from './shard-queue/batches.ts';
import { describeClaims } from './shard-queue/claims.ts';
import { describeEndings } from './shard-queue/endings.ts';
import { describeEnqueues } from './shard-queue/enqueues.ts';
import { describeLosses } from './shard-queue/losses.ts';
import { describeMembers } from './shard-queue/members.ts';
import { describePlaces } from './shard-queue/places.ts';
import { describeRenewals } from './shard-queue/renewals.ts';

/** Two open connections to one marked shard, anew for each test. */
export interface ShardWorld {
  readonly one: Process;
  readonly two: Process;
  readonly processes: Processes;
  readonly pass: (millis: number) => Promise<void>;
  readonly lose: (shard: Shard, part: ShardPart) => Promise<void>;
}

/** Runs the suite on the servers that `open` makes. */
export function describeShardQueue(name: string, open: () => Promise<ShardBench>): void {
  describe(name, () => {
    let world: ShardWorld;

    beforeEach(async () => {
      const bench = await open();
      const processes = new Processes(bench);
      const [one, two] = await Promise.all([processes.open('pod-1/a'), processes.open('pod-2/b')]);
      await one.queue.mark(shard, incarnation);
      world = {
        one,
        two,
        processes,
        pass: (millis) => bench.pass(millis),
        lose: (from, part) => bench.lose(from, part),
      };
    });

    afterEach(() => world.processes.close());

    const current = () => world;
    describe('claims', () => {
      describeClaims(current);
    });
    describe('endings', () => {
      describeEndings(current);
    });
    describe('places', () => {
      describePlaces(current);
    });
    describe('losses', () => {
      describeLosses(current);
    });
    describe('enqueue and restore', () => {
      describeEnqueues(current);
    });
    describe('renewal', () => {
      describeRenewals(current);
    });
    describe('members and bells', () => {
      describeMembers(current);
    });
    describe('batches, ids and connections', () => {
      describeBatches(current);
    });
  });
}
