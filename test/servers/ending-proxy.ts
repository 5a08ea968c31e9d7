import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { TLSSocket, type SecureContext } from 'node:tls';
import type { ProxyEnding } from './tcp-proxy.ts';

/**
 * When a connection ends: as soon as it is there, after the first message of its handshake, instead of the answer to what the client
 * sends with this text in it, or in the same write as that answer.
 */
export type ProxyMoment =
  { readonly at: 'accept' | 'handshake' } | { readonly at: 'asked' | 'answered'; readonly text: string };

/**
 * A TCP proxy that ends a connection at a chosen moment of its protocol in a chosen way; TLS ends at the proxy, where it is given a
 * certificate. What comes before and after is the real server's.
 */
export class EndingProxy {
  readonly #server: Server;
  readonly #target: number;
  readonly #context: SecureContext | undefined;
  readonly #clients = new Set<Socket>();
  #moment: ProxyMoment | undefined;
  #ending: ProxyEnding = { close: 'end' };
  #ended: (() => void) | undefined;

  private constructor(server: Server, target: number, context: SecureContext | undefined) {
    this.#server = server;
    this.#target = target;
    this.#context = context;
    server.on('connection', (client) => {
      this.#accept(client);
    });
  }

  /** Listens on a free port and passes on to `target` of 127.0.0.1. */
  static async listen(target: number, context?: SecureContext): Promise<EndingProxy> {
    const server = createServer({ noDelay: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new EndingProxy(server, target, context);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Ends the next connection that comes so far, and only that; resolves when it has. */
  endNext(moment: ProxyMoment, ending: ProxyEnding): Promise<void> {
    this.#moment = moment;
    this.#ending = ending;
    return new Promise((resolve) => {
      this.#ended = resolve;
    });
  }

  /** Breaks all connections with a reset. */
  cut(): void {
    for (const client of this.#clients) client.resetAndDestroy();
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  /** The ending, when this is the moment. */
  #isNow(at: ProxyMoment['at'], sent: Buffer = Buffer.alloc(0)): ProxyEnding | undefined {
    const moment = this.#moment;
    if (moment?.at !== at) return undefined;
    const text = 'text' in moment ? moment.text : '';
    if (!sent.toString('latin1').toLowerCase().includes(text.toLowerCase())) return undefined;
    this.#moment = undefined;
    return this.#ending;
  }

  #end(raw: Socket, client: Socket, { bytes = Buffer.alloc(0), close }: ProxyEnding): void {
    const act = (): void => {
      if (close === 'end') client.end();
      if (close === 'reset') raw.resetAndDestroy();
      this.#ended?.();
    };
    client.resume();
    if (bytes.length === 0) act();
    else client.write(bytes, act);
  }

  #accept(raw: Socket): void {
    this.#clients.add(raw);
    raw.on('error', () => undefined);
    raw.on('close', () => this.#clients.delete(raw));
    const ending = this.#isNow('accept');
    if (ending !== undefined) this.#end(raw, raw, ending);
    else if (this.#context === undefined) this.#link(raw, raw);
    else if (this.#moment?.at === 'handshake') {
      raw.once('data', () => {
        this.#end(raw, raw, this.#isNow('handshake') ?? this.#ending);
      });
    } else {
      const secure = new TLSSocket(raw, { isServer: true, secureContext: this.#context });
      secure.on('error', () => undefined);
      this.#link(raw, secure);
    }
  }

  #link(raw: Socket, client: Socket): void {
    const server = connect({ port: this.#target, host: '127.0.0.1', noDelay: true });
    let ending: ProxyEnding | undefined;
    const over = (): void => {
      server.destroy();
      raw.destroy();
    };
    server.on('error', over).on('close', over);
    raw.on('close', over);
    const leave = (last: ProxyEnding): void => {
      server.removeAllListeners('close').destroy();
      client.removeAllListeners('data');
      this.#end(raw, client, last);
    };
    client.on('data', (sent: Buffer) => {
      const now = this.#isNow('asked', sent);
      if (now !== undefined) {
        leave(now);
        return;
      }
      ending ??= this.#isNow('answered', sent);
      server.write(sent);
    });
    server.on('data', (answer: Buffer) => {
      if (ending === undefined) client.write(answer);
      else leave({ ...ending, bytes: Buffer.concat([answer, ending.bytes ?? Buffer.alloc(0)]) });
    });
  }
}
