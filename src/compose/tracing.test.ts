import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OtlpReceiver } from '../../test/otlp-receiver.ts';
import { PrometheusTelemetry } from '../telemetry/prometheus-telemetry.ts';
import { observeRequests, startTracing } from './tracing.ts';

const telemetryOf = (): PrometheusTelemetry => new PrometheusTelemetry({ writes: () => false, write: () => undefined });

describe('tracing that is off', () => {
  it('leaves nothing to ask', async () => {
    const telemetry = telemetryOf();
    const config = {
      enabled: false,
      serviceName: 'x',
      otlpEndpoint: 'http://127.0.0.1:1',
      sampleRatio: 1,
      compression: 'none' as const,
    };
    expect(await startTracing(config, '1', telemetry)).toBeUndefined();
    expect(telemetry.tracer).toBeUndefined();
    expect(observeRequests(telemetry, false)).toEqual({});
  });
});

describe('tracing of requests', () => {
  const parent = '4bf92f3577b34da6a3ce929d0e0e4736';
  let receiver: OtlpReceiver;
  beforeEach(async () => {
    receiver = await new OtlpReceiver().open();
  });
  afterEach(() => receiver.close());

  it('follows the caller, fails by what the server does wrong, and leaves probes out', async () => {
    const telemetry = telemetryOf();
    const config = {
      enabled: true,
      serviceName: 'x',
      otlpEndpoint: receiver.url,
      sampleRatio: 1,
      compression: 'none' as const,
    };
    const tracing = await startTracing(config, '1', telemetry);
    const { observe } = observeRequests(telemetry, true);
    observe?.('GET', '/workflows/:id', 404, 5, `00-${parent}-00f067aa0ba902b7-01`);
    observe?.('GET', '/workflows', 503, 5, undefined);
    observe?.('GET', '', 404, 5, 'nonsense');
    observe?.('GET', '/workflows', 200, 5, `00-${parent}-00f067aa0ba902b7-00`);
    for (const route of ['/healthz', '/readyz', '/metrics']) observe?.('GET', route, 200, 1, undefined);
    await tracing?.close(false);
    expect(receiver.spans).toMatchObject([
      {
        traceId: parent,
        parentSpanId: '00f067aa0ba902b7',
        name: 'GET /workflows/:id',
        kind: 2,
        status: undefined,
        attributes: { 'http.request.method': 'GET', 'http.route': '/workflows/:id', 'http.response.status_code': 404 },
      },
      { parentSpanId: '', name: 'GET /workflows', status: { code: 2, message: 'HTTP 503' } },
      { parentSpanId: '', name: 'GET', status: undefined },
    ]);
    expect(receiver.spans[1]!.traceId).not.toBe(receiver.spans[2]!.traceId);
    expect(Number(receiver.spans[0]!.endNanos - receiver.spans[0]!.startNanos)).toBe(5e6);
    const text = await telemetry.metrics();
    expect(text).toContain('saga_trace_spans_total{result="exported"} 3');
    expect(text).toContain('http_server_request_duration_seconds_count{method="GET",route="/healthz",status="200"} 1');
  });
});
