import { startBackend, type Backend, type Work } from '../backends.ts';
import { accept, bareCalls, oneAtATime, pushDefinition, saturate } from '../load.ts';
import { startPods, stopPods } from '../pods.ts';
import { cpuMillis, residentMib, startMock, type Server } from '../processes.ts';
import type { Add, NamedDefinition, Options } from '../report.ts';

/** The chain of three POSTs, retries off. */
export function chainDefinition(mockUrl: string): NamedDefinition {
  const step = (n: number, read: string): unknown => ({
    kind: 'task',
    id: `call${String(n)}`,
    action: {
      mode: 'sync',
      request: {
        url: `${mockUrl}/${String(n)}`,
        verb: 'POST',
        body: {
          order: '{{payload.order}}',
          customer: '{{payload.customer}}',
          amount: '{{payload.amount}}',
          note: 'a line of text that makes the body about two hundred bytes long in all',
          previous: read,
        },
      },
    },
    ...(n < 3 ? { next: `call${String(n + 1)}` } : undefined),
  });
  return {
    name: 'chain',
    // A definition never changes, and the mock's port does.
    version: new URL(mockUrl).port,
    failureHandling: { type: 'retry', maxAttempts: 0, delayMillis: 0 },
    entrypoint: 'call1',
    nodes: [
      step(1, 'none'),
      step(2, '{{nodes.call1.response.body.reference}}'),
      step(3, '{{nodes.call2.response.body.reference}}'),
    ],
  };
}

/** Redis commands, Postgres transactions and CPU of a pod while nothing happens, per second. */
async function idle(server: Server, backend: Backend, seconds: number): Promise<Work & { readonly engineCpu: number }> {
  // Postgres tells what it has done with a delay of some seconds.
  await new Promise((resolve) => setTimeout(resolve, 12_000));
  const [before, cpu] = [await backend.work(), cpuMillis(server.pid)];
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const after = await backend.work();
  return {
    engineCpu: (cpuMillis(server.pid) - cpu) / seconds,
    postgresCpu: (after.postgresCpu - before.postgresCpu) / seconds,
    redisCpu: (after.redisCpu - before.redisCpu) / seconds,
    transactions: (after.transactions - before.transactions) / seconds,
    commands: (after.commands - before.commands) / seconds,
  };
}

/**
 * The chain: three sync tasks in a row, each a POST of about 200 B to a mock that answers after 20 or 0 ms. Saturated, one
 * at a time, only accepted, and the pod idle; against the floor of three bare calls.
 */
export async function chain({ backend: name, pods: podCount, seconds, workers }: Options, add: Add): Promise<void> {
  const isEmbedded = name === 'embedded';
  const backend = await startBackend(name);
  try {
    for (const delay of [20, 0]) {
      const mock = await startMock(delay);
      const pods = await startPods(backend, { pods: podCount, workers });
      const [server] = pods;
      const label = `chain, ${String(delay)} ms`;
      try {
        if (delay === 20) {
          add('start to ready', server.startMillis, 'ms', isEmbedded ? '<= 800' : undefined);
          add('memory idle', residentMib(server.pid), 'MiB', isEmbedded ? '<= 105' : undefined);
        }
        const runPath = await pushDefinition(server, chainDefinition(mock.url));
        if (delay === 0) {
          const light = await oneAtATime(server, runPath, 1_000);
          add(`${label}, one at a time: p50`, light.p50, 'ms', '<= 7');
          add(`${label}, one at a time: p99`, light.p99, 'ms', '<= 20');
        }
        const inFlight = delay === 20 ? 512 : 256;
        const warmUpSeconds = Math.min(5, seconds);
        // Warmed up as the engine is, in a process that keeps what it has compiled.
        const { perSecond: floor } = await bareCalls(mock, { inFlight, seconds: warmUpSeconds, warmUpSeconds });
        const full = await saturate(pods, mock, runPath, {
          inFlight,
          seconds,
          warmUpSeconds,
          work: () => backend.work(),
        });
        const at = `${label}, ${String(inFlight)} in flight`;
        const target = isEmbedded ? '>= 1800' : '>= 1700';
        add(`${at}: throughput`, full.perSecond, 'wf/s', delay === 20 ? target : undefined);
        add(
          `${at}: engine CPU${isEmbedded ? ', store included' : ''}`,
          full.cpuPerWorkflow,
          'ms/wf',
          isEmbedded ? undefined : '<= 0.45',
        );
        if (!isEmbedded && full.perWorkflow !== undefined) {
          const { postgresCpu, redisCpu, transactions, commands } = full.perWorkflow;
          add(`${at}: Postgres CPU`, postgresCpu, 'ms/wf', '<= 0.16');
          add(`${at}: Postgres transactions`, transactions, '1/wf');
          if (name !== 'postgres') {
            add(`${at}: Redis CPU`, redisCpu, 'ms/wf', '<= 0.02');
            add(`${at}: Redis commands`, commands, '1/wf');
          }
        }
        add(`${at}: p50`, full.p50, 'ms');
        add(`${at}: p99`, full.p99, 'ms');
        add(`${at}: memory`, full.residentMib, 'MiB', isEmbedded ? '<= 190' : '<= 200');
        add(`${label}: three bare calls (floor)`, floor, 'wf/s');
        add(`${label}: of the floor`, full.perSecond / floor, 'ratio', delay === 20 ? '>= 0.4' : undefined);
        if (delay === 0) {
          const accepted = await accept(server, runPath, { clients: 64, seconds: Math.min(5, seconds) });
          add('accepted runs, 64 clients', accepted.perSecond, '1/s', '>= 4000');
          add('accepted runs: p99', accepted.p99, 'ms', '<= 100');
          add('accepted runs: engine CPU', accepted.cpuPerRun, 'ms/run');
          if (!isEmbedded) {
            const quiet = await idle(server, backend, Math.max(10, seconds));
            add('idle pod: CPU', quiet.engineCpu, 'ms/s', '<= 5');
            add('idle: Postgres transactions, all pods', quiet.transactions, '1/s', '<= 1 a pod');
            if (name !== 'postgres') add('idle: Redis commands, all pods, sweeps included', quiet.commands, '1/s');
          }
        }
      } finally {
        await stopPods(pods);
        await mock.stop();
      }
    }
  } finally {
    await backend.close();
  }
}
