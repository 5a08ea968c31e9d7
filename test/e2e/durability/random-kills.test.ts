/**
 * The server is killed again and again at random moments while many sagas run; in the end everything accepted is over,
 * and the downstream's own ledger fits every outcome.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { AnswerBody } from '../../api-fixture.ts';
import { type Answer, type Received, ScriptedDownstream } from '../stage/downstream.ts';
import { Stage } from '../stage/stage.ts';
import { kinds, Ledger } from './load.ts';

/** Kills at most, and at least; in between the time decides, since a busy machine takes long to start a process. */
const kills = { most: 20, least: 6, withinMillis: 15_000 };
const clients = 100;
/**
 * Calls that the downstream gets between kills: more than there are sagas, so that most get somewhere in every life. One
 * that never does is quarantined at its sixth claim, as an execution that may be what brings the process down.
 */
const life = { least: 200, most: 400 };

const ledger = new Ledger();
let lives = 1;
const killing = new AbortController();

const downstream = new ScriptedDownstream((request): Answer => {
  const node = request.path.split('/').at(-1);
  const failed = node === 'rejects' || (node === 'fails' && !ledger.knows(request));
  ledger.note(request, lives, failed);
  if (node === 'asks') void callBack(request);
  return { status: node === 'rejects' ? 400 : failed ? 500 : 200, after: pause(Math.random() * 30) };
});
const stage = new Stage({}, downstream);
beforeAll(() => stage.open());
afterAll(() => stage.close());

/** Calls back like a good service: until the server answers. */
async function callBack({ body }: Received): Promise<void> {
  const { to } = JSON.parse(body);
  await pause(Math.random() * 100);
  await persist(async () => {
    const status = await stage.callBack(to, { ok: true });
    return status < 500 ? status : undefined;
  });
}

/** Tries until there is an answer: the server may be down at any moment. */
async function persist<T>(attempt: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const answer = await attempt().catch(() => undefined);
    if (answer !== undefined) return answer;
    await pause(50);
  }
}

/** Runs one saga after the other until the killing is over; answers how they ended. */
async function client(number: number): Promise<AnswerBody[]> {
  const names = Object.keys(kinds);
  const ended: AnswerBody[] = [];
  for (let count = 0; !killing.signal.aborted; count++) {
    const name = names[(number + count) % names.length] ?? 'chain';
    const definition = kinds[name]?.definition(stage.saga(name));
    const key = { 'idempotency-key': `${number}-${count}` };
    const document = await persist(async () => {
      const { status, body, text } = await stage.ask('POST', '/workflows/run?waitMillis=10000', { definition }, key);
      if (status >= 400 && status < 500) throw new Error(text);
      return body?.completedAt === undefined ? undefined : body;
    });
    ended.push(document);
  }
  return ended;
}

it('keeps every promise through kills at random moments', { timeout: 180_000 }, async () => {
  const running = Array.from({ length: clients }, (_, number) => client(number));
  const begun = performance.now();
  const goesOn = (killed: number): boolean =>
    killed < kills.least || (killed < kills.most && performance.now() - begun < kills.withinMillis);
  for (let killed = 0; goesOn(killed); killed++) {
    const calls = life.least + Math.floor(Math.random() * (life.most - life.least));
    await downstream.count(downstream.received.length + calls);
    await stage.kill();
    lives++;
    await stage.start();
  }
  killing.abort();
  const ended = (await Promise.all(running)).flat();
  expect(ended.length).toBeGreaterThan(clients);
  const problems: string[] = [];
  for (const document of ended) {
    const [calls, steps] = [await stage.calls(document.id), await stage.steps(document.id)];
    problems.push(...ledger.problemsOf(document, calls, steps, Date.parse(document.completedAt as string)));
  }
  expect(problems).toEqual([]);
  // A client was told of each run: an answer lost to a kill is found again by its key.
  expect(ledger.executions).toEqual(new Set(ended.map(({ id }) => id)));
});
