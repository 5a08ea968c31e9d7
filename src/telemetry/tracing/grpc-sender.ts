/**
 * Sends OTLP requests by gRPC: unary calls over one HTTP/2 connection, which is made when it is needed and made anew
 * when it has gone.
 */
import { type ClientHttp2Session, connect, constants } from 'node:http2';

const path = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
/** Flag of compression (none) and the length of the message. */
const frameBytes = 5;

/** See the file header. */
export class GrpcSender {
  readonly #url: URL;
  readonly #timeoutMillis: number;
  #session: ClientHttp2Session | undefined;

  /** `endpoint` is an http or https URL; a path of its own comes before that of the service. */
  constructor(endpoint: string, timeoutMillis: number) {
    this.#url = new URL(endpoint);
    this.#timeoutMillis = timeoutMillis;
  }

  /** Rejects with an error for people when the collector did not take it in time; it is not sent again. */
  send(message: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      const session = this.#connected(reject);
      const stream = session.request({
        ':method': 'POST',
        ':path': `${this.#url.pathname.replace(/\/+$/, '')}${path}`,
        'content-type': 'application/grpc',
        te: 'trailers',
      });
      let status: string | undefined;
      let httpStatus: number | undefined;
      const timeout = setTimeout(() => {
        reject(new Error(`no answer within ${String(this.#timeoutMillis)} ms`));
        stream.close(constants.NGHTTP2_CANCEL);
        // Whoever answers nothing may be gone without having said so.
        this.close();
      }, this.#timeoutMillis);
      const read = (headers: Readonly<Record<string, unknown>>): void => {
        if (typeof headers['grpc-status'] === 'string') status = headers['grpc-status'];
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
        else if (status === undefined) reject(new Error(`HTTP status ${String(httpStatus ?? 'missing')}`));
        else reject(new Error(`gRPC status ${status}`));
      });
      // The answer says nothing that is needed, and must be read all the same.
      stream.resume();
      const frame = Buffer.alloc(frameBytes);
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
