/** A family of ten thousand children under four pods, over Postgres and a Redis Cluster, whose pods are killed in turn. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SagaBuilder } from '../e2e/stage/definitions.ts';
import { ScriptedDownstream } from '../e2e/stage/downstream.ts';
import { openClusterStage, shortTimes, until } from './cluster-stage.ts';

const count = 10_000;
const together = 128;
const kills = 8;

/** Every so many children, the last call is refused, and the one before it is undone. */
const isRefused = (place: number): boolean => place % 10 === 3;

interface Said {
  readonly place: number;
}

const stage = openClusterStage({ redis: 'cluster', env: shortTimes });
const downstream = new ScriptedDownstream(({ path, body }) => ({
  status: path.endsWith('/confirm') && isRefused((JSON.parse(body) as Said).place) ? 409 : 200,
}));
beforeAll(() => downstream.open());
afterAll(() => downstream.close());

function definitions(): readonly [leaf: object, root: object] {
  const leaf = new SagaBuilder(downstream.url, 'leaf');
  const body = { body: { place: '{{payload.place}}' } };
  const pay = { ...leaf.task('pay', { next: 'confirm' }, body), compensation: leaf.call('undo-pay', body) };
  const root = new SagaBuilder(downstream.url, 'root');
  return [
    leaf.graph([pay, leaf.task('confirm', {}, body)]),
    root.graph([
      {
        kind: 'forEach',
        id: 'each',
        items: { $logic: { range: [0, count] } },
        entry: 'sub',
        maxConcurrency: together,
        onItemFailure: 'continue',
        collect: false,
      },
      {
        kind: 'workflow',
        id: 'sub',
        definition: { name: 'leaf', version: 'latest' },
        payload: { place: '{{item}}' },
      },
    ]),
  ];
}

/** Keys of the calls of a node, by place. */
function keysOf(node: string): ReadonlyMap<number, ReadonlySet<string>> {
  const keys = new Map<number, Set<string>>();
  for (const { body, key } of downstream.calls(`/leaf/${node}`)) {
    const { place } = JSON.parse(body) as Said;
    keys.set(place, (keys.get(place) ?? new Set()).add(key));
  }
  return keys;
}

it('runs ten thousand children once each, whichever pod dies', { timeout: 900_000 }, async () => {
  const pods = await stage.start('one', 'two', 'three', 'four');
  const [leaf, definition] = definitions();
  await stage.next().ask('POST', '/workflows/definitions', leaf);
  const { id } = (await stage.next().ask('POST', '/workflows/run', { definition, payload: {} })).body;
  for (let killed = 0; killed < kills; killed++) {
    const { length } = downstream.received;
    await Promise.race([downstream.count(length + count / 8), pause(20_000)]);
    const pod = pods[killed % pods.length]!;
    await pod.kill();
    await pod.start();
  }
  await until(async () => (await stage.next().ask('GET', `/workflows/${id}`)).body.completedAt !== undefined);
  const refused = Array.from({ length: count }, (_, place) => place).filter(isRefused);
  expect((await stage.next().ask('GET', `/workflows/${id}`)).body).toMatchObject({
    status: 'SUCCEEDED',
    result: { count, failed: refused.length },
    standing: [],
    children: { count, running: 0, corrupted: 0 },
  });
  for (const [node, places] of [
    ['pay', count],
    ['confirm', count],
    ['undo-pay', refused.length],
  ] as const) {
    const keys = keysOf(node);
    const twice = [...keys].filter(([, of]) => of.size > 1).map(([place]) => place);
    expect({ node, places: keys.size, twice }).toEqual({ node, places, twice: [] });
  }
  expect([...keysOf('undo-pay').keys()].toSorted((x, y) => x - y)).toEqual(refused);
});
