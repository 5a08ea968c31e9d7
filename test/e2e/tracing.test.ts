/** One trace per execution, in a collector: across retries, a callback and the death of the process. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OtlpReceiver, type ReceivedSpan } from '../otlp-receiver.ts';
import { retries } from './stage/definitions.ts';
import { openStage, Stage } from './stage/stage.ts';

const receiver = await new OtlpReceiver().open();
const ignored = await new OtlpReceiver().open();
const gone = await new OtlpReceiver().open();
const goneUrl = gone.url;
await gone.close();
afterAll(async () => {
  await receiver.close();
  await ignored.close();
});

const on = (endpoint: string): Record<string, string> => ({
  TELEMETRY_ENABLED: 'true',
  TELEMETRY_SERVICENAME: 'orders',
  TELEMETRY_OTLPENDPOINT: endpoint,
});
const stage = openStage(on(receiver.url));
/** Its collector is away. It is tried for half a minute, beside the other tests. */
const lonely = new Stage(on(goneUrl));
beforeAll(async () => {
  await lonely.open();
  expect(await lonely.finish(lonely.saga('lonely').linear(['a']))).toMatchObject({ status: 'SUCCEEDED' });
});
afterAll(() => lonely.close());
const spansOf = (traceId: string, name?: string): readonly ReceivedSpan[] =>
  receiver.spans.filter((span) => span.traceId === traceId && (name === undefined || span.name === name));
/** The spans of a trace with this name, as soon as there are so many. */
const arrived = (traceId: string, name: string, count: number): Promise<readonly ReceivedSpan[]> =>
  receiver.until(() => {
    const found = spansOf(traceId, name);
    return found.length >= count ? found : undefined;
  });
const sentTo = (path: string): (readonly string[])[] =>
  stage.downstream.calls(path).map(({ headers }) => String(headers['traceparent']).split('-'));

describe('the trace of an execution', () => {
  it('is one, below its caller, across a retry, a callback and the death of the process', async () => {
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    const caller = '00f067aa0ba902b7';
    const saga = stage.saga('traced');
    stage.downstream.script('/traced/first', { status: 500, body: { text: 'canary-answer' } }, {});
    const definition = saga.graph(
      [
        saga.task(
          'first',
          { next: 'ask' },
          { url: `${stage.downstream.url}/traced/first?card={{payload.card}}`, body: { card: '{{payload.card}}' } },
        ),
        saga.asyncTask('ask', { next: 'last' }),
        saga.task('last'),
      ],
      { failureHandling: retries(1) },
    );
    const { body } = await stage.ask(
      'POST',
      '/workflows/run',
      { definition, payload: { card: 'canary-card' } },
      { traceparent: `00-${traceId}-${caller}-01` },
    );
    const id: string = body.id;
    await stage.untilStatus(id, 'WAITING_CALLBACK');
    await arrived(traceId, 'node.execute', 3);
    await stage.kill('SIGKILL');
    await stage.start();
    const { to } = await stage.callbackOf('/traced/ask');
    expect((await stage.ask('POST', to, { said: 'canary-callback' })).status).toBe(202);
    expect(await stage.untilEnd(id)).toMatchObject({ status: 'SUCCEEDED' });

    const [round, ...more] = await arrived(traceId, 'saga.execute', 1);
    const calls = await arrived(traceId, 'node.execute', 4);
    expect(more).toEqual([]);
    expect(calls).toHaveLength(4);
    expect(round).toMatchObject({
      parentSpanId: caller,
      kind: 1,
      status: undefined,
      attributes: { 'saga.id': id, 'saga.name': 'traced', 'saga.version': '1', outcome: 'SUCCEEDED' },
      resource: { 'service.name': 'orders' },
    });
    const attempt = { 'saga.id': id, phase: 'UP', visit: 1, outcome: 'response', 'http.request.method': 'POST' };
    const url = `${stage.downstream.url}/traced/first`;
    expect(calls.map(({ attributes }) => attributes)).toEqual([
      expect.objectContaining({
        ...attempt,
        'node.id': 'first',
        attempt: 1,
        'http.response.status_code': 500,
        'url.template': url,
      }),
      expect.objectContaining({ ...attempt, 'node.id': 'first', attempt: 2, 'http.response.status_code': 200 }),
      expect.objectContaining({ ...attempt, 'node.id': 'ask', attempt: 1 }),
      expect.objectContaining({ ...attempt, 'node.id': 'last', attempt: 1 }),
    ]);
    expect(calls.map(({ status }) => status)).toEqual([
      { code: 2, message: 'HTTP 500' },
      undefined,
      undefined,
      undefined,
    ]);
    for (const { parentSpanId, kind, startNanos, endNanos } of calls) {
      expect([parentSpanId, kind]).toEqual([round!.spanId, 3]);
      expect(startNanos).toBeGreaterThan(0n);
      expect(endNanos).toBeGreaterThanOrEqual(startNanos);
    }
    // What the downstream was told is what the collector has.
    expect(['/traced/first', '/traced/ask', '/traced/last'].flatMap(sentTo)).toEqual(
      calls.map(({ spanId }) => ['00', traceId, spanId, '01']),
    );
    expect(await arrived(traceId, 'POST /workflows/run', 1)).toMatchObject([
      { parentSpanId: caller, kind: 2, attributes: { 'http.response.status_code': 200 } },
    ]);
    const everything = JSON.stringify(receiver.spans, (_, value: unknown) =>
      typeof value === 'bigint' ? String(value) : value,
    );
    expect(everything).not.toContain('canary');
    expect(receiver.spans.filter(({ name }) => /healthz|readyz|metrics/.test(name))).toEqual([]);
  });

  it('has the id of the execution where the caller names none, and shows what failed', async () => {
    const saga = stage.saga('alone');
    stage.downstream.script('/alone/b', { status: 400 });
    const { id } = await stage.finish(saga.linear(['a', 'b']));
    const traceId = id.replaceAll('-', '');
    const calls = await arrived(traceId, 'node.execute', 3);
    expect(calls.map(({ attributes }) => [attributes['node.id'], attributes['phase']])).toEqual([
      ['a', 'UP'],
      ['b', 'UP'],
      ['a', 'DOWN'],
    ]);
    const [round] = await arrived(traceId, 'saga.execute', 1);
    expect(round).toMatchObject({ parentSpanId: '', status: { code: 2 }, attributes: { 'saga.round': 1 } });
    expect(sentTo('/alone/undo-a')).toEqual([['00', traceId, calls[2]!.spanId, '01']]);
  });

  it('is not exported where the caller does not sample it', async () => {
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4737';
    const saga = stage.saga('unsampled');
    await stage.ask(
      'POST',
      '/workflows/run?waitMillis=30000',
      { definition: saga.linear(['a']) },
      {
        traceparent: `00-${traceId}-00f067aa0ba902b7-00`,
      },
    );
    expect(sentTo('/unsampled/a')).toEqual([['00', traceId, expect.any(String), '00']]);
    // What comes later is there: so would be what came before.
    const { id } = await stage.finish(saga.linear(['a']));
    await arrived(id.replaceAll('-', ''), 'saga.execute', 1);
    expect(spansOf(traceId)).toEqual([]);
  });
});

describe('a ratio of 0', () => {
  const quiet = openStage({ ...on(ignored.url), TELEMETRY_SAMPLERATIO: '0' });

  it('exports nothing, and says so to downstreams', async () => {
    await quiet.finish(quiet.saga('quiet').linear(['a']));
    expect(quiet.downstream.calls('/quiet/a')[0]?.headers['traceparent']).toMatch(/-00$/);
    // The end of the process sends all that waits.
    expect((await quiet.kill('SIGTERM')).code).toBe(0);
    expect(ignored.requests).toBe(0);
  });
});

describe('a collector that is away', () => {
  it('harms no execution and no stop; the spans are counted', async () => {
    const count = async (): Promise<number> => {
      const { text } = await lonely.ask('GET', '/metrics');
      return Number(/^saga_trace_spans_total\{result="failed"\} (\d+)$/m.exec(text)?.[1] ?? 0);
    };
    await expect.poll(count, { timeout: 30_000 }).toBeGreaterThanOrEqual(3);
    await lonely.process.said(/"msg":"spans cannot be exported"/);
    await lonely.finish(lonely.saga('lonely').linear(['a']));
    expect((await lonely.kill('SIGTERM')).code).toBe(0);
  });
});
