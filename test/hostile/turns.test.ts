/**
 * What one turn does is bounded: conditions, templates and requests whose cost grows faster than they do, in sizes that grow, and many
 * of them at once. The server answers `/healthz` all the while, and each run ends as its definition says.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../chaos/cluster-stage.ts';
import { SagaBuilder } from '../e2e/stage/definitions.ts';
import { ScriptedDownstream } from '../e2e/stage/downstream.ts';
import { Arena } from './arena.ts';

const arena = new Arena({ SECURITY_LIMITS_MAXREQUESTBYTES: String(4 * 1024 * 1024) });
const downstream = new ScriptedDownstream();
let saga: SagaBuilder;
beforeAll(async () => {
  await Promise.all([arena.open(), downstream.open()]);
  saga = new SagaBuilder(downstream.url, 'hostile');
});
afterAll(async () => {
  await arena.close();
  await downstream.close();
});

const variable = (name: string): object => ({ var: `payload.${name}` });
const repeated = <T>(count: number, of: T): T[] => Array.from({ length: count }, () => of);

/** A switch that goes to `end` by default, where the execution fails. */
const decides = (id: string, when: object, count = 1, next = 'end'): object => ({
  kind: 'switch',
  id,
  cases: repeated(count, { when, target: 'held' }),
  default: next,
});
const ends = [
  { kind: 'fail', id: 'end', reason: 'no case' },
  { kind: 'fail', id: 'held', reason: 'a case' },
];

interface Status {
  readonly status: string;
  readonly errors?: readonly string[];
  readonly description?: string;
}

async function start(definition: object, payload: object): Promise<string> {
  const answer = await arena.send('POST', '/workflows/run', { definition, payload });
  expect([answer.status, answer.body]).toEqual([200, expect.anything()]);
  return (answer.body as { id: string }).id;
}

async function ended(id: string): Promise<Status> {
  let seen: Status | undefined;
  await until(async () => {
    seen = (await arena.send('GET', `/workflows/${id}`)).body as Status;
    return ['SUCCEEDED', 'FAILED', 'CANCELLED', 'CORRUPTED'].includes(seen.status);
  });
  return seen!;
}

const runs = (definition: object, payload: object, count = 1): Promise<Status[]> =>
  arena.survives(() => Promise.all(repeated(count, 0).map(async () => ended(await start(definition, payload)))));

describe('a condition', () => {
  it.each([10_000, 450_000])('searches a text of %i repeated letters', async (length) => {
    const half = 'a'.repeat(length / 4);
    const definition = saga.graph([decides('look', { in: [variable('needle'), variable('text')] }), ...ends]);
    const payload = { needle: `${half}b${half}`, text: 'a'.repeat(length) };
    for (const status of await runs(definition, payload, 4)) expect(status.status).toBe('FAILED');
  });

  it.each([50, 5_000])('adds up a number of 400 000 digits %i times', async (times) => {
    const definition = saga.graph([decides('add', { '+': repeated(times, variable('digits')) }), ...ends]);
    for (const status of await runs(definition, { digits: '9'.repeat(400_000) }, 4))
      expect(status.status).toBe('FAILED');
  });

  it.each(['<', 'substr', 'missing_some'])(
    'gives a list that holds itself twice, forty times over, to %s',
    async (name) => {
      const nest = { reduce: [repeated(40, 0), [{ var: 'accumulator' }, { var: 'accumulator' }], [1]] };
      const logic = name === 'substr' ? { substr: ['text', nest] } : { [name]: [nest, ['payload.x']] };
      const definition = saga.graph([decides('nest', logic), ...ends]);
      for (const status of await runs(definition, {}, 2)) expect(status.status).toBe('FAILED');
    },
  );

  it.each([10, 60])('is one of %i in each of two switches that loop', async (cases) => {
    const part = { substr: [{ var: '' }, 0, 1] };
    const slow = { '!': { none: [variable('list'), { in: ['y', { cat: [part, part, part] }] }] } };
    const definition = saga.graph(
      [decides('one', slow, cases, 'other'), decides('other', slow, cases, 'one'), ends[1]!],
      { maxNodeVisits: 2 },
    );
    for (const status of await runs(definition, { list: repeated(3_500, 'text') }, 2)) {
      expect(status).toMatchObject({ status: 'FAILED', reason: 'visits' });
    }
  });
});

describe('a request', () => {
  it.each([70, 700])('has %i headers of the whole payload', async (count) => {
    const headers = Object.fromEntries(repeated(count, 0).map((_, i) => [`X-${String(i)}`, '{{payload}}']));
    const definition = saga.graph([saga.task('send', {}, { headers })]);
    for (const status of await runs(definition, { text: 'x'.repeat(1_000_000) }, 2)) {
      expect(status).toMatchObject({ status: 'FAILED', reason: 'unsent' });
    }
  });

  it.each([1_000, 100_000])('asks for a number of 900 000 digits %i times', async (times) => {
    const body = { x: '{{#payload.list}}{{#payload.big}}y{{/payload.big}}{{/payload.list}}' };
    const definition = saga.graph([saga.task('send', {}, { body })]);
    const digits = `1${'0'.repeat(900_000)}`;
    const payload = `{"list":[${repeated(times, 1).join(',')}],"big":${digits}}`;
    const answer = await arena.survives(async () => {
      const { status, body: run } = await arena.send(
        'POST',
        '/workflows/run',
        `{"definition":${JSON.stringify(definition)},"payload":${payload}}`,
      );
      expect(status).toBe(200);
      return ended((run as { id: string }).id);
    });
    expect(answer).toMatchObject({ status: 'FAILED', reason: 'unsent' });
  });

  it.each([30, 90])('goes out of each of %i branches, and takes long to render', async (branches) => {
    const body = { x: '{{#payload.list}}{{#payload.list}}{{/payload.list}}{{/payload.list}}' };
    const tasks = repeated(branches, 0).map((_, i) => saga.task(`t${String(i)}`, {}, { body }));
    const split = { kind: 'split', id: 'all', branches: tasks.map((_, i) => `t${String(i)}`), join: 'joined' };
    const definition = saga.graph([
      split,
      ...tasks.map((task) => ({ ...task, next: 'joined' })),
      { kind: 'join', id: 'joined', next: 'end' },
      ends[0]!,
    ]);
    for (const status of await runs(definition, { list: repeated(250, 1) })) {
      expect(status).toMatchObject({ status: 'FAILED' });
    }
  });

  it.each([25, 100])('asks for all of %i steps in each item of a list', async (steps) => {
    const before = repeated(steps, 0).map((_, i) => ({
      ...saga.task(`s${String(i)}`),
      next: i + 1 === steps ? 'send' : `s${String(i + 1)}`,
    }));
    const body = { x: '{{#payload.list}}{{steps.0.name}}{{step.0.index}}{{/payload.list}}' };
    const definition = saga.graph([...before, saga.task('send', {}, { body })]);
    for (const status of await runs(definition, { list: repeated(30_000, 1) }, 2)) {
      expect(status).toMatchObject({ status: 'SUCCEEDED' });
    }
  });
});

it.each([10, 40])('previews %i requests of a megabyte', async (count) => {
  const body = { x: '{{payload.text}}' };
  const nodes = repeated(count, 0).map((_, i) => ({
    ...saga.task(`t${String(i)}`),
    compensation: saga.call('undo', { body }),
    next: i + 1 === count ? 'rest' : `t${String(i + 1)}`,
  }));
  const definition = saga.graph([...nodes, { kind: 'sleep', id: 'rest', durationMillis: 60_000 }]);
  const id = await start(definition, { text: 'x'.repeat(900_000) });
  await until(async () => ((await arena.send('GET', `/workflows/${id}`)).body as Status).status === 'SLEEPING');
  const pages: number[] = [];
  await arena.survives(async () => {
    let query = '';
    do {
      const page = await arena.send('GET', `/workflows/${id}/cancel-preview${query}`);
      expect(page.status).toBe(200);
      pages.push((page.body as readonly unknown[]).length);
      const cursor = page.headers.get('x-next-cursor');
      query = cursor === null ? '' : `?cursor=${encodeURIComponent(cursor)}`;
    } while (query !== '');
  });
  expect(Math.max(...pages)).toBeLessThan(8);
  expect(pages.reduce((sum, length) => sum + length, 0)).toBe(count);
  expect((await arena.send('POST', `/workflows/${id}/terminate`)).status).toBe(202);
});
