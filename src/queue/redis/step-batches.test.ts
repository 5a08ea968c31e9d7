import { describe, expect, it } from 'vitest';
import { Keyspace } from './keyspace.ts';
import { StepBatches } from './step-batches.ts';

const keyspace = new Keyspace('t', 'pods');
const keysOf = (index: number) => keyspace.shard({ count: 1024, index });

/** A link that answers each step with its place in the script. */
function recorder() {
  const sent: { slot: number; script: string; steps: number }[] = [];
  return {
    sent,
    runOn: (_: string, slot: number, script: string, [keys]: readonly (string | number)[]) => {
      const steps = Number(keys) / (script === 'finish' ? 3 : 2);
      sent.push({ slot, script, steps });
      return Promise.resolve(Array.from({ length: steps }, (_, at) => at));
    },
  };
}

const enqueue = (batches: StepBatches, index: number) =>
  batches.run('enqueue', 'enqueue', keysOf(index), ['ready', 'claims'], [1, 0, `id-${String(index)}`]);
const finish = (batches: StepBatches, index: number) =>
  batches.run('finish', 'finish', keysOf(index), ['ready', 'inflight', 'claims'], [1, 'id', 'token', -1]);

describe('steps of one turn', () => {
  it('leave together, and each gets its own reply', async () => {
    const link = recorder();
    const batches = new StepBatches(link, false);
    expect(await Promise.all([0, 1, 2].map((index) => enqueue(batches, index)))).toEqual([0, 1, 2]);
    expect(link.sent).toEqual([{ slot: keysOf(0).slot, script: 'enqueue', steps: 3 }]);
  });

  it('meet only in their own slot in a cluster', async () => {
    const link = recorder();
    const batches = new StepBatches(link, true);
    await Promise.all([enqueue(batches, 0), enqueue(batches, 1), enqueue(batches, 0)]);
    expect(link.sent.map(({ steps }) => steps)).toEqual([2, 1]);
  });

  it('keep their order with steps of another kind, and with other commands', async () => {
    const link = recorder();
    const batches = new StepBatches(link, false);
    const all = [enqueue(batches, 0), finish(batches, 1), finish(batches, 2), enqueue(batches, 3)];
    batches.flush(keysOf(9).slot);
    expect(link.sent.map(({ script, steps }) => [script, steps])).toEqual([
      ['enqueue', 1],
      ['finish', 2],
      ['enqueue', 1],
    ]);
    all.push(enqueue(batches, 4));
    expect(link.sent).toHaveLength(3);
    await Promise.all(all);
    expect(link.sent).toHaveLength(4);
  });

  it('are several scripts where they are very many', async () => {
    const link = recorder();
    const batches = new StepBatches(link, false);
    await Promise.all(Array.from({ length: 250 }, (_, index) => enqueue(batches, index)));
    expect(link.sent.map(({ steps }) => steps)).toEqual([100, 100, 50]);
  });

  it('all fail when their script does', async () => {
    const batches = new StepBatches({ runOn: () => Promise.reject(new Error('away')) }, false);
    const all = await Promise.allSettled([enqueue(batches, 0), enqueue(batches, 1)]);
    expect(all.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });
});
