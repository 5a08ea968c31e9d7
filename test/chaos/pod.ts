import type { AnswerBody } from '../api-fixture.ts';
import { type Ended, startTrama, type TramaProcess } from '../e2e/trama-process.ts';

/** An answer of a pod. */
export interface PodAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The text as JSON; undefined where it is none. */
  readonly body: AnswerBody;
}

/** Pods that run now: they must not outlive this process, however it ends. */
const running = new Set<Pod>();
process.on('exit', () => {
  for (const pod of running) pod.process.child.kill('SIGKILL');
});

/** One process of a cluster under test, and what can be done to it. It keeps its name and port over restarts. */
export class Pod {
  readonly podId: string;
  readonly port: number;
  readonly #env: Readonly<Record<string, string>>;
  #process: TramaProcess | undefined;
  /** Whether clients should send requests here: it runs, and is neither paused nor about to stop. */
  isInService = false;
  /** How long one request may take: a paused pod answers nothing. */
  answersWithinMillis = 8_000;

  /** `env` configures the server in addition to its name and port. */
  constructor(podId: string, port: number, env: Readonly<Record<string, string>>) {
    this.podId = podId;
    this.port = port;
    this.#env = env;
  }

  get url(): string {
    return `http://127.0.0.1:${String(this.port)}`;
  }

  get process(): TramaProcess {
    if (this.#process === undefined) throw new Error(`${this.podId} was not started.`);
    return this.#process;
  }

  /** Whether its process exists, paused or not. */
  get isRunning(): boolean {
    return running.has(this);
  }

  /** Starts the process and waits until it says that it is ready. `changes` are settings that differ from now on. */
  async start(changes: Readonly<Record<string, string>> = {}): Promise<void> {
    const started = this.launch(changes);
    await started.said(/"msg":"ready"/);
    this.isInService = true;
  }

  /** Starts the process. */
  launch(changes: Readonly<Record<string, string>> = {}): TramaProcess {
    const env = { REDIS_SHARDING_PODID: this.podId, TRAMA_VAR_POD: this.podId, ...this.#env, ...changes };
    const started = startTrama(['serve', '--port', String(this.port)], env);
    this.#process = started;
    running.add(this);
    started.child.once('exit', () => {
      running.delete(this);
      this.isInService = false;
    });
    return started;
  }

  /** Stops it in order: an operator takes it out of service first and then sends SIGTERM. */
  stop(): Promise<Ended> {
    return this.#end('SIGTERM');
  }

  /** Ends it as a crash does. */
  kill(): Promise<Ended> {
    return this.#end('SIGKILL');
  }

  /** Stops it in its tracks. */
  freeze(): void {
    this.isInService = false;
    this.process.child.kill('SIGSTOP');
  }

  /** Lets it go on. */
  thaw(): void {
    this.process.child.kill('SIGCONT');
    this.isInService = true;
  }

  /** One request with a JSON body; throws when there is no answer within a few seconds. */
  async ask(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<PodAnswer> {
    const answer = await fetch(`${this.url}${path}`, {
      method,
      headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(this.answersWithinMillis),
    });
    const text = await answer.text();
    const isJson = answer.headers.get('content-type')?.startsWith('application/json') === true;
    return { status: answer.status, headers: answer.headers, text, body: isJson ? JSON.parse(text) : undefined };
  }

  /** What `/readyz` says: empty when ready. `scope`: what the API alone needs. */
  async unready(scope?: 'api'): Promise<string> {
    const { status, text } = await this.ask('GET', scope === undefined ? '/readyz' : `/readyz?scope=${scope}`);
    return status === 200 ? '' : text;
  }

  async #end(signal: NodeJS.Signals): Promise<Ended> {
    this.isInService = false;
    this.process.child.kill(signal);
    return this.process.ended;
  }
}
