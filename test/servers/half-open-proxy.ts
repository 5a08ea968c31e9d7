import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/**
 * A TCP proxy on the loopback interface that can do to connections what networks do: cut them, or swallow what is sent
 * while both ends believe that they are connected.
 */
export class HalfOpenProxy {
  readonly #server: Server;
  readonly #target: number;
  readonly #sockets = new Set<Socket>();
  #swallows: 'nothing' | 'answers' | 'everything' = 'nothing';

  private constructor(target: number) {
    this.#target = target;
    this.#server = createServer((client) => {
      this.#join(client);
    });
  }

  /** Listens on a free port and passes on to `target`. */
  static async start(target: number): Promise<HalfOpenProxy> {
    const proxy = new HalfOpenProxy(target);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** Where clients connect to. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** From now on what is sent in the named direction arrives nowhere; new connections are accepted and share that fate. */
  swallow(what: 'answers' | 'everything'): void {
    this.#swallows = what;
  }

  /** Passes everything on again. What was swallowed stays lost, so connections of that time are cut. */
  heal(): void {
    if (this.#swallows !== 'nothing') this.cut();
    this.#swallows = 'nothing';
  }

  /** Ends all connections at once. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Stops listening and ends all connections. */
  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(client: Socket): void {
    const server = connect(this.#target, '127.0.0.1');
    this.#pass(client, server, () => this.#swallows === 'everything');
    this.#pass(server, client, () => this.#swallows !== 'nothing');
  }

  #pass(from: Socket, to: Socket, isSwallowed: () => boolean): void {
    this.#sockets.add(from);
    from.on('data', (bytes) => {
      if (!isSwallowed() && to.writable) to.write(bytes);
    });
    // One end is gone: so is the other.
    from.on('error', () => to.destroy());
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }
}
