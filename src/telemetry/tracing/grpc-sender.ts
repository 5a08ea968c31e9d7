import { type ClientHttp2Session, connect, constants } from 'node:http2';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

const path = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
/** The header of a gRPC frame: the compression flag and the length. */
const frameBytes = 5;

/** The collector did not accept a request. `isRetryable`: a retry may succeed. */
export class SendError extends Error {
  override readonly name = 'SendError';
  readonly isRetryable: boolean;

  constructor(message: string, isRetryable: boolean) {
    super(message);
    this.isRetryable = isRetryable;
  }
}

/**
 * gRPC codes that the OTLP specification ("Failures") lets a client retry: CANCELLED, DEADLINE_EXCEEDED, ABORTED,
 * OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS.
 */
const passing: ReadonlySet<string> = new Set(['1', '4', '10', '11', '14', '15']);
/** RESOURCE_EXHAUSTED is retryable only if the server specifies a delay. */
const exhausted = '8';
const passingHttp: ReadonlySet<number> = new Set([429, 502, 503, 504]);

const compress = promisify(gzip);

/**
 * Sends OTLP requests as unary gRPC calls over one HTTP/2 connection, which it opens on demand and reopens after a
 * loss.
 */
export class GrpcSender {
  readonly #url: URL;
  readonly #timeoutMillis: number;
  readonly #gzips: boolean;
  #session: ClientHttp2Session | undefined;

  /** `endpoint` is an http or https URL; its path comes before that of the service. */
  constructor(endpoint: string, timeoutMillis: number, gzips: boolean = false) {
    this.#url = new URL(endpoint);
    this.#timeoutMillis = timeoutMillis;
    this.#gzips = gzips;
  }

  /** Rejects with a {@link SendError} if the collector does not accept the request in time; does not retry. */
  async send(message: Buffer): Promise<void> {
    await this.#request(this.#gzips ? await compress(message) : message);
  }

  #request(message: Buffer): Promise<void> {
    return new Promise((resolve, refuse) => {
      const reject = ({ message: problem }: Error): void => {
        refuse(new SendError(problem, true));
      };
      const session = this.#connected(reject);
      const stream = session.request({
        ':method': 'POST',
        ':path': `${this.#url.pathname.replace(/\/+$/, '')}${path}`,
        'content-type': 'application/grpc',
        te: 'trailers',
        ...(this.#gzips ? { 'grpc-encoding': 'gzip' } : {}),
      });
      let status: string | undefined;
      let saysWhen = false;
      let httpStatus: number | undefined;
      const timeout = setTimeout(() => {
        reject(new Error(`no answer within ${String(this.#timeoutMillis)} ms`));
        stream.close(constants.NGHTTP2_CANCEL);
        // A collector that does not answer may be gone without having closed the connection.
        this.close();
      }, this.#timeoutMillis);
      const read = (headers: Readonly<Record<string, unknown>>): void => {
        if (typeof headers['grpc-status'] === 'string') status = headers['grpc-status'];
        const details = headers['grpc-status-details-bin'];
        if (typeof details === 'string') saysWhen = Buffer.from(details, 'base64').includes('google.rpc.RetryInfo');
      };
      stream.on('response', (headers) => {
        httpStatus = headers[':status'];
        read(headers);
      });
      stream.on('trailers', read);
      stream.on('error', reject);
      stream.on('close', () => {
        clearTimeout(timeout);
        if (status === '0') resolve();
        else if (status === undefined) {
          const isRetryable = httpStatus === undefined || passingHttp.has(httpStatus);
          refuse(new SendError(`HTTP status ${String(httpStatus ?? 'missing')}`, isRetryable));
        } else
          refuse(new SendError(`gRPC status ${status}`, passing.has(status) || (status === exhausted && saysWhen)));
      });
      // The response body is not needed but must be consumed.
      stream.resume();
      const frame = Buffer.alloc(frameBytes);
      frame.writeUInt8(this.#gzips ? 1 : 0, 0);
      frame.writeUInt32BE(message.length, 1);
      stream.end(Buffer.concat([frame, message]));
    });
  }

  /** Closes the connection. A later `send` opens another one. */
  close(): void {
    this.#session?.destroy();
    this.#session = undefined;
  }

  #connected(failed: (error: Error) => void): ClientHttp2Session {
    const known = this.#session;
    if (known !== undefined && !known.closed && !known.destroyed) return known;
    const session = connect(this.#url.origin);
    this.#session = session;
    const forget = (): void => {
      if (this.#session === session) this.#session = undefined;
    };
    session.on('error', (error: Error) => {
      forget();
      failed(error);
    });
    session.on('goaway', forget);
    session.on('close', forget);
    return session;
  }
}
