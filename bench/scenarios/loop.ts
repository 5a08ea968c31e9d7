import { Pool } from 'undici';
import { startBackend } from '../backends.ts';
import { percentile, post, pushDefinition, wait } from '../load.ts';
import { startPods, stopPods } from '../pods.ts';
import { cpuMillis, startMock, type Mock, type Server } from '../processes.ts';
import { say, type Add, type NamedDefinition, type Options } from '../report.ts';

const iterationsOfTarget = 100_000;

/** Of all iterations, those at either end that are compared. */
const share = 0.1;

/** Iterations before the first that are compared: V8 is cold for some thousand executions' worth of work. */
const warmUpShare = 0.05;

function loopDefinition(mockUrl: string): NamedDefinition {
  const call = (path: string): unknown => ({
    url: `${mockUrl}/${path}`,
    verb: 'POST',
    body: { n: '{{nodes.work.visit}}' },
  });
  return {
    name: 'loop',
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
      { kind: 'fail', id: 'enough', reason: 'That was all.' },
    ],
  };
}

interface Sample {
  readonly done: number;
  readonly at: number;
  readonly pod: number;
  readonly postgres: number;
}

/** Cost of what was done between two points, each given as a share of all. */
function costBetween(samples: readonly Sample[], from: number, to: number): Sample {
  const at = (done: number): Sample => samples.find((sample) => sample.done >= done) ?? (samples.at(-1) as Sample);
  const [start, end] = [at(from), at(to)];
  const done = Math.max(1, end.done - start.done);
  return {
    done,
    at: (end.at - start.at) / done,
    pod: (end.pod - start.pod) / done,
    postgres: (end.postgres - start.postgres) / done,
  };
}

/** Watches a counter of the mock until it has reached `count`. */
async function watch(
  which: keyof Mock['counts'],
  count: number,
  {
    mock,
    server,
    postgres,
  }: { readonly mock: Mock; readonly server: Server; readonly postgres: () => Promise<number> },
): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  for (let told = 0; ;) {
    const done = mock.counts[which];
    samples.push({ done, at: performance.now(), pod: cpuMillis(server.pid), postgres: await postgres() });
    if (done >= count) return samples;
    if (Math.floor((done / count) * 10) > told) {
      told = Math.floor((done / count) * 10);
      say(`${which}: ${String(done)} of ${String(count)}`);
    }
    await wait(0.25);
  }
}

function reportCosts(add: Add, title: string, samples: readonly Sample[], count: number): void {
  const first = costBetween(samples, count * warmUpShare, count * (warmUpShare + share));
  const last = costBetween(samples, count * (1 - share), count);
  add(`${title}: first, pod CPU`, first.pod, 'ms');
  add(`${title}: last, pod CPU`, last.pod, 'ms');
  if (last.postgres > 0) {
    add(`${title}: first, Postgres CPU`, first.postgres, 'ms');
    add(`${title}: last, Postgres CPU`, last.postgres, 'ms');
  }
  add(`${title}: last to first, CPU`, (last.pod + last.postgres) / (first.pod + first.postgres), 'ratio', '<= 1.2');
  add(`${title}: last to first, time`, last.at / first.at, 'ratio');
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
    const path = await pushDefinition(server, loopDefinition(mock.url));
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
