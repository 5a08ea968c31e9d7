/** What templates and conditions see, and how much of it the history keeps. */
import { describe, expect, it } from 'vitest';
import { openStage } from '../stage/stage.ts';

const stage = openStage();
const { downstream } = stage;

describe('a template', () => {
  it.concurrent('sees the run and every node before it', async () => {
    const saga = stage.saga('seen');
    downstream.script('/seen/a', { status: 201, headers: { 'X-Trace-Of': 'a' }, body: { v: 'A' } });
    downstream.script('/seen/b.c', { body: { v: 'B' } });
    const body = {
      run: '{{sagaId}} {{sagaName}} {{sagaVersion}} {{stepName}} {{phase}} {{attempt}} {{round}}',
      data: '{{payload.x}} {{input.x}} {{labels.team}}',
      a: '{{nodes.a.response.status}} {{nodes.a.response.headers.x-trace-of}} {{nodes.a.visit}} {{nodes.a.idempotencyKey}}',
      dotted: '{{nodes.b.c.response.body.v}}',
      step: '{{step.a.body.v}} {{step.0.name}} {{step.1.up.body.v}}',
      prev: '{{prev.body.v}}',
      own: '{{nodes.last.idempotencyKey}}',
      all: '{{#steps}}{{name}};{{/steps}}',
    };
    const document = await stage.finish(
      saga.graph([
        saga.task('a', { next: 'b.c' }),
        saga.task('b.c', { next: 'last' }),
        saga.task('last', {}, { body }),
      ]),
      { payload: { x: 5 }, labels: { team: 'red' } },
    );
    const { id } = document;
    expect(JSON.parse(downstream.calls('/seen/last')[0]!.body)).toEqual({
      run: `${id} seen 1 last UP 1 1`,
      data: '5 5 red',
      a: `201 a 1 ${id}:1:a:1:UP`,
      dotted: 'B',
      step: 'A a B',
      prev: 'B',
      own: `${id}:1:last:1:UP`,
      all: 'a;b.c;',
    });
  });

  it.concurrent('sees the visits of nodes that make no call, also once they are read back from the store', async () => {
    const saga = stage.saga('quiet');
    const document = await stage.finish(
      saga.graph([
        { kind: 'sleep', id: 'nap', durationMillis: 20, next: 'again' },
        {
          kind: 'switch',
          id: 'again',
          cases: [{ when: { '<': [{ var: 'nodes.again.visit' }, 3] }, target: 'nap' }],
          default: 'tell',
        },
        saga.task('tell', { next: 'rest' }, { body: { nap: '{{nodes.nap.visit}}', again: '{{nodes.again.visit}}' } }),
        { kind: 'sleep', id: 'rest', durationMillis: 1500, next: 'last' },
        saga.task('last', {}, { body: { nap: '{{nodes.nap.visit}}', rest: '{{nodes.rest.visit}}' } }),
      ]),
    );
    expect(document.status).toBe('SUCCEEDED');
    expect(downstream.calls('/quiet/tell')[0]!.body).toBe('{"nap":3,"again":3}');
    expect(downstream.calls('/quiet/last')[0]!.body).toBe('{"nap":3,"rest":1}');
  });

  it.concurrent('names keys that hold dots, and sends no text as JSON that is none', async () => {
    const saga = stage.saga('named');
    const definition = saga.linear([], {
      requiredPayload: ['["user.email"]'],
      steps: [
        { name: 'a', up: saga.call('a', { body: { to: '{{payload["user.email"]}}' } }) },
        { name: 'b', up: saga.call('b', { body: '{"l":[{{#payload.list}}{{.}},{{/payload.list}}]}' }) },
      ],
    });
    expect(await stage.ask('POST', '/workflows/run', { definition, payload: { list: [] } })).toMatchObject({
      status: 400,
      body: { errors: ['payload["user.email"]: The definition requires a value here.'] },
    });
    const payload = { 'user.email': 'a@b.example', list: [1, 2] };
    const document = await stage.finish(definition, { payload });
    expect(downstream.calls('/named/a')[0]!.body).toBe('{"to":"a@b.example"}');
    expect(downstream.calls('/named/b')).toEqual([]);
    expect(document).toMatchObject({ status: 'FAILED', reason: 'unsent', failedNodeId: 'b' });
    expect(document.failureDescription).toContain('a comma stands before "]"');
  });

  it.concurrent('sees a whole body of which the history keeps the beginning', async () => {
    const saga = stage.saga('large');
    const long = 'x'.repeat(100_000);
    downstream.script('/large/a', { body: { long } });
    const { id } = await stage.finish(
      saga.graph([
        saga.task('a', { next: 'b' }),
        saga.task('b', {}, { body: { long: '{{nodes.a.response.body.long}}' } }),
      ]),
    );
    expect(JSON.parse(downstream.calls('/large/b')[0]!.body)).toEqual({ long });
    const [first] = await stage.steps(id);
    expect(first.responseBodyTruncated).toBe(true);
    expect(typeof first.responseBody).toBe('string');
    expect(first.responseBody.length).toBeLessThanOrEqual(65_536);
    const calls = await stage.calls(id);
    expect([calls[0].responseBodyTruncated, calls[1].requestBodyTruncated]).toEqual([true, true]);
    expect([typeof calls[0].responseBody, typeof calls[1].requestBody]).toEqual(['string', 'string']);
  });

  it.concurrent('shows a body that just fits as the value that it is', async () => {
    const saga = stage.saga('fitting');
    const body = { long: 'x'.repeat(65_500) };
    downstream.script('/fitting/a', { body });
    const { id } = await stage.finish(saga.graph([saga.task('a')]));
    const [step] = await stage.steps(id);
    const [call] = await stage.calls(id);
    expect([step.responseBody, call.responseBody]).toEqual([body, body]);
    expect(step.responseBodyTruncated).toBeUndefined();
  });

  it.concurrent('that grows beyond the limit of a request sends nothing', async () => {
    const saga = stage.saga('grown');
    const many = Array.from({ length: 600 }, () => 'y'.repeat(1000));
    const body = '{{#payload.many}}{{.}}{{.}}{{/payload.many}}';
    const document = await stage.finish(saga.graph([saga.task('a', {}, { body })]), { payload: { many } });
    expect(document).toMatchObject({ status: 'FAILED', reason: 'unsent', standing: [] });
    expect(downstream.order('/grown/')).toEqual([]);
  });
});

describe('requiredPayload', () => {
  it('refuses a run where one is missing or null', async () => {
    const definition = stage.saga('required').linear(['a'], { requiredPayload: ['order.id', 'amount'] });
    const run = (payload: object) => stage.ask('POST', '/workflows/run', { definition, payload });
    expect(await run({ order: { id: 1 }, amount: 0 })).toMatchObject({ status: 200 });
    const missing = await run({ order: {}, amount: null });
    expect(missing).toMatchObject({
      status: 400,
      body: { errors: [expect.stringContaining('order.id'), expect.stringContaining('amount')] },
    });
  });
});

describe('a condition', () => {
  it.concurrent('sees payload, nodes, labels, round and prev', async () => {
    const saga = stage.saga('conditions');
    downstream.script('/conditions/a', { body: { n: 10 } });
    const when = {
      and: [
        { '==': [{ var: 'payload.x' }, { var: 'input.x' }] },
        { '==': [{ var: 'nodes.a.response.body.n' }, 10] },
        { '==': [{ var: 'step.a.body.n' }, 10] },
        { '==': [{ var: 'prev.body.n' }, 10] },
        { '==': [{ var: 'labels.team' }, 'red'] },
        { '==': [{ var: 'round' }, 1] },
      ],
    };
    await stage.finish(
      saga.graph([
        saga.task('a', { next: 'choose' }),
        { kind: 'switch', id: 'choose', cases: [{ when, target: 'yes' }], default: 'no' },
        saga.task('yes'),
        saga.task('no'),
      ]),
      { payload: { x: 5 }, labels: { team: 'red' } },
    );
    expect(downstream.order('/conditions/')).toEqual(['a', 'yes']);
  });
});
