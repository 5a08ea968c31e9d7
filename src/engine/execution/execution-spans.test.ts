import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chain, graph, RuntimeFixture, type Reply } from '../../../test/runtime-fixture.ts';
import type { JsonObject } from '../../core/value/json.ts';
import type { Span } from '../../ports/tracer.ts';
import type { Engine } from '../engine.ts';
import { roundSpanIdOf } from '../trace-context.ts';

describe('spans of an execution', () => {
  let fixture: RuntimeFixture;
  let engine: Engine;
  let spans: Span[];
  let wanted: boolean;
  const asked: (readonly [traceId: string, isParentSampled: boolean | undefined])[] = [];

  beforeEach(async () => {
    spans = [];
    wanted = true;
    asked.length = 0;
    fixture = new RuntimeFixture();
    fixture.telemetry.tracer = {
      samples: (...args) => {
        asked.push(args);
        return wanted;
      },
      record: (span) => spans.push(span),
    };
    engine = await fixture.engine();
  });
  afterEach(() => fixture.close());

  const calls = (): readonly Span[] => spans.filter(({ name }) => name === 'node.execute');
  const run = async (definition: JsonObject, more: { payload?: JsonObject } = {}): Promise<string> => {
    const id = await fixture.submit(engine, definition, more);
    await fixture.until(id);
    return id;
  };
  const request = (url: string, headers: JsonObject = {}): JsonObject =>
    graph([{ kind: 'task', id: 'a', action: { mode: 'sync', request: { url, verb: 'GET', headers } } }]);

  it('are one for each attempt, named by its header, below one for the round', async () => {
    const begun = fixture.clock.now();
    fixture.http.reply = (path) => (path === 'c' ? { status: 400 } : { afterMillis: 20 });
    const id = await run(chain('a', 'b', 'c'));
    expect(calls().map(({ attributes, error }) => [attributes['node.id'], attributes['phase'], error])).toEqual([
      ['a', 'UP', undefined],
      ['b', 'UP', undefined],
      ['c', 'UP', 'HTTP 400'],
      ['b', 'DOWN', undefined],
      ['a', 'DOWN', undefined],
    ]);
    const traceId = id.replaceAll('-', '');
    expect(fixture.http.calls.map((call) => call.request.headers['traceparent'])).toEqual(
      calls().map((span) => `00-${traceId}-${span.spanId}-01`),
    );
    expect(new Set(calls().map(({ parentSpanId }) => parentSpanId))).toEqual(new Set([roundSpanIdOf(id, 1)]));
    expect(spans.at(-1)).toMatchObject({
      traceId,
      spanId: roundSpanIdOf(id, 1),
      parentSpanId: undefined,
      name: 'saga.execute',
      startMillis: begun,
      endMillis: fixture.clock.now(),
      attributes: { 'saga.id': id, 'saga.round': 1, outcome: 'FAILED' },
      error: 'status_4xx',
    });
    expect(spans.filter(({ name }) => name === 'saga.execute')).toHaveLength(1);
    expect(new Set(asked.map((args) => JSON.stringify(args)))).toEqual(new Set([JSON.stringify([traceId, null])]));
  });

  it.each<[Reply & object, string]>([
    [{ error: 'timeout' }, 'timeout'],
    [{ error: 'connect', sent: true }, 'connect'],
    [{ error: 'refused' }, 'unsent'],
  ])('say what became of a call without an answer: %j', async (reply, outcome) => {
    fixture.http.reply = () => reply;
    await run(request('http://mock/a'));
    expect(calls()[0]).toMatchObject({ error: outcome, attributes: { outcome } });
    expect(calls()[0]!.attributes['http.response.status_code']).toBeUndefined();
  });

  it('have another one for a further round, in the same trace', async () => {
    fixture.http.reply = (_path, _request, nth) => (nth === 1 ? { status: 400 } : {});
    const id = await run(chain('a'));
    await fixture.retry(engine, id);
    await fixture.until(id);
    const rounds = spans.filter(({ name }) => name === 'saga.execute');
    expect(rounds).toMatchObject([
      { spanId: roundSpanIdOf(id, 1), attributes: { 'saga.round': 1, outcome: 'FAILED' } },
      { spanId: roundSpanIdOf(id, 2), attributes: { 'saga.round': 2, outcome: 'SUCCEEDED' } },
    ]);
    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1);
    expect(calls().map(({ parentSpanId }) => parentSpanId)).toEqual(rounds.map(({ spanId }) => spanId));
  });

  it('tell of a call that could not be made', async () => {
    await run(request('http://mock/{{payload.no}}'));
    expect(calls()).toMatchObject([{ error: 'unsent', attributes: { 'node.id': 'a', attempt: 1, outcome: 'unsent' } }]);
    expect(calls()[0]!.attributes['url.template']).toBeUndefined();
  });

  it('show the template of a URL, without what secrets are in', async () => {
    await run(request('http://mock/a?key=canary#canary'));
    await run(request('http://mock/{{payload.path}}{{#payload.path}}/b{{/payload.path}}?key={{payload.path}}'), {
      payload: { path: 'canary' },
    });
    expect(calls().map(({ attributes }) => attributes['url.template'])).toEqual([
      'http://mock/a',
      'http://mock/{{payload.path}}{{#payload.path}}/b{{/payload.path}}',
    ]);
    expect(fixture.http.paths()).toContain('canary/b');
    expect(JSON.stringify(spans)).not.toContain('canary');
  });

  it('leave a header of the definition alone', async () => {
    const own = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const id = await run(request('http://mock/a', { Traceparent: own }));
    expect(fixture.http.calls[0]!.request.headers['traceparent']).toBe(own);
    expect(calls()).toMatchObject([{ traceId: id.replaceAll('-', '') }]);
  });

  it('are not made when the trace is not sampled', async () => {
    wanted = false;
    await run(chain('a'));
    expect(spans).toEqual([]);
    expect(fixture.http.calls[0]!.request.headers['traceparent']).toMatch(/-00$/);
  });
});
