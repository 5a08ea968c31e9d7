import { readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { chainDefinition } from '../../bench/scenarios/chain.ts';
import { CountedProcess, inTime } from './counted-process.ts';
import type { Phase, ServerWork } from './instruments.ts';
import { StepDownstream } from './step-downstream.ts';

/** Workflows that run at once. */
export const waveSize = 64;

/**
 * A server that counts what it does, the downstream of its workflows, and the client that submits them: chains of three calls.
 *
 * The workflows of a wave run in step, and the server is stopped while their requests or answers are sent to it: it finds all of them when it
 * goes on. So it writes as much at once on a busy machine as on an idle one, and what it does for a workflow is the same.
 */
export class CountedServer {
  readonly #process: CountedProcess;
  readonly #downstream: StepDownstream;
  #runPath = '';

  private constructor(server: CountedProcess, downstream: StepDownstream) {
    this.#process = server;
    this.#downstream = downstream;
    downstream.together = (send): Promise<void> => this.#stopped(send);
  }

  /** Starts the sources of this checkout, or the build of the checkout at `root`. */
  static async start(env: Readonly<Record<string, string>>, root?: string): Promise<CountedServer> {
    const child = await CountedProcess.start({ env, root, connections: waveSize });
    const server = new CountedServer(child, await StepDownstream.start(waveSize));
    try {
      const definition = chainDefinition(`http://127.0.0.1:${String(server.downstreamPort)}`);
      await child.ask('POST', '/workflows/definitions', definition);
      server.#runPath = `/workflows/definitions/${definition.name}/${definition.version}/run`;
      return server;
    } catch (error) {
      await server.close();
      throw error;
    }
  }

  /** Where the embedded store is, if it is used. */
  get dataDir(): string {
    return this.#process.dataDir;
  }

  get downstreamPort(): number {
    return this.#downstream.port;
  }

  /** Sends something while the server is stopped. */
  async #stopped(send: () => Promise<unknown>): Promise<void> {
    const { pid } = this.#process;
    process.kill(pid, 'SIGSTOP');
    // A process that runs on another core stops a moment later. See proc(5): the state stands after the name.
    while (!/\) [TX] /.test(readFileSync(`/proc/${String(pid)}/stat`, 'utf8'))) await setImmediate();
    try {
      await send();
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  }

  async #wave(): Promise<void> {
    const body = { payload: { order: 'o-1234', customer: 'c-1234567890', amount: 12.99 } };
    const over = new Promise<void>((resolve, reject) => {
      this.#downstream.onWave = (failure?: Error): void => {
        if (failure === undefined) resolve();
        else reject(failure);
      };
    });
    let submissions: readonly Promise<unknown>[] = [];
    await this.#stopped(async () => {
      submissions = Array.from({ length: waveSize }, () => this.#process.ask('POST', this.#runPath, body));
      // The client has written them when its turn of the event loop is over.
      await setImmediate();
    });
    await inTime('A wave', Promise.all([over, ...submissions]));
  }

  /** Runs so many waves of chains, one after the other; resolves when all of them are over. */
  async run(waves: number): Promise<void> {
    for (let wave = 0; wave < waves; wave++) await this.#wave();
    while ((await this.#process.ask('GET', '/workflows?status=IN_PROGRESS&limit=1')) !== '[]');
  }

  /** Begins to count. */
  async begin(phase: Phase): Promise<void> {
    await this.#process.begin(phase);
  }

  /** Ends counting; what the server did meanwhile. */
  end(): Promise<ServerWork> {
    return this.#process.end();
  }

  /** Ends the process and removes its data. */
  async close(): Promise<void> {
    await this.#process.close();
    this.#downstream.close();
  }
}
