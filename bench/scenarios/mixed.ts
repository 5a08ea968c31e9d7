import { startBackend } from '../backends.ts';
import { oneAtATime, pushDefinition, saturate } from '../load.ts';
import { startPods, stopPods } from '../pods.ts';
import { startMock } from '../processes.ts';
import type { Add, NamedDefinition, Options } from '../report.ts';

const mockDelayMillis = 20;
const sleepMillis = 50;
const inFlight = 512;

function mixedDefinition(mockUrl: string): NamedDefinition {
  const request = (path: string, headers?: Readonly<Record<string, string>>): unknown => ({
    url: `${mockUrl}/${path}`,
    verb: 'POST',
    ...(headers === undefined ? undefined : { headers }),
    body: {
      order: '{{payload.order}}',
      customer: '{{payload.customer}}',
      amount: '{{payload.amount}}',
      note: 'a line of text that makes the body about two hundred bytes long in all',
    },
  });
  const sync = (id: string, path: string, next?: string): unknown => ({
    kind: 'task',
    id,
    action: { mode: 'sync', request: request(path) },
    ...(next === undefined ? undefined : { next }),
  });
  return {
    name: 'mixed',
    version: new URL(mockUrl).port,
    failureHandling: { type: 'retry', maxAttempts: 0, delayMillis: 0 },
    entrypoint: 'begin',
    nodes: [
      sync('begin', '1', 'fork'),
      { kind: 'split', id: 'fork', branches: ['book', 'approve', 'rest'], join: 'meet' },
      sync('book', '2'),
      {
        kind: 'task',
        id: 'approve',
        action: {
          mode: 'async',
          request: request('callback', { 'Bench-Callback': '{{runtime.callback.signedUrl}}' }),
          callback: { timeoutMillis: 60_000 },
        },
      },
      { kind: 'sleep', id: 'rest', durationMillis: sleepMillis, next: 'wakeUp' },
      sync('wakeUp', '2'),
      { kind: 'join', id: 'meet', next: 'finish' },
      sync('finish', '3'),
    ],
  };
}

/**
 * The mixed workload: task -> split [sync task | async task with a callback | sleep of 50 ms -> task] -> join -> task, against a mock that
 * answers, and calls back, after 20 ms. Saturated, and one at a time.
 */
export async function mixed({ backend: name, pods, seconds, workers }: Options, add: Add): Promise<void> {
  const backend = await startBackend(name);
  const mock = await startMock(mockDelayMillis);
  const servers = await startPods(backend, { pods, workers });
  try {
    const path = await pushDefinition(servers[0], mixedDefinition(mock.url));
    const light = await oneAtATime(servers[0], path, 50);
    add('one at a time: p50', light.p50, 'ms');
    add('one at a time: p99', light.p99, 'ms');
    const full = await saturate(servers, mock, path, {
      inFlight,
      seconds,
      warmUpSeconds: Math.min(5, seconds),
      work: () => backend.work(),
    });
    add(`${String(inFlight)} in flight: throughput`, full.perSecond, 'wf/s');
    add('calls per second', full.perSecond * 5, '1/s');
    add('engine CPU', full.cpuPerWorkflow, 'ms/wf');
    if (full.perWorkflow !== undefined && name !== 'embedded') {
      add('Postgres CPU', full.perWorkflow.postgresCpu, 'ms/wf');
      add('Postgres transactions', full.perWorkflow.transactions, '1/wf');
      if (backend.redis.length > 0) {
        add('Redis CPU', full.perWorkflow.redisCpu, 'ms/wf');
        add('Redis commands', full.perWorkflow.commands, '1/wf');
      }
    }
    add('p50', full.p50, 'ms');
    add('p99', full.p99, 'ms');
    add('memory', full.residentMib, 'MiB', '<= 200');
  } finally {
    await stopPods(servers);
    await mock.stop();
    await backend.close();
  }
}
