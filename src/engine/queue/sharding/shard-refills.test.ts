import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startPod, type Pod } from '../../../../test/cluster-fixture.ts';
import { chain, RuntimeFixture } from '../../../../test/runtime-fixture.ts';
import { ShardQueueServer } from '../../../../simulator/queue/shard-queue-server.ts';

const filled = 'queue filled from the store';
const lost = 'the queue had lost shards: rebuilt from the store';

describe('what is said of refills', () => {
  let fixture: RuntimeFixture;
  let server: ShardQueueServer;

  beforeEach(() => {
    fixture = new RuntimeFixture();
    server = new ShardQueueServer(fixture.clock);
  });
  afterEach(() => fixture.close());

  const said = (): [level: string, message: string, shards: unknown][] =>
    fixture.logs
      .filter(({ message }) => message === filled || message === lost)
      .map(({ level, message, fields }) => [level, message, fields?.['shards']]);
  const shardsOf = (pods: readonly Pod[]): number =>
    pods.reduce((sum, { queue }) => sum + queue.owned.shards.length, 0);

  it('is one line of each process that fills a new queue, and a warning for each loss after it', async () => {
    const first = await startPod(fixture, server, 'a');
    await fixture.until(await fixture.submit(first.engine, chain('a')), 'over', 60_000);
    await fixture.clock.advance(10_000);
    expect(said()).toEqual([['info', filled, 64]]);

    server.wipe();
    await fixture.clock.advance(10_000);
    expect(said().slice(1)).toEqual([['warn', lost, 64]]);
  });

  it('is nothing of a process that finds the shards filled', async () => {
    const pods = [await startPod(fixture, server, 'a')];
    await fixture.clock.advance(10_000);
    pods.push(await startPod(fixture, server, 'b'));
    await fixture.clock.advance(10_000);
    expect(shardsOf(pods)).toBe(64);
    expect(said()).toEqual([['info', filled, 64]]);

    server.wipe();
    await fixture.clock.advance(10_000);
    expect(
      said()
        .slice(1)
        .map(([level]) => level),
    ).toEqual(['warn', 'warn']);
  });

  it.each([2, 5])('is no warning where %s processes start at the same time', async (count) => {
    const pods: Pod[] = [];
    for (let i = 0; i < count; i++) pods.push(await startPod(fixture, server, `p${String(i)}`));
    await fixture.clock.advance(30_000);
    expect(shardsOf(pods)).toBe(64);
    const lines = said();
    expect(lines.filter(([level]) => level !== 'info')).toEqual([]);
    expect(lines.length).toBeLessThanOrEqual(count);

    server.wipe();
    await fixture.clock.advance(10_000);
    const after = said().slice(lines.length);
    expect(after.filter(([level]) => level !== 'warn')).toEqual([]);
    // The members are forgotten, too: for a moment several processes believe that a shard is theirs.
    expect(after.reduce((sum, [, , shards]) => sum + Number(shards), 0)).toBeGreaterThanOrEqual(64);
  });

  it('is a warning where the server lost everything while no process ran', async () => {
    const { engine } = await startPod(fixture, server, 'a');
    await fixture.clock.advance(10_000);
    const stopped = engine.stop({ drainTimeoutMillis: 1_000 });
    await fixture.clock.advance(100);
    await stopped;
    server.wipe();
    await startPod(fixture, server, 'b');
    await fixture.clock.advance(10_000);
    const [first, ...rest] = said();
    expect(first).toEqual(['info', filled, 64]);
    expect(rest.every(([level, message]) => level === 'warn' && message === lost)).toBe(true);
    expect(rest.reduce((sum, [, , shards]) => sum + Number(shards), 0)).toBe(64);
  });
});
