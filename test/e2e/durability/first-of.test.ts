/** The server is killed while branches race and while losers are undone; one branch wins, and nothing of the others is left. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { AnswerBody } from '../../api-fixture.ts';
import { type Received, ScriptedDownstream } from '../stage/downstream.ts';
import { Stage } from '../stage/stage.ts';

const kills = 6;
/** Races that begin before each kill. */
const batch = 8;

interface Said {
  readonly n: number;
}

/** The nodes of each branch by its first one. */
const branches: Readonly<Record<string, readonly string[]>> = {
  a1: ['a1', 'a2'],
  b1: ['b1', 'b2', 'b3'],
  c1: ['c1', 'c2'],
};

const nodeOf = ({ path }: Received): string => path.split('/').at(-1) ?? '';
const isUndo = (request: Received): boolean => nodeOf(request).startsWith('undo-');

/** Each sixth race has a branch that is refused after its first call. */
const isRefused = (request: Received): boolean =>
  nodeOf(request) === 'a2' && (JSON.parse(request.body) as Said).n % 6 === 1;

const downstream = new ScriptedDownstream((request) => ({
  status: isRefused(request) ? 409 : 200,
  after: pause(isUndo(request) ? 20 + Math.random() * 40 : Math.random() * 30),
}));
const stage = new Stage({}, downstream);
beforeAll(() => stage.open());
afterAll(() => stage.close());

function definition(): object {
  const saga = stage.saga('race');
  const body = { body: { n: '{{payload.n}}' } };
  const task = (id: string, next: string) => ({
    ...saga.task(id, { next }, body),
    compensation: saga.call(`undo-${id}`, body),
  });
  const result = { winner: '{{nodes.end.response.body.winner}}', branches: '{{nodes.end.response.body.branches}}' };
  return saga.graph([
    { kind: 'split', id: 'fork', branches: Object.keys(branches), join: 'end' },
    ...Object.values(branches).flatMap((ids) => ids.map((id, i) => task(id, ids[i + 1] ?? 'end'))),
    { kind: 'join', id: 'end', mode: 'first', next: 'done' },
    task('done', 'told'),
    { kind: 'set', id: 'told', body: result },
  ]);
}

/** What is wrong with a race that is over; empty if nothing is. */
function problemsOf(n: number, document: AnswerBody, received: readonly Received[]): string[] {
  const problems: string[] = [];
  const check = (isRight: boolean, what: string): void => {
    if (!isRight) problems.push(`${String(n)}: ${what}`);
  };
  const own = received.filter((request) => (JSON.parse(request.body) as Said).n === n);
  const calls = (node: string) => own.filter((request) => nodeOf(request) === node);
  const place = (request: Received | undefined): number => (request === undefined ? -1 : own.indexOf(request));
  check(document.status === 'SUCCEEDED', `it is ${String(document.status)}`);
  const { winner, branches: ends } = document.result as {
    winner: string;
    branches: Record<string, { status: string }>;
  };
  const won = Object.entries(ends).filter(([, { status }]) => status === 'SUCCEEDED');
  check(won.length === 1 && won[0]?.[0] === winner, `${winner} won, but ${JSON.stringify(ends)}`);
  const [done] = calls('done');
  for (const [entry, nodes] of Object.entries(branches)) {
    for (const node of nodes) {
      const [up, down] = [calls(node), calls(`undo-${node}`)];
      check(new Set(up.map(({ key }) => key)).size <= 1, `${node} has several keys`);
      check(new Set(down.map(({ key }) => key)).size <= 1, `undo-${node} has several keys`);
      if (entry === winner) {
        check(up.length > 0 && down.length === 0, `${node} of the winner was undone, or never called`);
        continue;
      }
      const isLeft = up.length > 0 && down.length === 0 && !up.every(isRefused);
      check(!isLeft, `${node} of a loser was not undone`);
      check(down.length === 0 || place(up.at(-1)) < place(down[0]), `${node} was called after its undo`);
      // A kill may come between the row of a call and its request: the outcome is unknown, and is undone.
      const wrong = down.find(({ headers }) => up.length > 0 && headers['trama-compensates'] !== up[0]?.key);
      check(wrong === undefined, `undo-${node} names another call`);
      check(place(down.at(-1)) < place(done), `undo-${node} came after the run had gone on`);
      // A loser that is undone begins nothing new.
      const undone = nodes.flatMap((each) => calls(`undo-${each}`));
      const first = Math.min(...undone.map(place));
      check(
        up.length === 0 || place(up.at(-1)) < first || undone.length === 0,
        `${node} was called while it was undone`,
      );
    }
  }
  check(new Set(calls('done').map(({ key }) => key)).size === 1, 'done was not called under one key');
  check(calls('undo-done').length === 0, 'done was undone');
  return problems;
}

const undos = (): number => downstream.received.filter(isUndo).length;

it('races through kills', { timeout: 120_000 }, async () => {
  const started = definition();
  const ids: string[] = [];
  for (let killed = 0; killed < kills; killed++) {
    // Each batch has more undos than this waits for, whatever becomes of the earlier ones.
    const wanted = undos() + 1 + Math.floor(Math.random() * (batch - 1));
    const numbers = Array.from({ length: batch }, (_, i) => ids.length + i);
    ids.push(...(await Promise.all(numbers.map((n) => stage.run(started, { payload: { n } })))));
    while (undos() < wanted) await downstream.count(downstream.received.length + 1);
    await stage.kill();
    await stage.start();
  }
  const problems: string[] = [];
  for (const [n, id] of ids.entries()) problems.push(...problemsOf(n, await stage.untilEnd(id), downstream.received));
  expect(problems).toEqual([]);
});
