/** Starting executions over a real socket. */
import { describe, expect, it } from 'vitest';
import type { AnswerBody } from '../../api-fixture.ts';
import { openStage } from '../stage/stage.ts';

const stage = openStage();
const { downstream } = stage;

describe.each(['/workflows', '/sagas'])('%s', (prefix) => {
  const named = (name: string): string => `${name}-${prefix.slice(1)}`;

  it('starts an inline definition', async () => {
    const saga = stage.saga(named('inline'));
    const { status, headers, body } = await stage.ask('POST', `${prefix}/run`, {
      definition: saga.linear(['a']),
      payload: { n: 1 },
      labels: { team: 'red' },
    });
    expect(status).toBe(200);
    expect(body).toEqual({ id: expect.stringMatching(/^[\da-f-]{36}$/), status: expect.any(String) });
    expect(headers.get('location')).toBe(`${prefix}/${body.id}`);
    expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
    const document = await stage.untilEnd(body.id);
    expect(document).toMatchObject({
      id: body.id,
      name: saga.name,
      version: '1',
      definitionHash: expect.stringMatching(/^[\da-f]{64}$/),
      status: 'SUCCEEDED',
      round: 1,
      retryable: false,
      currentNodes: [],
      compensations: [],
      standing: [],
      payload: { n: 1 },
      labels: { team: 'red' },
      result: {},
      durationMillis: expect.any(Number),
    });
    for (const name of ['startedAt', 'updatedAt', 'completedAt']) {
      expect(new Date(document[name]).toISOString()).toBe(document[name]);
    }
    expect((await stage.ask('GET', `${prefix}/${body.id.toUpperCase()}`)).body).toEqual(document);
  });

  it('starts a stored version, or the most recently created one', async () => {
    const saga = stage.saga(named('stored'));
    for (const version of ['10', '9']) {
      expect((await stage.ask('POST', `${prefix}/definitions`, saga.linear(['a'], { version }))).status).toBe(200);
    }
    const run = (version: string, body?: object) =>
      stage.ask('POST', `${prefix}/definitions/${saga.name}/${version}/run?waitMillis=30000`, body);
    expect((await run('10')).body).toMatchObject({ version: '10', status: 'SUCCEEDED' });
    expect((await run('latest', { payload: { n: 1 } })).body).toMatchObject({ version: '9', payload: { n: 1 } });
    expect(await run('11')).toMatchObject({ status: 404, body: { code: 'unknown_definition' } });
  });
});

describe('a body with $logic', () => {
  it('is computed exactly, from what came before', async () => {
    const saga = stage.saga('computed');
    downstream.script('/computed/a', { body: '{"id":9007199254740993,"price":10.10}' });
    const lines = { map: [{ var: 'payload.lines' }, { '*': [{ var: 'price' }, { var: 'n' }] }] };
    const answer = { var: 'nodes.a.response.body' };
    const definition = saga.graph([
      saga.task('a', { next: 'b' }, { body: { total: { $logic: { sum: lines } } } }),
      saga.task('b', {}, { body: { of: { $logic: answer }, as: { $literal: { $logic: 1 } } } }),
    ]);
    const payload = { lines: [0.1, 0.2].map((price) => ({ price, n: 1 })) };
    const { body } = await stage.ask('POST', '/workflows/run?waitMillis=30000', { definition, payload });
    expect(body).toMatchObject({ status: 'SUCCEEDED' });
    expect(downstream.calls('/computed/a')[0]?.body).toBe('{"total":0.3}');
    expect(downstream.calls('/computed/b')[0]?.body).toBe(
      '{"of":{"id":9007199254740993,"price":10.10},"as":{"$logic":1}}',
    );
  });
});

describe('a definition that changed or went', () => {
  it('never touches what runs', async () => {
    const saga = stage.saga('pinned');
    const gate = Promise.withResolvers<undefined>();
    downstream.script('/pinned/a', { after: gate.promise });
    const { body: record } = await stage.ask('POST', '/workflows/definitions', saga.linear(['a', 'b']));
    const { body: started } = await stage.ask('POST', '/workflows/definitions/pinned/1/run');
    await downstream.arrival('/pinned/a');
    expect((await stage.ask('DELETE', `/workflows/definitions/${record.id}`)).status).toBe(204);
    expect((await stage.ask('POST', '/workflows/definitions', saga.linear(['c']))).status).toBe(200);
    gate.resolve(undefined);
    expect(await stage.untilEnd(started.id)).toMatchObject({ status: 'SUCCEEDED', definitionHash: record.hash });
    expect(downstream.order('/pinned/')).toEqual(['a', 'b']);
    expect((await stage.ask('GET', `/workflows/${started.id}/definition`)).body).toEqual(saga.linear(['a', 'b']));
  });
});

describe('Idempotency-Key', () => {
  const run = (name: string, key: string, rest: string) =>
    stage.ask('POST', '/workflows/run', `{"definition":${JSON.stringify(stage.saga(name).linear(['a']))}${rest}}`, {
      'idempotency-key': key,
    });

  it('gives many requests at once one execution', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => run('same', 'k-same', ',"payload":{"a":1,"b":[2]}')),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    const ids = new Set(answers.map(({ body }) => body.id));
    expect(ids.size).toBe(1);
    await stage.untilEnd([...ids][0]);
    expect(downstream.calls('/same/a')).toHaveLength(1);
    // Also afterwards, with other white space and another order of the fields.
    const again = await run('same', 'k-same', ' , "payload": { "b": [ 2 ], "a": 1 } ');
    expect([again.status, again.body.id]).toEqual([200, [...ids][0]]);
  });

  it.each([
    ['another payload', '{"n":1}', '{"n":2}', 422],
    ['other digits', '{"n":1}', '{"n":1.0}', 422],
    ['a digit that doubles cannot tell', '{"n":9007199254740992}', '{"n":9007199254740993}', 422],
    ['the same digits', '{"n":1.0}', '{"n":1.0}', 200],
    ['no payload where there was one', '{"n":1}', 'null', 422],
  ])('tells requests apart: %s', async (what, first, second, status) => {
    const one = await run('differs', what, `,"payload":${first}`);
    const two = await run('differs', what, `,"payload":${second}`);
    expect([one.status, two.status]).toEqual([200, status]);
    if (status === 200) expect(two.body.id).toBe(one.body.id);
    else expect(two.body).toMatchObject({ code: 'idempotency_key_reused', errors: [expect.any(String)] });
  });

  it('tells labels, startAt and definitions apart too', async () => {
    await run('parts', 'k-parts', '');
    const answers = await Promise.all([
      run('parts', 'k-parts', ',"labels":{"a":"b"}'),
      run('parts', 'k-parts', ',"startAt":"2030-01-01T00:00:00Z"'),
      run('parts-2', 'k-parts', ''),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([422, 422, 422]);
  });
});

describe('waitMillis', () => {
  it('answers with the status document when the time is up, or at the end', async () => {
    const saga = stage.saga('waits');
    const gate = Promise.withResolvers<undefined>();
    downstream.script('/waits/a', { after: gate.promise });
    const early = await stage.ask('POST', '/workflows/run?waitMillis=1', { definition: saga.linear(['a']) });
    expect(early).toMatchObject({ status: 200, body: { status: 'IN_PROGRESS', currentNodes: [{ nodeId: 'a' }] } });
    const late = stage.ask('POST', '/workflows/run?waitMillis=99999999', { definition: saga.linear(['a']) });
    await downstream.arrival('/waits/a', 2);
    gate.resolve(undefined);
    expect((await late).body).toMatchObject({ status: 'SUCCEEDED', result: {} });
  });

  it.each(['x', '1.5', ''])('%j is no number', async (text) => {
    const answer = await stage.ask('POST', `/workflows/run?waitMillis=${text}`, { definition: {} });
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  });
});

describe('digits', () => {
  it('stay from the payload through the downstream and back', async () => {
    const saga = stage.saga('digits');
    downstream.script('/digits/a', { body: '{"id":9007199254740993,"price":10.10,"tiny":1e-400}' });
    const definition = saga.graph([
      saga.task('a', { next: 'b' }, { body: { n: '{{payload.n}}', all: '{{payload}}', text: 'n={{payload.n}}' } }),
      saga.task(
        'b',
        { next: 'ask' },
        { body: '{"id":{{nodes.a.response.body.id}},"price":{{nodes.a.response.body.price}}}' },
      ),
      saga.asyncTask('ask', { next: 'c' }),
      saga.task(
        'c',
        {},
        { url: `${downstream.url}/digits/c?n={{nodes.ask.response.body.n}}`, body: '{{nodes.a.response.body}}' },
      ),
    ]);
    const { body } = await stage.ask(
      'POST',
      '/workflows/run',
      `{"definition":${JSON.stringify(definition)},"payload":{"n":9007199254740993,"m":10.10}}`,
    );
    await stage.ask('POST', (await stage.callbackOf('/digits/ask')).to, '{"n":1.00}');
    await stage.untilEnd(body.id);
    const sent = (node: string) => downstream.calls(`/digits/${node}`)[0]!;
    expect(sent('a').body).toBe(
      '{"n":9007199254740993,"all":{"n":9007199254740993,"m":10.10},"text":"n=9007199254740993"}',
    );
    expect(sent('b').body).toBe('{"id":9007199254740993,"price":10.10}');
    expect(sent('c').body).toBe('{"id":9007199254740993,"price":10.10,"tiny":1e-400}');
    expect(sent('c').path).toBe('/digits/c?n=1.00');
    const { text } = await stage.ask('GET', `/workflows/${body.id}`);
    expect(text).toContain('"payload":{"n":9007199254740993,"m":10.10}');
    const steps = await stage.ask('GET', `/workflows/${body.id}/steps`);
    expect(steps.body.map((step: AnswerBody) => typeof step.responseBody)).toEqual(Array(5).fill('object'));
    const calls = await stage.ask('GET', `/workflows/${body.id}/steps/calls`);
    const events = await stage.ask('GET', `/workflows/${body.id}/events`);
    // Values, with the digits that came.
    for (const { text: rows } of [steps, calls, events]) {
      expect(rows).toContain('"responseBody":{"id":9007199254740993,"price":10.10,"tiny":1e-400}');
    }
    expect(steps.text).toContain('"responseBody":{"n":1.00}');
    expect(calls.text).toContain('"requestBody":{"id":9007199254740993,"price":10.10}');
  });
});
