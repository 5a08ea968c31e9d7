/** The runbook on queue pressure, rehearsed: what it says to look at shows the two causes that it tells apart, and its action works. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SagaBuilder } from '../e2e/stage/definitions.ts';
import { ScriptedDownstream } from '../e2e/stage/downstream.ts';
import { parseMetrics } from '../metrics-text.ts';
import { openClusterStage, shortTimes, until } from './cluster-stage.ts';
import type { Pod } from './pod.ts';

const workers = 4;
/** Longer than new ids go to the same shard. */
const momentMillis = 210;
const runs = 5 * workers;
const waits = new Map<string, PromiseWithResolvers<void>>();
/** Does not answer before it is told to, by the name of the saga. */
const downstream = new ScriptedDownstream(({ path }) => {
  const wait = waits.get(path.split('/')[1] ?? '');
  return wait === undefined ? {} : { after: wait.promise };
});
const stage = openClusterStage({
  redis: 'standalone',
  // Calls last as long as the test has them last, also on a machine that is busy with other things.
  env: { ...shortTimes, RUNTIME_WORKERCOUNT: String(workers), HTTP_REQUESTTIMEOUTMILLIS: '250000' },
});

beforeAll(() => downstream.open());
afterAll(() => downstream.close());

interface ClusterDocument {
  readonly queue: { readonly oldestDueAgeMillis: number } | null;
  readonly pods: readonly {
    readonly id: string;
    readonly places: Readonly<Record<string, number>>;
    readonly fullHosts: readonly { readonly host: string }[];
  }[];
}

/** What `/cluster` shows of the pod that is asked, as the page's command does. */
async function shown(pod: Pod): Promise<ClusterDocument['pods'][number] & { readonly ageMillis: number }> {
  const { queue, pods } = (await pod.ask('GET', '/cluster')).body as unknown as ClusterDocument;
  return { ...pods.find(({ id }) => id.startsWith(pod.podId))!, ageMillis: queue?.oldestDueAgeMillis ?? 0 };
}

async function gauge(pod: Pod, name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
  const families = parseMetrics((await pod.ask('GET', '/metrics')).text);
  const samples = families.find((family) => family.name === name)?.samples ?? [];
  const isWanted = (of: Readonly<Record<string, string>>): boolean =>
    Object.entries(labels).every(([label, value]) => of[label] === value);
  return samples.find((sample) => isWanted(sample.labels))?.value ?? Number.NaN;
}

/** Starts more than the pod has places for; ends them when told to. */
async function load(pod: Pod, name: string): Promise<() => Promise<void>> {
  const wait = Promise.withResolvers<void>();
  waits.set(name, wait);
  const definition = new SagaBuilder(downstream.url, name).linear(['a']);
  const ids: string[] = [];
  for (let run = 0; run < runs; run++) {
    ids.push((await pod.ask('POST', '/workflows/run', { definition, payload: {} })).body.id as string);
    // What starts within one moment shares a shard; pods that are added need some of it in theirs.
    await pause(momentMillis);
  }
  return async () => {
    wait.resolve();
    for (const id of ids) {
      await until(async () => (await pod.ask('GET', `/workflows/${id}`)).body.status === 'SUCCEEDED');
    }
    // One call each: no pod took over what another pod had in hand.
    expect(downstream.calls(`/${name}/a`)).toHaveLength(runs);
  };
}

it('a slow host takes its share of the places, is named, and leaves the others free', async () => {
  const [pod] = (await stage.start('slow')) as [Pod];
  const end = await load(pod, 'slow');
  await until(async () => (await shown(pod)).fullHosts.length > 0);
  const { fullHosts, places } = await shown(pod);
  expect(fullHosts.map(({ host }) => host)).toEqual([downstream.url]);
  expect(places['calling']).toBe(workers / 2);
  await until(async () => (await gauge(pod, 'saga_places', { cause: 'free' })) > 0);
  await end();
  await pod.stop();
});

it('places that are all taken let the age grow, and pods that are added let it fall', async () => {
  const env = { HTTP_PERHOST_MAXCONCURRENCY: String(workers) };
  const pod = await stage.pod('full', env);
  await pod.start();
  const end = await load(pod, 'full');
  await until(async () => (await gauge(pod, 'saga_places', { cause: 'free' })) === 0);
  await until(async () => (await gauge(pod, 'saga_queue_oldest_due_age_seconds')) > 1);
  expect((await shown(pod)).ageMillis).toBeGreaterThan(1_000);
  expect(await gauge(pod, 'saga_workers_busy')).toBe(workers);
  const added = await Promise.all(['more-1', 'more-2'].map((id) => stage.pod(id, env)));
  await Promise.all(added.map((more) => more.start()));
  const pods = [pod, ...added];
  // As the page says: all shards have an owner again, and each pod takes what it has places for.
  const owned = async (): Promise<number> => {
    const counts = await Promise.all(pods.map((each) => gauge(each, 'saga_redis_owned_shards')));
    return counts.reduce((sum, count) => sum + count, 0);
  };
  await until(async () => (await owned()) === (await gauge(pod, 'saga_redis_shards')));
  await downstream.arrival('/full/a', workers + 1);
  await end();
  await until(async () => (await gauge(pod, 'saga_queue_oldest_due_age_seconds')) === 0);
});
