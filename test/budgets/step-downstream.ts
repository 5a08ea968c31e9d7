import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const answer = Buffer.from(JSON.stringify({ ok: true, reference: 'c0ffee00-1234', amount: 1299 }));
const headers = { 'content-type': 'application/json', 'content-length': String(answer.length) };

/**
 * A downstream that answers in steps: it holds its answers to a path until all workflows of a wave have called it, then answers them together,
 * within `together`.
 */
export class StepDownstream {
  readonly #waveSize: number;
  readonly #held = new Map<string, ServerResponse[]>();
  readonly #server: Server;
  /** Surrounds the answers of a step. */
  together: (answerAll: () => Promise<unknown>) => Promise<void> = async (answerAll) => {
    await answerAll();
  };
  /** Called when all workflows of a wave were answered for the last time, with what failed meanwhile. */
  onWave: (failure?: Error) => void = () => undefined;

  private constructor(waveSize: number) {
    this.#waveSize = waveSize;
    this.#server = createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
      request.resume().on('end', () => this.#called(request.url ?? '', response));
    });
  }

  /** Starts it. `waveSize` is the number of workflows that run at once. */
  static async start(waveSize: number): Promise<StepDownstream> {
    const downstream = new StepDownstream(waveSize);
    downstream.#server.listen(0, '127.0.0.1');
    await once(downstream.#server, 'listening');
    return downstream;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  #called(path: string, response: ServerResponse): void {
    const held = this.#held.get(path) ?? [];
    this.#held.set(path, held);
    held.push(response);
    if (held.length < this.#waveSize) return;
    this.#held.delete(path);
    const answerOne = (one: ServerResponse): Promise<void> =>
      new Promise((resolve) => {
        one.writeHead(200, headers).end(answer, resolve);
      });
    this.together(() => Promise.all(held.map(answerOne))).then(
      () => {
        if (path.endsWith('/3')) this.onWave();
      },
      (error: unknown) => this.onWave(error as Error),
    );
  }

  /** Stops listening, and ends all connections. */
  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
