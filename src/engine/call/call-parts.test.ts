import { describe, expect, it } from 'vitest';
import { shownExchange } from '../../core/call/ending-call.ts';
import { parseJson } from '../../core/value/json.ts';
import type { CallAnswer, OutboundRequest } from '../../ports/http-caller.ts';
import { silentTelemetry } from '../../ports/telemetry.ts';
import type { Span } from '../../ports/tracer.ts';
import { Masker } from '../../security/secrets/masking.ts';
import { SeededEntropy, VirtualClock } from '../../../simulator/virtual-clock.ts';
import { type CallAnswered, CallRunner } from './call-runner.ts';
import { exchangeOf } from './exchange.ts';
import { parentOf, roundSpanIdOf, type Trace, traceIdOf, traceparentOf } from '../trace-context.ts';

describe('trace context', () => {
  const id = '0190a5b2-7c00-7abc-8def-0123456789ab';
  const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const traceOf = (traceparent: string | undefined): Trace => ({ traceId: traceIdOf(id, traceparent), traceparent });

  it('continues the trace of the caller with a new span', () => {
    const header = traceparentOf(traceOf(parent), () => 0.5);
    expect(header).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
    expect(header).not.toBe(parent);
    expect(traceIdOf(id, parent)).toBe('0af7651916cd43dd8448eb211c80319c');
  });

  it.each([
    undefined,
    'nonsense',
    `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
    `00-0af7651916cd43dd8448eb211c80319c-${'0'.repeat(16)}-01`,
  ])('makes the trace of the execution id without a usable parent (%s)', (unusable) => {
    expect(traceparentOf(traceOf(unusable), () => 0)).toBe(`00-${id.replaceAll('-', '')}-0000000100000001-00`);
  });

  it('marks its own trace as sampled when it is, and leaves the choice of the caller alone', () => {
    expect(traceparentOf(traceOf(undefined), () => 0, true)).toMatch(/-01$/);
    expect(traceparentOf(traceOf(parent.replace(/01$/, '00')), () => 0, true)).toMatch(/-00$/);
    expect(traceparentOf(traceOf(parent.replace(/01$/, '03')), () => 0, false)).toMatch(/-03$/);
  });

  it('reads what the caller said', () => {
    const spanId = 'b7ad6b7169203331';
    expect(parentOf(parent)).toEqual({ traceId: '0af7651916cd43dd8448eb211c80319c', spanId, isSampled: true });
    expect(parentOf(parent.replace(/01$/, 'fe'))).toMatchObject({ isSampled: false });
    expect(parentOf('nonsense')).toBeUndefined();
    expect(parentOf(undefined)).toBeUndefined();
  });

  it('gives each round of an execution one span id', () => {
    expect(roundSpanIdOf(id, 1)).toMatch(/^[0-9a-f]{16}$/);
    expect(roundSpanIdOf(id, 1)).toBe(roundSpanIdOf(id, 1));
    expect(new Set([roundSpanIdOf(id, 1), roundSpanIdOf(id, 2), roundSpanIdOf(id.replace('b', 'c'), 1)]).size).toBe(3);
  });

  it('never makes a span id of zeros', () => {
    for (const share of [0, 0.25, 0.999_999_999_9, 1 - Number.EPSILON]) {
      expect(traceparentOf(traceOf(undefined), () => share)).not.toContain('-0000000000000000-');
    }
  });
});

describe('the host in metrics, and the URL in traces', () => {
  it('show no secret', async () => {
    const hosts: string[] = [];
    const spans: Span[] = [];
    const runner = new CallRunner({
      clock: new VirtualClock(),
      entropy: new SeededEntropy(1),
      telemetry: {
        ...silentTelemetry,
        called: (host) => hosts.push(host),
        tracer: { samples: () => true, record: (span) => spans.push(span) },
      },
      http: {
        start(_request, done) {
          queueMicrotask(() =>
            done({ kind: 'failed', error: 'connect', sent: true, message: 'no tenant-key', latencyMillis: 1 }),
          );
          return { abort: () => undefined };
        },
        close: () => Promise.resolve(),
      },
      vault: {
        secret: () => undefined,
        variable: () => undefined,
        conceal: () => (text) => text,
        concealed: () => undefined,
      },
      callbacks: { keyFor: () => undefined, issue: () => ({ url: '', token: '', signedUrl: '' }) },
      masker: {
        text: (text) => text.replaceAll('tenant-key', '***'),
        json: (value) => value,
        headers: (headers) => headers,
      },
      requestTimeoutMillis: 1000,
      maxTimeoutMillis: 900_000,
      maxHistoryBody: 10,
    });
    const request = { url: 'https://me:pass@tenant-key.Example.com:8443/x/tenant-key?q#f', verb: 'GET', headers: {} };
    const outcome = {
      request: { ...request, timeoutMillis: 1000, authorityFromData: false },
      template: 'https://tenant-key.Example.com:8443/x/{{payload.id}}?q={{payload.q}}#f',
    };
    const span = { traceId: '', spanId: '', name: 'node.execute', kind: 'client', attributes: {} } as const;
    const { event } = await new Promise<CallAnswered>((resolve) => {
      runner.start(
        { callId: 1, outcome, span },
        {
          goesOn: false,
          mayStart: () => true,
          mayLeave: () => true,
          withheld: () => undefined,
          answered: (_callId, answer) => resolve(answer),
        },
      );
    });
    expect(event).toMatchObject({ result: { kind: 'failed', error: 'connect', reason: 'no ***' } });
    expect(spans).toMatchObject([
      {
        attributes: { 'url.template': 'https://***.Example.com:8443/x/{{payload.id}}', outcome: 'connect' },
        error: 'connect',
      },
    ]);
    expect(hosts).toEqual(['***.example.com:8443']);
  });
});

describe('an exchange', () => {
  const masker = {
    text: (text: string) => text.replaceAll('secret', '***'),
    headers: (headers: Readonly<Record<string, string>>) => ({ ...headers, authorization: '***' }),
  };
  const request: OutboundRequest = {
    url: 'http://mock/secret',
    verb: 'POST',
    headers: { authorization: 'Basic x' },
    body: 'my secret',
    timeoutMillis: 1,
    authorityFromData: false,
  };
  const answer: CallAnswer = {
    kind: 'response',
    status: 200,
    headers: {},
    body: 'a secret',
    bodyJson: null,
    latencyMillis: 1.6,
  };

  it('is masked everywhere', () => {
    expect(exchangeOf(request, answer, undefined, masker, 100)).toEqual({
      url: 'http://mock/***',
      verb: 'POST',
      requestHeaders: { authorization: '***' },
      requestBody: 'my ***',
      responseHeaders: { authorization: '***' },
      responseBody: 'a ***',
      latencyMillis: 2,
    });
  });

  it('is masked before it is cut, and never cut within a character', () => {
    const long = { ...request, body: `${'x'.repeat(7)}secret` };
    const smile = { ...answer, body: `${'x'.repeat(9)}😀` };
    const exchange = exchangeOf(long, smile, undefined, masker, 10);
    expect(exchange).toMatchObject({
      requestBody: 'xxxxxxx***',
      responseBody: 'x'.repeat(9),
      responseBodyTruncated: true,
    });
    expect(exchange.requestBodyTruncated).toBeUndefined();
    expect(exchangeOf(long, answer, undefined, masker, 8)).toMatchObject({
      requestBody: 'xxxxxxx*',
      requestBodyTruncated: true,
    });
  });

  it.each<[string, Partial<Extract<CallAnswer, { kind: 'response' }>>, boolean]>([
    ['JSON', { body: '{"a": [1, 1.50]}', bodyJson: parseJson('{"a":[1,1.50]}') }, true],
    ['a text', { body: 'fine', bodyJson: 'fine' }, true],
    ['nothing', { body: '', bodyJson: null }, true],
    ['a number', { body: '0', bodyJson: 0 }, true],
    ['the JSON text null', { body: 'null', bodyJson: null }, false],
    ['a JSON text in quotes', { body: '"fine"', bodyJson: 'fine' }, false],
    ['a secret', { body: '{"a":"secret"}', bodyJson: { a: 'secret' } }, false],
    ['a secret in a header', { headers: { 'x-echo': 'secret' }, body: 'fine', bodyJson: 'fine' }, false],
    ['a credential', { headers: { 'set-cookie': 'a=b' }, body: 'fine', bodyJson: 'fine' }, false],
    ['a long text', { body: 'x'.repeat(51), bodyJson: 'x'.repeat(51) }, false],
  ])('refers to an answer that is shown as it is: %s', (_what, changes, isAsItIs) => {
    const real = new Masker({ values: () => ['secret'] });
    const given = { ...answer, headers: { date: 'today' }, ...changes } as Extract<CallAnswer, { kind: 'response' }>;
    const response = { status: 200, headers: given.headers, body: given.bodyJson };
    const exchange = exchangeOf(request, given, response, real, 50);
    expect(exchange.answer).toBe(isAsItIs ? response : undefined);
    const { responseHeaders, responseBody } = shownExchange(exchange);
    expect(responseHeaders).toEqual(real.headers(given.headers));
    const masked = real.text(given.body).slice(0, 50);
    expect(responseBody).toBe(changes.body?.startsWith('{"a": ') === true ? '{"a":[1,1.50]}' : masked);
  });

  it('shows what was asked where there is no answer', () => {
    const failure: CallAnswer = {
      kind: 'failed',
      error: 'timeout',
      sent: true,
      message: 'Too late.',
      latencyMillis: 5,
    };
    const exchange = exchangeOf(request, failure, undefined, masker, 100);
    expect(exchange.latencyMillis).toBe(5);
    expect('responseBody' in exchange).toBe(false);
  });
});
