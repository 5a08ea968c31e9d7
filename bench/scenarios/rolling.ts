import { Pool } from 'undici';
import { startBackend } from '../backends.ts';
import { percentile, post, pushDefinition, wait } from '../load.ts';
import { startPods, stopPods, type PodOptions } from '../pods.ts';
import { startMock, type Server } from '../processes.ts';
import type { Add, Options } from '../report.ts';
import { chainDefinition } from './chain.ts';

const mockDelayMillis = 20;
/** What the chart waits between a new pod and the end of an old one. */
const minReadySeconds = 10;

/** Where runs go: in turn to every pod that is not about to stop. */
class Balancer {
  readonly #pools = new Map<Server, Pool>();
  #turn = 0;

  add(pod: Server): void {
    this.#pools.set(pod, new Pool(pod.url, { connections: 64 }));
  }

  /** No more runs for it; those under way are answered. */
  async remove(pod: Server): Promise<void> {
    const pool = this.#pools.get(pod);
    this.#pools.delete(pod);
    await pool?.close();
  }

  next(): Pool {
    const pools = [...this.#pools.values()];
    return pools[this.#turn++ % pools.length] as Pool;
  }
}

/**
 * A rolling restart under load: runs come in at an even pace (`--count` a second, by default 100; a chain of three calls of 20 ms
 * each), spread over the pods as a load balancer does it. How long do they take, from submission to the last call, while
 * nothing happens, and while one pod after the other is replaced: a new one is started and ready for some seconds, then the
 * old one is told to stop (SIGTERM) and gets no more runs? Which calls are lost or come twice?
 *
 * Starting a process takes much of a small machine for a second. What that costs is measured, too: a pod is started and
 * none stops.
 */
export async function rolling(options: Options, add: Add): Promise<void> {
  const { backend: name, seconds, workers, count: perSecond = 100 } = options;
  if (name === 'embedded') throw new Error('An embedded store has one process: nothing to replace.');
  const podCount = Math.max(3, options.pods);
  const backend = await startBackend(name);
  const mock = await startMock(mockDelayMillis);
  const podOptions: PodOptions = { pods: 1, workers };
  const pods: Server[] = [];
  const balancer = new Balancer();
  const begun = new Map<string, number>();
  const ended = new Map<string, number>();
  /** When runs were sent that were not accepted. */
  const refused: string[] = [];
  let latencies: number[] = [];
  const over = new AbortController();
  let sent = 0;

  const join = async (): Promise<void> => {
    const [pod] = await startPods(backend, podOptions);
    pods.push(pod);
    balancer.add(pod);
  };
  const leave = async (): Promise<void> => {
    const pod = pods.shift() as Server;
    await balancer.remove(pod);
    await pod.stop();
  };
  const took = (id: string): void => {
    const [from, to] = [begun.get(id), ended.get(id)];
    if (from !== undefined && to !== undefined) latencies.push(to - from);
  };
  let twice = 0;
  mock.onFinished = (ids) => {
    for (const id of ids) {
      if (ended.has(id)) twice++;
      ended.set(id, performance.now());
      took(id);
    }
  };
  /** The figures of what ended while `during` went on. */
  const measure = async (what: string, during: () => Promise<unknown>, target?: string): Promise<void> => {
    latencies = [];
    await during();
    const measured = latencies;
    add(`${what}: runs`, measured.length, '');
    add(`${what}: p50`, percentile(measured, 50), 'ms');
    add(`${what}: p99`, percentile(measured, 99), 'ms', target);
    add(`${what}: longest`, percentile(measured, 100), 'ms');
  };

  try {
    for (let i = 0; i < podCount; i++) await join();
    const path = await pushDefinition(pods[0] as Server, chainDefinition(mock.url));
    const submit = async (): Promise<void> => {
      const at = performance.now();
      const { status, text } = await post(balancer.next(), path, { payload: { order: `o-${String(sent++)}` } });
      if (status !== 200) {
        refused.push(`${String(status)} ${text}`);
        return;
      }
      const { id } = JSON.parse(text) as { id: string };
      begun.set(id, at);
      took(id);
    };
    const load = (async () => {
      const from = performance.now();
      for (let i = 0; !over.signal.aborted; i++) {
        const early = from + (i * 1000) / perSecond - performance.now();
        if (early > 0) await wait(early / 1000);
        submit().catch((error: unknown) => refused.push(String(error)));
      }
    })();
    await wait(Math.max(10, seconds / 2));
    await measure('nothing happens', () => wait(seconds));
    await measure('a pod is started', () => Promise.all([join(), wait(5)]));
    await wait(minReadySeconds);
    await measure('a pod stops', () => Promise.all([leave(), wait(5)]));
    await wait(5);
    await measure(
      `${String(podCount)} pods are replaced`,
      async () => {
        for (let i = 0; i < podCount; i++) {
          await join();
          await wait(minReadySeconds);
          await leave();
        }
      },
      '<= twice as long',
    );
    over.abort();
    await load;
    for (let i = 0; i < 300 && ended.size < begun.size; i++) await wait(0.1);
    add('runs in all', begun.size, '');
    add('runs refused', refused.length, '', '0');
    add('runs without a last call', begun.size - ended.size, '', '0');
    add('last calls made twice', twice, '', '0');
    if (refused.length > 0) throw new Error(`Runs were refused: ${refused[0] ?? ''}`);
  } finally {
    await stopPods(pods);
    await mock.stop();
    await backend.close();
  }
}
