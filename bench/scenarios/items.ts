import { Pool } from 'undici';
import { startBackend } from '../backends.ts';
import { post, pushDefinition } from '../load.ts';
import { startPods, stopPods } from '../pods.ts';
import { residentMib, startMock } from '../processes.ts';
import type { Add, NamedDefinition, Options } from '../report.ts';
import { loopDefinition } from './loop.ts';
import { rateOf, reportCosts, watch, type Sample } from './costs.ts';

const itemsOfTarget = 100_000;

/** The part of the items that the comparison with a loop takes. */
const comparedShare = 0.2;

/** Items at the same time where a loop over items may do more than one. */
const together = 16;

/** A call for each item, so many at the same time; where it is to fail, everything is undone. */
function itemsDefinition(mockUrl: string, maxConcurrency: number, fails: boolean): NamedDefinition {
  const call = (path: string): object => ({ url: `${mockUrl}/${path}`, verb: 'POST', body: { n: '{{index}}' } });
  return {
    name: `items-${String(maxConcurrency)}-${fails ? 'undone' : 'done'}`,
    version: new URL(mockUrl).port,
    entrypoint: 'each',
    nodes: [
      {
        kind: 'forEach',
        id: 'each',
        items: '{{payload.items}}',
        maxConcurrency,
        entry: 'work',
        ...(fails ? { next: 'enough' } : undefined),
      },
      { kind: 'task', id: 'work', action: { mode: 'sync', request: call('visit') }, compensation: call('undo') },
      ...(fails ? [{ kind: 'fail', id: 'enough', reason: 'That was all.' }] : []),
    ],
  };
}

/** After the calls of a loop, which does not fail. */
const nap = { kind: 'sleep', id: 'enough', durationMillis: 1 };

/**
 * A forEach of a hundred thousand items (`--count`), a call each, {@link together} at a time; then it fails, and every item is undone. What an
 * item costs at the beginning and at the end, and the memory of the pod. Before that, a fifth as many calls by a loop, by a forEach with one
 * item at a time, and by one with {@link together}: how many each makes per second.
 */
export async function items(options: Options, add: Add): Promise<void> {
  const count = options.count ?? itemsOfTarget;
  const backend = await startBackend(options.backend);
  const mock = await startMock(0);
  const servers = await startPods(backend, { pods: 1, workers: options.workers });
  const [server] = servers;
  const pool = new Pool(server.url);
  const postgres = async (): Promise<number> => (await backend.work()).postgresCpu;
  const run = async (definition: NamedDefinition, payload: object, times: number): Promise<readonly Sample[]> => {
    const from = mock.counts.visit;
    const { status, text } = await post(pool, await pushDefinition(server, definition), { payload });
    if (status !== 200) throw new Error(text);
    return watch('visit', times, { mock, server, postgres, from });
  };
  const numbers = (times: number): object => ({ items: Array.from({ length: times }, (_, item) => item) });
  try {
    const compared = Math.max(100, Math.round(count * comparedShare));
    const loop = rateOf(await run(loopDefinition(mock.url, nap), { times: compared }, compared), compared);
    add('a loop: calls', loop.perSecond, '/s');
    add('a loop: pod CPU of a call', loop.pod, 'ms');
    for (const concurrency of [1, together]) {
      const definition = itemsDefinition(mock.url, concurrency, false);
      const rate = rateOf(await run(definition, numbers(compared), compared), compared);
      const title = `a forEach, ${String(concurrency)} at a time`;
      add(`${title}: items`, rate.perSecond, '/s');
      add(`${title}: pod CPU of an item`, rate.pod, 'ms');
      add(`${title}, to a loop`, rate.perSecond / loop.perSecond, 'ratio', '>= 1');
    }
    add('items', count, '');
    const samples = await run(itemsDefinition(mock.url, together, true), numbers(count), count);
    reportCosts(add, 'an item', samples, count);
    add('after the items: memory', residentMib(server.pid), 'MiB');
    reportCosts(add, 'an undo', await watch('undo', count, { mock, server, postgres }), count);
    add('after their compensations: memory', residentMib(server.pid), 'MiB');
  } finally {
    await pool.close();
    await stopPods(servers);
    await mock.stop();
    await backend.close();
  }
}
