import type { Span, SpanAttributes } from '../../ports/tracer.ts';
import { ProtobufWriter } from './protobuf-writer.ts';

/** The process that sends spans. */
export interface Resource {
  readonly serviceName: string;
  readonly version: string;
  /** Distinguishes the processes of one service. */
  readonly instance: string;
}

const kinds = { internal: 1, server: 2, client: 3 } as const;
const statusError = 2;

/** A batch of spans as an `ExportTraceServiceRequest` of OTLP 1, with the field numbers of its protobuf definitions. */
export function exportRequest(resource: Resource, spans: readonly Span[]): Buffer {
  const writer = new ProtobufWriter();
  writer.message(1, () => {
    writer.message(2, () => {
      for (const span of spans.toReversed()) writeSpan(writer, span);
      writer.message(1, () => {
        writer.text(2, resource.version);
        writer.text(1, 'trama');
      });
    });
    writer.message(1, () => {
      writeAttributes(writer, 1, {
        'service.name': resource.serviceName,
        'service.version': resource.version,
        'service.instance.id': resource.instance,
      });
    });
  });
  return writer.finish();
}

function writeSpan(writer: ProtobufWriter, span: Span): void {
  const { error } = span;
  writer.message(2, () => {
    if (error !== undefined) {
      writer.message(15, () => {
        writer.integer(3, statusError);
        writer.text(2, error);
      });
    }
    writeAttributes(writer, 9, span.attributes);
    // The clock may be set back during a span.
    writer.fixed64(8, nanos(Math.max(span.startMillis, span.endMillis)));
    writer.fixed64(7, nanos(span.startMillis));
    writer.integer(6, kinds[span.kind]);
    writer.text(5, span.name);
    if (span.parentSpanId !== undefined) writer.hex(4, span.parentSpanId);
    writer.hex(2, span.spanId);
    writer.hex(1, span.traceId);
  });
}

function nanos(millis: number): bigint {
  return BigInt(Math.max(0, Math.round(millis * 1000))) * 1000n;
}

function writeAttributes(writer: ProtobufWriter, field: number, attributes: SpanAttributes): void {
  for (const name in attributes) {
    const value = attributes[name];
    if (value === undefined) continue;
    writer.message(field, () => {
      writer.message(2, () => writeValue(writer, value));
      writer.text(1, name);
    });
  }
}

function writeValue(writer: ProtobufWriter, value: string | number | boolean): void {
  if (typeof value === 'string') writer.text(1, value);
  else if (typeof value === 'boolean') writer.integer(2, value ? 1 : 0);
  else if (Number.isSafeInteger(value) && value >= 0) writer.integer(3, value);
  else writer.double(4, value);
}
