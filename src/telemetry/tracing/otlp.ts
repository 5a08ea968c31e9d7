/** Spans as an `ExportTraceServiceRequest` of OTLP 1. The numbers are those of its protobuf definitions. */
import type { Span } from '../../ports/tracer.ts';
import { bytes, double, fixed64, integer, string, type Field } from './protobuf.ts';

/** Who tells. */
export interface Resource {
  readonly serviceName: string;
  readonly version: string;
  /** Tells apart the processes of one service. */
  readonly instance: string;
}

const kinds = { internal: 1, server: 2, client: 3 } as const;
const statusError = 2;

/** The request for a batch. */
export function exportRequest(resource: Resource, spans: readonly Span[]): Buffer {
  const described = bytes(
    1,
    attribute(1, 'service.name', resource.serviceName),
    attribute(1, 'service.version', resource.version),
    attribute(1, 'service.instance.id', resource.instance),
  );
  const scope = bytes(1, string(1, 'trama'), string(2, resource.version));
  return bytes(1, described, bytes(2, scope, ...spans.map(encode)));
}

function encode(span: Span): Field {
  const fields = [
    bytes(1, Buffer.from(span.traceId, 'hex')),
    bytes(2, Buffer.from(span.spanId, 'hex')),
    string(5, span.name),
    integer(6, kinds[span.kind]),
    fixed64(7, nanos(span.startMillis)),
    // Clocks may be set back while a span lasts.
    fixed64(8, nanos(Math.max(span.startMillis, span.endMillis))),
  ];
  if (span.parentSpanId !== undefined) fields.push(bytes(4, Buffer.from(span.parentSpanId, 'hex')));
  for (const [name, value] of Object.entries(span.attributes)) {
    if (value !== undefined) fields.push(attribute(9, name, value));
  }
  if (span.error !== undefined) fields.push(bytes(15, string(2, span.error), integer(3, statusError)));
  return bytes(2, ...fields);
}

function nanos(millis: number): bigint {
  return BigInt(Math.max(0, Math.round(millis * 1000))) * 1000n;
}

function attribute(field: number, name: string, value: string | number | boolean): Field {
  return bytes(field, string(1, name), bytes(2, any(value)));
}

function any(value: string | number | boolean): Field {
  if (typeof value === 'string') return string(1, value);
  if (typeof value === 'boolean') return integer(2, value ? 1 : 0);
  return Number.isSafeInteger(value) && value >= 0 ? integer(3, value) : double(4, value);
}
