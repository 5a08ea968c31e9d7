import { randomBytes, randomUUID } from 'node:crypto';
import type { ServerOptions } from '../api/server.ts';
import type { TelemetryConfig } from '../config/config.ts';
import type { Tracer } from '../ports/tracer.ts';
import { parentOf } from '../engine/trace-context.ts';
import type { PrometheusTelemetry } from '../telemetry/prometheus-telemetry.ts';

/** Tracing that is on. */
export interface Tracing {
  /** Sends waiting spans: for a few seconds, or not at all in a hurry. */
  close(isHurried: boolean): Promise<void>;
}

/** Starts the configured tracing and returns what to close at the end. Loads the code of tracing only when it is on. */
export async function startTracing(
  config: TelemetryConfig,
  version: string,
  telemetry: PrometheusTelemetry,
): Promise<Tracing | undefined> {
  if (!config.enabled) return undefined;
  const { OtlpTracer } = await import('../telemetry/tracing/otlp-tracer.ts');
  const tracer = new OtlpTracer({
    resource: { serviceName: config.serviceName, version, instance: randomUUID() },
    endpoint: config.otlpEndpoint,
    sampleRatio: config.sampleRatio,
    gzips: config.compression === 'gzip',
    count: (result, spans) => {
      telemetry.traced(result, spans);
    },
    changed: (error) => {
      if (error === undefined) telemetry.log('info', 'spans are exported again');
      else telemetry.log('warn', 'spans cannot be exported', { endpoint: config.otlpEndpoint, error });
    },
  });
  telemetry.tracer = tracer;
  return tracer;
}

/** Prometheus and probes request these every few seconds; their spans would hide all others. */
const untraced: ReadonlySet<string> = new Set(['/healthz', '/readyz', '/metrics']);

/** The observer of the API's answers, if metrics or tracing need one. */
export function observeRequests(telemetry: PrometheusTelemetry, counts: boolean): Pick<ServerOptions, 'observe'> {
  const { tracer } = telemetry;
  if (!counts && tracer === undefined) return {};
  return {
    observe: (method, route, status, millis, traceparent) => {
      if (counts) telemetry.served(method, route, status, millis);
      if (tracer !== undefined) traceRequest(tracer, { method, route, status, millis }, traceparent);
    },
  };
}

/** Records the span of an answered request. `route` is the template; `''` when there was none. */
function traceRequest(
  tracer: Tracer,
  request: { readonly method: string; readonly route: string; readonly status: number; readonly millis: number },
  traceparent: string | undefined,
): void {
  const { method, route, status, millis } = request;
  if (untraced.has(route)) return;
  const parent = parentOf(traceparent);
  const traceId = parent?.traceId ?? randomBytes(16).toString('hex');
  if (!tracer.samples(traceId, parent?.isSampled)) return;
  const endMillis = Date.now();
  tracer.record({
    traceId,
    spanId: randomBytes(8).toString('hex'),
    parentSpanId: parent?.spanId,
    name: route === '' ? method : `${method} ${route}`,
    kind: 'server',
    startMillis: endMillis - millis,
    endMillis,
    attributes: {
      'http.request.method': method,
      'http.route': route === '' ? undefined : route,
      'http.response.status_code': status,
    },
    ...(status >= 500 ? { error: `HTTP ${String(status)}` } : {}),
  });
}
