/**
 * Computed values in real processes, on both stores: `now` and `uuid` are the same on every attempt whatever is killed
 * between two of them, a new round sends the earlier request again, and no computation lets an echoed secret out.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Received } from '../e2e/stage/downstream.ts';
import { retries } from '../e2e/stage/definitions.ts';
import { Stage } from '../e2e/stage/stage.ts';
import { PostgresServer } from '../servers/postgres.ts';

const secret = 'hunter22-of-the-shop';
const env = { TRAMA_SECRET_API_KEY: secret, TRAMA_SECRET_PIN: '48151623', LOGGING_LEVEL: 'debug' };
const never = new Promise(() => undefined);
const occasion = { at: { $logic: { now: [] } }, id: { $logic: { uuid: ['x'] } } };
const v5 = /"id":"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"/;

let postgres: PostgresServer;

beforeAll(async () => {
  postgres = await PostgresServer.create();
});
afterAll(() => postgres.remove());

/** Answers as a careful downstream: a request with a known key must have the known body. */
function careful(): (request: Received) => { status: number } {
  const known = new Map<string, string>();
  return ({ key, body }) => {
    const earlier = known.get(key) ?? body;
    known.set(key, earlier);
    return { status: earlier === body ? 200 : 422 };
  };
}

describe.each(['SQLite', 'Postgres'])('on %s', (store) => {
  let stage: Stage;

  beforeAll(async () => {
    const database = store === 'Postgres' ? { DATABASE_URL: postgres.url(await postgres.createDatabase()) } : {};
    stage = new Stage({ ...env, ...database });
    await stage.open();
  });
  afterAll(() => stage.close());

  it('sends the same body after its process was killed between two attempts, and in the middle of one', async () => {
    const { downstream } = stage;
    const saga = stage.saga('killed');
    downstream.script('/killed/pay', { status: 500 }, { after: never }, { status: 500 }, {});
    downstream.script('/killed/ship', { status: 400 });
    downstream.script('/killed/undo-pay', { after: never }, { status: 500 }, {});
    const compensation = saga.call('undo-pay', { body: occasion });
    const patient = retries(5, { delayMillis: 1_500 });
    const id = await stage.run(
      saga.graph(
        [
          saga.task('pay', { failureHandling: patient, compensation, next: 'ship' }, { body: occasion }),
          saga.task('ship'),
        ],
        { compensationHandling: patient },
      ),
    );
    await downstream.arrival('/killed/pay', 1);
    await stage.until(id, ({ currentNodes }) => currentNodes?.[0]?.state === 'BACKOFF');
    await stage.kill();
    await stage.start();
    await downstream.arrival('/killed/pay', 2);
    await stage.kill();
    await stage.start();
    await downstream.arrival('/killed/undo-pay', 1);
    await stage.kill();
    await stage.start();
    expect(await stage.untilEnd(id)).toMatchObject({ status: 'FAILED', failedNodeId: 'ship' });
    const pays = downstream.calls('/killed/pay').map(({ body }) => body);
    const undos = downstream.calls('/killed/undo-pay').map(({ body }) => body);
    expect([pays.length, undos.length]).toEqual([4, 3]);
    expect([new Set(pays).size, new Set(undos).size]).toEqual([1, 1]);
    expect(pays[0]).toMatch(v5);
    // The same visit, hence the same identifier; another begin.
    expect(JSON.parse(undos[0]!).id).toBe(JSON.parse(pays[0]!).id);
    expect(JSON.parse(undos[0]!).at > JSON.parse(pays[0]!).at).toBe(true);
  });

  it('sends the earlier body with the earlier key in each new round', async () => {
    const { downstream } = stage;
    const saga = stage.saga('rounds');
    downstream.answer('/rounds/pay', careful());
    downstream.script('/rounds/ship', { status: 400 }, { status: 400 }, {});
    const pay = { ...saga.task('pay', { next: 'ship' }, { body: occasion }), compensation: null, uncompensated: true };
    const id = await stage.run(saga.graph([pay, saga.task('ship')]));
    for (const round of [1, 2]) {
      expect(
        await stage.until(id, (document) => document.round === round && document.completedAt !== undefined),
      ).toMatchObject({
        status: 'FAILED',
        failedNodeId: 'ship',
      });
      await stage.kill();
      await stage.start();
      expect(await stage.control(id, 'retry')).toBe(202);
    }
    expect(await stage.untilStatus(id, 'SUCCEEDED')).toMatchObject({ round: 3 });
    const pays = downstream.calls('/rounds/pay');
    expect(pays).toHaveLength(3);
    expect(new Set(pays.map(({ body, key }) => `${key} ${body}`)).size).toBe(1);
  });

  it('computes after a kill what it would have computed before, from what was answered then', async () => {
    const { downstream } = stage;
    const saga = stage.saga('slept');
    downstream.script('/slept/ask', { body: { price: 0.1, large: 'x'.repeat(300_000) } });
    const price = { var: 'nodes.ask.response.body.price' };
    const id = await stage.run(
      saga.graph(
        [
          { ...saga.task('ask', { next: 'nap' }), compensation: null, uncompensated: true },
          { kind: 'sleep', id: 'nap', until: { $logic: { date_add: [{ now: [] }, 'PT3S'] } }, next: 'sum' },
          {
            kind: 'set',
            id: 'sum',
            body: { total: { $logic: { '+': [price, 0.2] } }, all: '{{nodes.ask.response.body}}' },
          },
        ],
        { compensationHandling: undefined },
      ),
    );
    await stage.untilStatus(id, 'SLEEPING');
    await stage.kill();
    await stage.start();
    const { status, result } = await stage.untilEnd(id);
    expect([status, result.total, result.all.large.length]).toEqual(['SUCCEEDED', 0.3, 300_000]);
  });

  it('previews a compensation as of the moment, with the identifier of its visit', async () => {
    const saga = stage.saga('previewed');
    const compensation = saga.call('undo-pay', { body: occasion });
    const id = await stage.run(
      saga.graph([
        saga.task('pay', { compensation, next: 'nap' }, { body: occasion }),
        { kind: 'sleep', id: 'nap', duration: 'PT1H' },
      ]),
    );
    await stage.untilStatus(id, 'SLEEPING');
    const sent = JSON.parse(stage.downstream.calls('/previewed/pay')[0]!.body);
    await pause(50);
    const before = new Date().toISOString();
    const { body } = await stage.ask('GET', `/workflows/${id}/cancel-preview`);
    const shown = JSON.parse(body[0].body);
    expect(shown.id).toBe(sent.id);
    expect(shown.at >= before).toBe(true);
  });

  it('lets no computation make something of a secret that a downstream echoes', async () => {
    const { downstream } = stage;
    const saga = stage.saga('echo');
    downstream.script('/echo/ask', {
      body: { got: secret, pin: 48151623, [secret]: 'key', nested: JSON.stringify({ secret }) },
    });
    downstream.script('/echo/stop', { status: 400 });
    const got = { var: 'nodes.ask.response.body.got' };
    const lettersOf = (field: string): object => ({
      map: [
        { range: [0, 20] },
        { substr: [{ to_string: [{ var: `$.nodes.ask.response.body.${field}` }] }, { var: '' }, 1] },
      ],
    });
    const body = {
      base64: { $logic: { base64_encode: [got] } },
      upper: { $logic: { upper: [got] } },
      halves: { $logic: [{ slice: [got, 0, 10] }, { slice: [got, 10] }] },
      letters: { $logic: lettersOf('got') },
      reversed: {
        $logic: { reduce: [lettersOf('got'), { cat: [{ var: 'current' }, { var: 'accumulator' }] }, ''] },
      },
      digits: { $logic: lettersOf('pin') },
      keys: { $logic: { map: [{ keys: [{ var: 'nodes.ask.response.body' }] }, { upper: [{ var: '' }] }] } },
      text: { $logic: { upper: [{ json_stringify: [{ var: 'nodes.ask.response.body' }] }] } },
      whole: '{{nodes.ask.response.body}}',
      part: 'got {{nodes.ask.response.body.got}}',
      json: '{{{nodes.ask.response.body}}}',
    };
    const later = {
      $logic: { map: [{ values: [{ var: 'prev.body' }] }, { base64_encode: [{ json_stringify: [{ var: '' }] }] }] },
    };
    const id = await stage.run(
      saga.graph([
        saga.task('ask', { next: 'make' }, { headers: { 'x-key': '{{secrets.API_KEY}} {{secrets.PIN}}' } }),
        { kind: 'set', id: 'make', body, next: 'again' },
        { kind: 'set', id: 'again', body: later, next: 'use' },
        saga.task(
          'use',
          { next: 'stop' },
          { body: { made: '{{nodes.make.response.body}}', passed: '{{nodes.ask.response.body.got}}' } },
        ),
        { kind: 'fail', id: 'stop', reason: { $logic: { cat: ['Stopped: ', { upper: [got] }] } } },
      ]),
    );
    const document = await stage.untilEnd(id);
    expect(document).toMatchObject({ status: 'FAILED', failureDescription: 'Stopped: ***' });
    const sent = downstream.calls('/echo/use')[0]!.body;
    // Only what passes a body on sees the echo.
    expect(JSON.parse(sent).passed).toBe(secret);
    const shown = JSON.stringify([document, await stage.steps(id), await stage.calls(id)]);
    const made = sent.replace(`"passed":"${secret}"`, '');
    const texts = [made, shown];
    const halves = [secret.slice(0, 8), secret.slice(8)];
    for (const text of texts) {
      const decoded = [...text.matchAll(/[\w+/]{12,}={0,2}/g)].map(([part]) => Buffer.from(part, 'base64').toString());
      for (const view of [text, ...decoded]) {
        for (const half of halves) {
          expect(view.toLowerCase()).not.toContain(half.toLowerCase());
          expect(view.toLowerCase()).not.toContain(half.split('').reverse().join('').toLowerCase());
        }
      }
      expect(text).not.toContain('"h","u","n"');
      expect(text).not.toContain('"4","8","1"');
    }
  });

  it('shows a set as a node that answers: in the history, the status, the result and the metrics', async () => {
    const saga = stage.saga('shown');
    const total = { $logic: { sum: { map: [{ var: 'payload.lines' }, { '*': [{ var: 'price' }, { var: 'n' }] }] } } };
    const payload = {
      lines: [
        { price: 0.1, n: 3 },
        { price: 10.1, n: 1 },
      ],
    };
    const nodes = [{ kind: 'set', id: 'sum', body: { total, large: 9007199254740993n.toString() } }];
    const document = await stage.finish(
      saga.graph(nodes, { failureHandling: undefined, compensationHandling: undefined }),
      { payload },
    );
    expect(document).toMatchObject({ status: 'SUCCEEDED', result: { total: 10.4 } });
    expect(await stage.steps(document.id)).toMatchObject([
      { stepName: 'sum', phase: 'SET', outcome: 'succeeded', responseBody: { total: 10.4 } },
    ]);
    expect(await stage.calls(document.id)).toEqual([]);
    const { text } = await stage.ask('GET', '/metrics');
    expect(text).toMatch(/saga_node_duration_seconds_count\{[^}]*node_kind="set"[^}]*\} [1-9]/);
    const failed = await stage.finish(saga.graph([{ kind: 'set', id: 'sum', body: { $logic: { '/': [1, 0] } } }]));
    expect(failed).toMatchObject({ status: 'FAILED', reason: 'unsent', failedNodeId: 'sum' });
    expect(failed.failureDescription).toContain('The $logic at body failed');
  });
});
