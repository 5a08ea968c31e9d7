import type { SectionKeys } from '../key.ts';
import { baseUrl, choice, flag, share, text } from '../kinds.ts';

/** Keys of tracing. */
export const telemetryKeys: SectionKeys<'telemetry'> = {
  'telemetry.enabled': {
    meaning: 'Sends spans of executions, calls and API requests to an OpenTelemetry collector.',
    kind: flag,
    default: false,
  },
  'telemetry.serviceName': {
    meaning: 'What traces call this service (`service.name`).',
    kind: text(),
    default: 'trama',
  },
  'telemetry.otlpEndpoint': {
    meaning: 'Where the collector takes OTLP over gRPC; `https` for TLS.',
    kind: baseUrl,
    default: 'http://localhost:4317',
  },
  'telemetry.compression': {
    meaning: 'Whether spans are compressed on their way: worth its processor time only where the collector is far.',
    kind: choice('none', 'gzip'),
    default: 'none',
  },
  'telemetry.sampleRatio': {
    meaning:
      'Share of traces that are sent, from 0 to 1, chosen by trace id. Where the caller sent a `traceparent`, its own choice counts.',
    kind: share,
    default: 1,
  },
};
