import { Pool } from 'undici';
import type { JsonObject } from '../../src/core/value/json.ts';
import { startBackend } from '../backends.ts';
import { percentile, post, pushDefinition } from '../load.ts';
import { startPods, stopPods } from '../pods.ts';
import { startMock, type Server } from '../processes.ts';
import type { Add, NamedDefinition, Options } from '../report.ts';
import { reportCosts, watch } from './costs.ts';

const iterationsOfTarget = 100_000;

const failing = { kind: 'fail', id: 'enough', reason: 'That was all.' };

/** A call that a switch repeats `payload.times` times; `last` is the node after it, with the id `enough`. */
export function loopDefinition(mockUrl: string, last: JsonObject & { readonly kind: string }): NamedDefinition {
  const call = (path: string): unknown => ({
    url: `${mockUrl}/${path}`,
    verb: 'POST',
    body: { n: '{{nodes.work.visit}}' },
  });
  return {
    name: `loop-${last.kind}`,
    version: new URL(mockUrl).port,
    maxNodeVisits: 1_000_000,
    entrypoint: 'work',
    nodes: [
      {
        kind: 'task',
        id: 'work',
        action: { mode: 'sync', request: { url: `${mockUrl}/visit`, verb: 'POST', body: { ok: true } } },
        compensation: call('undo'),
        next: 'again',
      },
      {
        kind: 'switch',
        id: 'again',
        cases: [{ when: { '<': [{ var: 'nodes.work.visit' }, { var: 'payload.times' }] }, target: 'work' }],
        default: 'enough',
      },
      last,
    ],
  };
}

/** How long clients wait. */
async function reportQueries(add: Add, title: string, server: Server, id: string): Promise<void> {
  const pool = new Pool(server.url, { connections: 1 });
  const get = async (path: string): Promise<{ readonly millis: number; readonly cursor: string | undefined }> => {
    const at = performance.now();
    const response = await pool.request({ method: 'GET', path: `/workflows/${id}${path}` });
    const text = await response.body.text();
    if (response.statusCode !== 200) throw new Error(text);
    return { millis: performance.now() - at, cursor: response.headers['x-next-cursor']?.toString() };
  };
  const paths = {
    status: '',
    steps: '/steps?limit=100',
    'last steps': '/steps?limit=100&order=desc',
    calls: '/steps/calls?limit=100',
  };
  for (const [what, path] of Object.entries(paths)) {
    const millis: number[] = [];
    for (let i = 0; i < 20; i++) millis.push((await get(path)).millis);
    add(`${title}: ${what}, p99`, percentile(millis, 99), 'ms', '<= 50');
  }
  await pool.close();
}

/**
 * One execution that loops a hundred thousand times (`--count`): what an iteration (a call, a switch) costs at the beginning
 * and at the end, in processor time of the pod and of Postgres. Then it fails, and the same for the compensations of what
 * it has done. In between and afterwards: how long clients wait for its status, steps and calls.
 *
 * Processor time, because the machine's speed changes while it runs.
 */
export async function loop(options: Options, add: Add): Promise<void> {
  const { backend: name, pods, workers } = options;
  const count = options.count ?? iterationsOfTarget;
  const backend = await startBackend(name);
  const mock = await startMock(0);
  const servers = await startPods(backend, { pods: Math.min(1, pods), workers });
  const [server] = servers;
  const postgres = async (): Promise<number> => (await backend.work()).postgresCpu;
  try {
    const path = await pushDefinition(server, loopDefinition(mock.url, failing));
    const pool = new Pool(server.url);
    const { text } = await post(pool, path, { payload: { times: count } });
    await pool.close();
    const { id } = JSON.parse(text) as { id: string };
    add('iterations', count, '');
    reportCosts(add, 'an iteration', await watch('visit', count, { mock, server, postgres }), count);
    await reportQueries(add, 'after the loop', server, id);
    reportCosts(add, 'a compensation', await watch('undo', count, { mock, server, postgres }), count);
    await reportQueries(add, 'after its compensations', server, id);
  } finally {
    await stopPods(servers);
    await mock.stop();
    await backend.close();
  }
}
