import { type ClientHttp2Session, connect, constants } from 'node:http2';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

const path = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
/** Whether the message is compressed, and its length. */
const frameBytes = 5;

/** The collector did not take a request, and whether it may take the same one later. */
export class SendError extends Error {
  override readonly name = 'SendError';
  readonly isRetryable: boolean;

  constructor(message: string, isRetryable: boolean) {
    super(message);
    this.isRetryable = isRetryable;
  }
}

/**
 * gRPC codes that the protocol (OTLP specification, "Failures") lets a client try again: CANCELLED, DEADLINE_EXCEEDED, ABORTED,
 * OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS.
 */
const passing: ReadonlySet<string> = new Set(['1', '4', '10', '11', '14', '15']);
/** RESOURCE_EXHAUSTED passes only where the server says when. */
const exhausted = '8';
const passingHttp: ReadonlySet<number> = new Set([429, 502, 503, 504]);

const compress = promisify(gzip);

/**
 * Sends OTLP requests by gRPC: unary calls over one HTTP/2 connection, which is made when it is needed and made anew
 * when it has gone.
 */
export class GrpcSender {
  readonly #url: URL;
  readonly #timeoutMillis: number;
  readonly #gzips: boolean;
  #session: ClientHttp2Session | undefined;

  /** `endpoint` is an http or https URL; a path of its own comes before that of the service. */
  constructor(endpoint: string, timeoutMillis: number, gzips: boolean = false) {
    this.#url = new URL(endpoint);
    this.#timeoutMillis = timeoutMillis;
    this.#gzips = gzips;
  }

  /** Rejects with a {@link SendError} when the collector did not take it in time; it is not sent again. */
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
      // The answer says nothing that is needed, and must be read all the same.
      stream.resume();
      const frame = Buffer.alloc(frameBytes);
      frame.writeUInt8(this.#gzips ? 1 : 0, 0);
      frame.writeUInt32BE(message.length, 1);
      stream.end(Buffer.concat([frame, message]));
    });
  }

  /** Cuts the connection. A later `send` makes another one. */
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
