import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/** How long a client may continue sending a request that is already answered. */
interface Bounds {
  /** Bytes that are read and dropped: a client that writes first and reads later gets its answer up to this size. */
  readonly maxBytes: number;
  /** Milliseconds from the answer to the end of the connection, however slowly the client writes. */
  readonly maxMillis: number;
}

/** 64 times the default of `security.limits.maxRequestBytes`, in the time in which a request must have arrived by default. */
const defaultBounds: Bounds = { maxBytes: 64 * 1024 * 1024, maxMillis: 30_000 };

/**
 * Closes connections that were answered before their request was read, such as one whose body is too large. A socket that is closed with
 * bytes unread resets its connection, and the client, still writing, would lose the answer (RFC 9112, 9.6). So the server ends its own side,
 * and reads and drops what comes, within bounds, until the client has ended the other.
 */
export class LingeringCloses {
  readonly #bounds: Bounds;
  readonly #sockets = new Map<Socket, NodeJS.Timeout>();
  #stopped = false;

  constructor(bounds: Bounds = defaultBounds) {
    this.#bounds = bounds;
  }

  /** Before the answer to a request is sent: its connection lingers when Node closes it while the body is still coming. */
  expect(request: IncomingMessage): void {
    if (request.complete) return;
    const { socket } = request;
    socket.destroySoon = () => {
      if (request.complete) closeFlushed(socket);
      else this.linger(socket);
    };
  }

  /** Whether a socket lingers: its answer was written. */
  has(socket: Socket): boolean {
    return this.#sockets.has(socket);
  }

  /** Ends a socket to which everything was written, and reads and drops what comes. A second call does nothing. */
  linger(socket: Socket): void {
    if (this.#sockets.has(socket)) return;
    if (this.#stopped) {
      closeFlushed(socket);
      return;
    }
    // Node's TLS reads nothing any more once its own side has ended; the client knows by the answer that it is to close.
    if (!(socket instanceof TLSSocket)) socket.end();
    let left = this.#bounds.maxBytes;
    const timer = setTimeout(() => socket.destroy(), this.#bounds.maxMillis);
    this.#sockets.set(socket, timer);
    // Nothing that still comes is a request. Listening takes the socket from Node's parser, which reads from its handle otherwise.
    socket.removeAllListeners('data');
    socket.on('data', (chunk: Buffer) => {
      left -= chunk.length;
      if (left < 0) socket.destroy();
    });
    socket.once('end', () => {
      closeFlushed(socket);
    });
    socket.once('close', () => {
      clearTimeout(timer);
      this.#sockets.delete(socket);
    });
    socket.resume();
    // If the parser stopped reading, the stream waits for bytes without a reader; an empty chunk makes it read again.
    socket.push('');
  }

  /** Closes all that linger, and lets none linger from now on. */
  stop(): void {
    this.#stopped = true;
    for (const socket of this.#sockets.keys()) socket.destroy();
  }
}

/** Closes a socket once what was written to it has left. */
function closeFlushed(socket: Socket): void {
  Socket.prototype.destroySoon.call(socket);
}
