import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/** How long a client may continue to send a request that is already answered. */
interface Bounds {
  /** Bytes to read and drop. Up to this size, a client that writes everything before it reads still gets its answer. */
  readonly maxBytes: number;
  /** Milliseconds from the answer to the end of the connection, however slowly the client writes. */
  readonly maxMillis: number;
}

/** 64 times the default of `security.limits.maxRequestBytes`, and the default time limit of a request. */
const defaultBounds: Bounds = { maxBytes: 64 * 1024 * 1024, maxMillis: 30_000 };

/**
 * Closes connections that were answered before their request was read, for example because the body is too large.
 * Closing a socket with unread bytes resets the connection, and a client that is still writing loses the answer (RFC
 * 9112, 9.6). The server therefore ends its own side, then reads and drops bytes, within bounds, until the client ends
 * the other side.
 */
export class LingeringCloses {
  readonly #bounds: Bounds;
  readonly #sockets = new Map<Socket, NodeJS.Timeout>();
  #stopped = false;

  constructor(bounds: Bounds = defaultBounds) {
    this.#bounds = bounds;
  }

  /**
   * Call it before answering a request: if Node closes the connection while the body still arrives, the connection
   * lingers.
   */
  expect(request: IncomingMessage): void {
    if (request.complete) return;
    const { socket } = request;
    socket.destroySoon = () => {
      if (request.complete) closeFlushed(socket);
      else this.linger(socket);
    };
  }

  /** Whether a socket lingers, which means that its answer was written. */
  has(socket: Socket): boolean {
    return this.#sockets.has(socket);
  }

  /**
   * Ends the server's side of a socket after its last write, then reads and drops bytes. A second call does nothing.
   */
  linger(socket: Socket): void {
    if (this.#sockets.has(socket)) return;
    if (this.#stopped) {
      closeFlushed(socket);
      return;
    }
    // Node's TLS stops reading once its own side has ended. The client closes because of the answer's headers.
    if (!(socket instanceof TLSSocket)) socket.end();
    let left = this.#bounds.maxBytes;
    const timer = setTimeout(() => socket.destroy(), this.#bounds.maxMillis);
    this.#sockets.set(socket, timer);
    // Later bytes are no request. A data listener takes the socket from Node's parser, which otherwise reads from the
    // handle.
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

  /** Closes all lingering sockets; from now on, none lingers. */
  stop(): void {
    this.#stopped = true;
    for (const socket of this.#sockets.keys()) socket.destroy();
  }
}

/** Closes a socket once everything written has been sent. */
function closeFlushed(socket: Socket): void {
  Socket.prototype.destroySoon.call(socket);
}
