import { EventEmitter } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request that arrived whole. */
export interface Received {
  readonly path: string;
  readonly verb: string;
  readonly body: string;
  readonly headers: IncomingHttpHeaders;
  /** `Idempotency-Key`; empty when there was none. */
  readonly key: string;
}

/** How one call is answered; 200 `{}` by default. */
export interface Answer {
  readonly status?: number;
  /** A text is sent as it is, anything else as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Answers only once this is settled. */
  readonly after?: Promise<unknown>;
  /** Cuts the connection instead of answering. */
  readonly cut?: true;
  /** Called before anything else, with the request at hand. */
  readonly meanwhile?: (request: Received) => unknown;
}

/**
 * A downstream whose answers are scripted by path, and that remembers everything it was asked.
 *
 * Close it after the server that calls it.
 */
export class ScriptedDownstream {
  readonly #fallback: (request: Received) => Answer;
  /** Everything that arrived, in order. */
  readonly received: Received[] = [];
  readonly #scripts = new Map<string, Answer[]>();
  readonly #answers = new Map<string, (request: Received) => Answer>();
  readonly #arrivals = new EventEmitter().setMaxListeners(0);
  readonly #server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      const { url = '', method = '', headers } = request;
      const got = { path: url, verb: method, body, headers, key: String(headers['idempotency-key'] ?? '') };
      this.received.push(got);
      this.#arrivals.emit('arrival');
      void answer(response, this.#next(got), got);
    });
  });

  /** `fallback` answers calls of paths without a script. */
  constructor(fallback: (request: Received) => Answer = () => ({})) {
    this.#fallback = fallback;
  }

  async open(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Its address, without a slash at the end. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Answers calls of a path in this order from now on; the last answer repeats. */
  script(path: string, ...answers: readonly Answer[]): void {
    this.#scripts.set(path, [...answers]);
  }

  /** Answers calls of a path as this decides, each anew. */
  answer(path: string, decide: (request: Received) => Answer): void {
    this.#answers.set(path, decide);
  }

  /** What arrived at a path, its query aside. */
  calls(path: string): readonly Received[] {
    return this.received.filter((request) => pathOf(request.path) === path);
  }

  /** Paths in the order of arrival below a prefix, with the prefix cut off. */
  order(prefix: string): readonly string[] {
    return this.received.filter(({ path }) => path.startsWith(prefix)).map(({ path }) => path.slice(prefix.length));
  }

  /** The n-th request of a path, as soon as it is there. */
  arrival(path: string, n = 1): Promise<Received> {
    return this.#await(() => this.calls(path)[n - 1]);
  }

  /** Resolves as soon as this many requests have arrived in all. */
  async count(total: number): Promise<void> {
    await this.#await(() => (this.received.length >= total ? true : undefined));
  }

  /** What `look` finds, which looks again at every arrival. */
  #await<T>(look: () => T | undefined): Promise<T> {
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

  #next(request: Received): Answer {
    const decide = this.#answers.get(pathOf(request.path));
    if (decide !== undefined) return decide(request);
    const script = this.#scripts.get(pathOf(request.path)) ?? [];
    return (script.length > 1 ? script.shift() : script[0]) ?? this.#fallback(request);
  }
}

function pathOf(url: string): string {
  return url.split('?')[0] ?? '';
}

async function answer(response: ServerResponse, scripted: Answer, request: Received): Promise<void> {
  await scripted.meanwhile?.(request);
  await scripted.after;
  if (scripted.cut === true) {
    response.destroy();
    return;
  }
  const { status = 200, body = {}, headers = {} } = scripted;
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}
