import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { EventEmitter } from 'node:events';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

/** A span as it arrived. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: number;
  readonly startNanos: bigint;
  readonly endNanos: bigint;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  /** Code and message of the status; undefined when there is none. */
  readonly status: { readonly code: number; readonly message: string } | undefined;
  readonly resource: Readonly<Record<string, string | number | boolean>>;
}

interface Field {
  readonly number: number;
  readonly value: bigint | Buffer;
}

/** The fields of a message: varints and fixed numbers as bigint, the rest as bytes. */
function fieldsOf(message: Buffer): readonly Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message.readUInt8(at++);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const tag = Number(varint());
    const number = tag >> 3;
    switch (tag & 7) {
      case 0:
        fields.push({ number, value: varint() });
        break;
      case 1:
        fields.push({ number, value: message.readBigUInt64LE(at) });
        at += 8;
        break;
      case 2: {
        const length = Number(varint());
        if (at + length > message.length) throw new Error('A field is longer than its message.');
        fields.push({ number, value: message.subarray(at, at + length) });
        at += length;
        break;
      }
      default:
        throw new Error(`Unexpected wire type in tag ${String(tag)}.`);
    }
  }
  return fields;
}

function bytesOf(message: Buffer, number: number): readonly Buffer[] {
  return fieldsOf(message).flatMap((field) =>
    field.number === number && Buffer.isBuffer(field.value) ? [field.value] : [],
  );
}

function numberOf(message: Buffer, number: number): bigint {
  const found = fieldsOf(message).find((field) => field.number === number)?.value;
  return typeof found === 'bigint' ? found : 0n;
}

function textOf(message: Buffer, number: number, encoding: 'utf8' | 'hex' = 'utf8'): string {
  return bytesOf(message, number)[0]?.toString(encoding) ?? '';
}

function valueOf(any: Buffer): string | number | boolean {
  const [field] = fieldsOf(any);
  if (field === undefined) return '';
  if (Buffer.isBuffer(field.value)) return field.value.toString('utf8');
  if (field.number === 2) return field.value === 1n;
  if (field.number === 3) return Number(field.value);
  const bits = Buffer.alloc(8);
  bits.writeBigUInt64LE(field.value);
  return bits.readDoubleLE();
}

function attributesOf(message: Buffer, number: number): Record<string, string | number | boolean> {
  return Object.fromEntries(
    bytesOf(message, number).map((pair) => [textOf(pair, 1), valueOf(bytesOf(pair, 2)[0] ?? Buffer.alloc(0))]),
  );
}

/** Reads an `ExportTraceServiceRequest`. */
export function spansOf(request: Buffer): readonly ReceivedSpan[] {
  return bytesOf(request, 1).flatMap((resourceSpans) => {
    const resource = attributesOf(bytesOf(resourceSpans, 1)[0] ?? Buffer.alloc(0), 1);
    const spans = bytesOf(resourceSpans, 2).flatMap((scopeSpans) => bytesOf(scopeSpans, 2));
    return spans.map((span) => {
      const status = bytesOf(span, 15)[0];
      return {
        traceId: textOf(span, 1, 'hex'),
        spanId: textOf(span, 2, 'hex'),
        parentSpanId: textOf(span, 4, 'hex'),
        name: textOf(span, 5),
        kind: Number(numberOf(span, 6)),
        startNanos: numberOf(span, 7),
        endNanos: numberOf(span, 8),
        attributes: attributesOf(span, 9),
        status: status && { code: Number(numberOf(status, 3)), message: textOf(status, 2) },
        resource,
      };
    });
  });
}

/** A collector for tests: takes OTLP over gRPC, and reads as much of the protobuf as the tests look at. */
export class OtlpReceiver {
  readonly spans: ReceivedSpan[] = [];
  /** The gRPC status of answers; undefined: none is given. */
  status: number | undefined = 0;
  /** Statuses of the next answers, before {@link status}. */
  readonly next: number[] = [];
  /** More trailers of answers. */
  trailers: Readonly<Record<string, string>> = {};
  /** Codings of the requests, as they came. */
  readonly codings: (string | undefined)[] = [];
  readonly #arrivals = new EventEmitter().setMaxListeners(0);
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #server: Http2Server = createServer();
  #requests = 0;

  /** Opens it on a free port. */
  async open(): Promise<this> {
    this.#server.on('session', (session) => {
      this.#sessions.add(session);
      session.on('error', () => session.destroy());
    });
    this.#server.on('stream', (stream, headers) => {
      const parts: Buffer[] = [];
      // A client that goes away in between is part of the tests.
      stream.on('error', () => stream.destroy());
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('end', () => {
        this.codings.push(headers['grpc-encoding'] as string | undefined);
        this.#take(stream, String(headers[':path']), Buffer.concat(parts));
      });
    });
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`;
  }

  /** How many requests have arrived. */
  get requests(): number {
    return this.#requests;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const session of this.#sessions) session.destroy();
    await closed;
  }

  /** What `look` finds, which looks again at every arrival. */
  until<T>(look: () => T | undefined): Promise<T> {
    return new Promise((resolve) => {
      const again = (): void => {
        const found = look();
        if (found === undefined) return;
        this.#arrivals.off('arrival', again);
        resolve(found);
      };
      this.#arrivals.on('arrival', again);
      again();
    });
  }

  #take(stream: ServerHttp2Stream, path: string, frame: Buffer): void {
    this.#requests++;
    const isExport = path === '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
    const isZipped = this.codings.at(-1) === 'gzip';
    const isWhole =
      frame.length >= 5 && frame.readUInt8(0) === Number(isZipped) && frame.readUInt32BE(1) === frame.length - 5;
    const status = isExport && isWhole ? (this.next.shift() ?? this.status) : 3;
    if (status === 0) this.spans.push(...spansOf(isZipped ? gunzipSync(frame.subarray(5)) : frame.subarray(5)));
    this.#arrivals.emit('arrival');
    if (status === undefined) return;
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': String(status), ...this.trailers }));
    stream.end(Buffer.alloc(5));
  }
}
