import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** What the proxy does with what it is sent; see {@link TcpProxy}. */
export type ProxyMode = 'pass' | 'blackhole' | 'deaf' | 'refuse' | 'hold';

/** How a connection ends: with bytes behind the answer, and with what becomes of the client's socket (`stay`: nothing). */
export interface ProxyEnding {
  readonly bytes?: Buffer;
  readonly close: 'end' | 'reset' | 'stay';
}

interface Link {
  readonly client: Socket;
  readonly server: Socket;
}

/**
 * A TCP proxy between a client and a server on loopback, with the faults of a network.
 *
 * - `pass`: everything goes through.
 * - `blackhole`: nothing goes through in either direction, and new connections are taken but never served; neither side is told.
 * - `deaf`: what the client sends arrives, what the server answers is lost.
 * - `refuse`: connections are reset, new ones as soon as they are there.
 * - `hold`: nothing goes through, and everything that was sent meanwhile arrives once the proxy passes again, as after a cable was
 *   pulled and put back.
 *
 * {@link TcpProxy.latencyMillis} makes answers late, as those of a server far away.
 *
 * {@link TcpProxy.loseAnswer} loses one certain answer and breaks the connections with it; {@link TcpProxy.endWith} lets it through
 * and ends its connection in the same write.
 *
 * Bytes that were held back or lost stay lost: going back to `pass` serves new connections; {@link TcpProxy.cut} ends the
 * old ones.
 */
export class TcpProxy {
  readonly port: number;
  readonly #server: Server;
  readonly #links = new Set<Link>();
  #mode: ProxyMode = 'pass';
  /** How late answers of the server are, in ms. */
  latencyMillis = 0;
  #onLost: (() => void) | undefined;
  /** Answers that still go through before one is lost. */
  #answersLeft = Infinity;
  #ending: ProxyEnding | undefined;

  private constructor(server: Server, targetPort: number) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (client) => this.#link(client, targetPort));
  }

  /** Listens on a free port and connects to `targetPort` of 127.0.0.1. */
  static async listen(targetPort: number): Promise<TcpProxy> {
    const server = createServer({ noDelay: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new TcpProxy(server, targetPort);
  }

  #link(client: Socket, targetPort: number): void {
    const server = connect({ port: targetPort, host: '127.0.0.1', noDelay: true });
    const link = { client, server };
    this.#links.add(link);
    if (this.#mode === 'hold') stall(link, true);
    if (this.#mode === 'refuse') {
      reset(link);
      this.#links.delete(link);
    }
    const end = (): void => {
      this.#links.delete(link);
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
      socket.on('error', end);
      socket.on('close', () => {
        // A black hole does not pass on that one side has gone.
        if (this.#mode !== 'blackhole' && this.#mode !== 'deaf') end();
      });
    }
    client.on('data', (chunk) => {
      if (this.#mode !== 'blackhole') server.write(chunk);
    });
    server.on('data', (chunk) => {
      if (this.#mode === 'pass' && this.#answersLeft > 0) {
        this.#answersLeft -= 1;
        this.#deliver(client, chunk);
        return;
      }
      if (this.#mode === 'pass') {
        this.#answersLeft = Infinity;
        if (this.#ending === undefined) this.cut();
        else this.#end(link, chunk, this.#ending);
      }
      this.#onLost?.();
    });
  }

  /** From here on the server has no part in it. */
  #end({ client, server }: Link, answer: Buffer, { bytes = Buffer.alloc(0), close }: ProxyEnding): void {
    this.#ending = undefined;
    server.removeAllListeners('close').destroy();
    client.removeAllListeners('data').resume();
    client.write(Buffer.concat([answer, bytes]), () => {
      if (close === 'end') client.end();
      if (close === 'reset') client.resetAndDestroy();
    });
  }

  #deliver(client: Socket, chunk: Buffer): void {
    if (this.latencyMillis === 0) {
      client.write(chunk);
      return;
    }
    setTimeout(() => {
      if (this.#mode === 'pass' || this.#mode === 'hold') client.write(chunk);
    }, this.latencyMillis).unref();
  }

  /** Changes what happens to bytes from now on. */
  set mode(mode: ProxyMode) {
    this.#mode = mode;
    for (const link of this.#links) stall(link, mode === 'hold');
    if (mode === 'refuse') this.cut();
  }

  /**
   * Lets this many more answers through, loses the next one, and breaks all connections then; afterwards everything goes
   * through again. An answer is what the server sends at once, so this is exact where one request follows the other.
   */
  loseAnswer(after: number): void {
    this.#answersLeft = after;
  }

  /** Lets this many more answers through, then one more, with which its connection ends. */
  endWith(after: number, ending: ProxyEnding): void {
    this.#answersLeft = after;
    this.#ending = ending;
  }

  /** Resolves when an answer of the server is lost next, or is the last of its connection. */
  lostAnswer(): Promise<void> {
    return new Promise((resolve) => {
      this.#onLost = () => {
        this.#onLost = undefined;
        resolve();
      };
    });
  }

  /**
   * Ends all connections at the server only: their clients are told nothing and hear nothing any more, as after a router has
   * forgotten them. New connections are served.
   */
  forget(): void {
    for (const { client, server } of this.#links) {
      server.removeAllListeners();
      server.on('error', () => undefined);
      server.resetAndDestroy();
      client.removeAllListeners('data');
      client.resume();
    }
  }

  /** Breaks all connections with a reset. */
  cut(): void {
    for (const link of this.#links) reset(link);
    this.#links.clear();
  }

  /** Ends everything. */
  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

function reset({ client, server }: Link): void {
  client.resetAndDestroy();
  server.resetAndDestroy();
}

/** Reads from neither side, or goes on. */
function stall({ client, server }: Link, isStalled: boolean): void {
  for (const socket of [client, server]) {
    if (isStalled) socket.pause();
    else socket.resume();
  }
}
