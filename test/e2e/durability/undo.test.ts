/** The server is killed while runs that had succeeded are undone; each is undone once, in its order, and to its end. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { AnswerBody } from '../../api-fixture.ts';
import { type Received, ScriptedDownstream } from '../stage/downstream.ts';
import { Stage } from '../stage/stage.ts';

const kills = 6;
/** Runs whose undo begins before each kill. */
const batch = 5;
const runs = kills * batch;

interface Said {
  readonly n: number;
}

const nodeOf = ({ path }: Received): string => path.split('/').at(-1) ?? '';
const saidBy = ({ body }: Received): number => (JSON.parse(body) as Said).n;

/** Whether a run has a call that its downstream refuses to undo until it is mended. */
const isStuck = (n: number): boolean => n % 7 === 3;
let isMended = false;

const downstream = new ScriptedDownstream((request) => ({
  status: nodeOf(request) === 'undo-charge' && isStuck(saidBy(request)) && !isMended ? 403 : 200,
  after: pause(nodeOf(request).startsWith('undo-') ? Math.random() * 40 : Math.random() * 5),
}));
const stage = new Stage({}, downstream);
beforeAll(() => stage.open());
afterAll(() => stage.close());

/** The calls that undo a run, in their order; the node of the child and of the items within it. */
const order = ['undo-thank', 'undo-send', 'undo-pack', 'undo-pack', 'undo-pack', 'undo-charge'];

async function definition(): Promise<object> {
  const body = { body: { n: '{{payload.n}}' } };
  const task = (name: string, id: string, more: object = {}) => {
    const saga = stage.saga(name);
    return { ...saga.task(id, more, body), compensation: saga.call(`undo-${id}`, body) };
  };
  await stage.ask('POST', '/workflows/definitions', stage.saga('parcel').graph([task('parcel', 'send')]));
  return stage.saga('undone').graph([
    task('undone', 'charge', { next: 'each' }),
    { kind: 'forEach', id: 'each', items: [1, 2, 3], entry: 'pack', maxConcurrency: 2, next: 'ship' },
    task('undone', 'pack'),
    {
      kind: 'workflow',
      id: 'ship',
      definition: { name: 'parcel', version: 'latest' },
      payload: { n: '{{payload.n}}' },
      next: 'thank',
    },
    task('undone', 'thank'),
  ]);
}

/** What is wrong with a run that was undone; empty if nothing is. */
function problemsOf(n: number, document: AnswerBody, received: readonly Received[]): string[] {
  const problems: string[] = [];
  const check = (what: string, got: unknown, wanted: unknown): void => {
    if (JSON.stringify(got) !== JSON.stringify(wanted))
      problems.push(`${String(n)} ${what}: ${JSON.stringify(got)}, not ${JSON.stringify(wanted)}`);
  };
  const { status, reason, standing, round, children } = document;
  check('end', { status, reason, standing, round }, { status: 'CANCELLED', reason: 'undone', standing: [], round: 1 });
  check('children', [children?.count, children?.running, children?.corrupted], [1, 0, 0]);
  // A call that was repeated after a kill has the key of the first one.
  const calls = [...new Map(received.filter((each) => saidBy(each) === n).map((each) => [each.key, each])).values()];
  check('calls', calls.length, 2 * order.length);
  check('order of undo', calls.slice(order.length).map(nodeOf), order);
  const undone = new Set(calls.slice(order.length).map(({ headers }) => headers['trama-compensates']));
  check('what was undone', undone, new Set(calls.slice(0, order.length).map(({ key }) => key)));
  return problems;
}

async function undo(id: string): Promise<number> {
  return (await stage.ask('POST', `/workflows/${id}/undo`, { reason: 'Sent back.' })).status;
}

it('is undone through kills', { timeout: 120_000 }, async () => {
  const started = await definition();
  const ids = await Promise.all(Array.from({ length: runs }, (_, n) => stage.run(started, { payload: { n } })));
  for (const id of ids) expect((await stage.untilEnd(id)).status).toBe('SUCCEEDED');
  const before = downstream.received.length;
  expect(before).toBe(runs * order.length);

  for (let killed = 0; killed < kills; killed++) {
    // Each batch has more calls than this waits for; the first kill comes before most of them.
    const wanted = downstream.received.length + killed * 4;
    const answers = await Promise.all(ids.slice(killed * batch, (killed + 1) * batch).map(undo));
    expect(new Set(answers)).toEqual(new Set([202]));
    await downstream.count(wanted);
    await stage.kill();
    await stage.start();
  }
  for (const [n, id] of ids.entries()) {
    const { status, failureDescription } = await stage.untilEnd(id);
    expect([n, status]).toEqual([n, isStuck(n) ? 'CORRUPTED' : 'CANCELLED']);
    if (isStuck(n)) expect(failureDescription).toContain('charge');
    else expect(failureDescription).toBe('Sent back.');
    expect(await undo(id)).toBe(409);
  }

  isMended = true;
  for (const id of ids.filter((_, n) => isStuck(n)))
    expect(await stage.control(id, 'retry', { reason: 'Mended.' })).toBe(202);
  await stage.kill();
  await stage.start();
  const problems: string[] = [];
  for (const [n, id] of ids.entries()) {
    const document = await stage.until(id, ({ status }) => status === 'CANCELLED');
    problems.push(...problemsOf(n, document, downstream.received));
  }
  expect(problems).toEqual([]);
});
