import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const answer = Buffer.from(JSON.stringify({ ok: true, reference: 'c0ffee00-1234', amount: 1299 }));
const headers = { 'content-type': 'application/json', 'content-length': String(answer.length) };

/** A downstream that answers as many calls as it is told, and holds the others. */
export class GatedDownstream {
  #mayAnswer = 0;
  readonly #held: ServerResponse[] = [];
  #awaited: { readonly held: number; readonly resolve: () => void } | undefined;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
      request.resume().on('end', () => this.#called(response));
    });
  }

  /** Starts it; it holds every call. */
  static async start(): Promise<GatedDownstream> {
    const downstream = new GatedDownstream();
    downstream.#server.listen(0, '127.0.0.1');
    await once(downstream.#server, 'listening');
    return downstream;
  }

  get url(): string {
    return `http://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`;
  }

  #called(response: ServerResponse): void {
    this.#held.push(response);
    this.#answer();
  }

  #answer(): void {
    for (; this.#mayAnswer > 0 && this.#held.length > 0; this.#mayAnswer--) {
      this.#held.shift()?.writeHead(200, headers).end(answer);
    }
    if (this.#awaited === undefined || this.#mayAnswer > 0 || this.#held.length < this.#awaited.held) return;
    this.#awaited.resolve();
    this.#awaited = undefined;
  }

  /** Answers `calls` more calls; resolves once it holds `held` others. */
  async answer(calls: number, held: number): Promise<void> {
    this.#mayAnswer += calls;
    await new Promise<void>((resolve) => {
      this.#awaited = { held, resolve };
      this.#answer();
    });
  }

  /** Stops listening, and ends all connections. */
  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
