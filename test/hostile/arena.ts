import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { expect } from 'vitest';
import { startTrama, type TramaProcess } from '../e2e/trama-process.ts';

/** No request, answer or callback may keep the server from answering for longer. */
export const longestGapMillis = 1_000;

/** The heap of every server here, in MiB. */
const heapMiB = 384;

/** What {@link Arena.watch} measured. */
export interface Health {
  /** The longest time that `/healthz` took to answer, in milliseconds. */
  readonly longest: number;
  /** Requests that failed, or were answered with something else than 200. */
  readonly failures: number;
}

/** Polls `/healthz` from a thread of its own until the answer is called, which says what was seen. A second call says it again. */
export function pollHealth(url: string): () => Promise<Health> {
  const poller = new Worker(new URL('health-poller.ts', import.meta.url), { workerData: { url } });
  const health = new Promise<Health>((resolve, reject) => {
    poller.once('message', resolve).once('error', reject);
  });
  return () => {
    poller.postMessage('stop');
    return health;
  };
}

/**
 * A server with a small heap, for tests that send it hostile input: it must go on answering `/healthz` within a second, and
 * live.
 */
export class Arena {
  readonly #env: Readonly<Record<string, string>>;
  readonly #prepare: ((dataDir: string) => Promise<void>) | undefined;
  #directory = '';
  #process: TramaProcess | undefined;
  #url = '';

  /**
   * `env` configures the server. Without a database in it the server has an embedded store in a directory of its own, which `prepare` may
   * fill before the first start.
   */
  constructor(env: Readonly<Record<string, string>> = {}, prepare?: (dataDir: string) => Promise<void>) {
    this.#env = env;
    this.#prepare = prepare;
  }

  /** Where the server answers, without a slash at the end. */
  get url(): string {
    return this.#url;
  }

  get process(): TramaProcess {
    if (this.#process === undefined) throw new Error('The arena is not open.');
    return this.#process;
  }

  /** Starts the server, and resolves once it is ready. A second call, after the server's end, starts it anew over the same data. */
  async open(): Promise<void> {
    if (this.#directory === '') {
      this.#directory = await mkdtemp(join(tmpdir(), 'trama-hostile-'));
      await this.#prepare?.(this.#directory);
    }
    this.#process = startTrama(['serve', '--port', '0', '--data-dir', this.#directory], {
      NODE_OPTIONS: `--max-old-space-size=${String(heapMiB)}`,
      ...this.#env,
    });
    const [, url = ''] = await this.#process.said(/"url":"([^"]+)".*"msg":"ready"/);
    this.#url = url;
  }

  async close(): Promise<void> {
    this.#process?.child.kill('SIGKILL');
    await this.#process?.ended;
    if (this.#directory !== '') await rm(this.#directory, { recursive: true, force: true });
  }

  /** Sends JSON (a text is sent as it is) and answers the status with the body, parsed where it is JSON. */
  async send(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<{ readonly status: number; readonly body: unknown; readonly headers: Headers }> {
    const response = await fetch(this.#url + path, {
      method,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    let parsed: unknown = text;
    try {
      parsed = JSON.parse(text);
    } catch {
      // A text stays one.
    }
    return { status: response.status, body: parsed, headers: response.headers };
  }

  /** Polls `/healthz` while `work` goes on. Throws what `work` throws. */
  async watch<T>(work: () => Promise<T>): Promise<{ readonly value: T; readonly health: Health }> {
    const stop = pollHealth(this.#url);
    try {
      return { value: await work(), health: await stop() };
    } finally {
      await stop();
    }
  }

  /** Runs `work`, and expects that the server lived and answered throughout. Answers what `work` answers. */
  async survives<T>(work: () => Promise<T>): Promise<T> {
    const { value, health } = await this.watch(work);
    expect(this.process.child.exitCode).toBeNull();
    expect(health.failures).toBe(0);
    expect(health.longest).toBeLessThanOrEqual(longestGapMillis);
    return value;
  }
}
