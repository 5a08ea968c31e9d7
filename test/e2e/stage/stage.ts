import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll } from 'vitest';
import type { AnswerBody } from '../../api-fixture.ts';
import { type Ended, startTrama, type TramaProcess } from '../trama-process.ts';
import { SagaBuilder } from './definitions.ts';
import { ScriptedDownstream } from './downstream.ts';

/** How long anything may take that a test waits for: longer than any real wait, shorter than the test's own limit. */
const patienceMillis = 30_000;
const pollMillis = 20;

/** An answer of the server. */
export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The text as JSON, where it is. Numbers lose their digits here. */
  readonly body: AnswerBody;
}

/** What goes with a run besides its definition. */
export interface RunFields {
  readonly payload?: object;
  readonly labels?: object;
  readonly startAt?: string;
}

/**
 * What an end-to-end test plays on: a server in a process of its own on a data directory, and the downstream that its
 * sagas call. One stage serves all tests of a file.
 */
export class Stage {
  readonly downstream: ScriptedDownstream;
  readonly #env: Readonly<Record<string, string>>;
  #directory = '';
  #port = 0;
  #process: TramaProcess | undefined;

  /** `env` configures the server. */
  constructor(env: Readonly<Record<string, string>> = {}, downstream: ScriptedDownstream = new ScriptedDownstream()) {
    this.#env = env;
    this.downstream = downstream;
  }

  async open(): Promise<void> {
    this.#directory = await mkdtemp(join(tmpdir(), 'trama-stage-'));
    this.#port = await freePort();
    await this.downstream.open();
    await this.start();
  }

  async close(): Promise<void> {
    await this.kill('SIGTERM');
    await this.downstream.close();
    await rm(this.#directory, { recursive: true, force: true });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get dataDir(): string {
    return this.#directory;
  }

  /** The server's process. */
  get process(): TramaProcess {
    if (this.#process === undefined) throw new Error('The server was not started.');
    return this.#process;
  }

  /** Starts the server on the same directory and port; resolves when it is ready. `maxFileBlocks` as in `startTrama`. */
  async start(maxFileBlocks?: number): Promise<void> {
    const args = ['serve', '--port', String(this.#port), '--data-dir', this.#directory];
    this.#process = startTrama(args, this.#env, maxFileBlocks);
    await this.#process.said(/"msg":"ready"/);
  }

  /** Sends a signal and waits for the end of the process. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<Ended> {
    this.process.child.kill(signal);
    return this.process.ended;
  }

  /** A builder for a saga of this name. */
  saga(name: string): SagaBuilder {
    return new SagaBuilder(this.downstream.url, name);
  }

  /** One request. A body that is a text goes out as it is, anything else as JSON. */
  async ask(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<ApiAnswer> {
    const answer = await fetch(path.startsWith('/') ? `${this.url}${path}` : path, {
      method,
      headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    const isJson = text !== '' && /^application\/(?:[\w.-]+\+)?json/.test(answer.headers.get('content-type') ?? '');
    return { status: answer.status, headers: answer.headers, text, body: isJson ? JSON.parse(text) : undefined };
  }

  /** Starts an execution and answers its id; throws unless it was taken. */
  async run(definition: object, fields: RunFields = {}): Promise<string> {
    const { status, body, text } = await this.ask('POST', '/workflows/run', { definition, ...fields });
    if (status !== 200) throw new Error(`${status} ${text}`);
    return body.id;
  }

  /** Runs to the end and answers the status document. */
  async finish(definition: object, fields: RunFields = {}): Promise<AnswerBody> {
    const path = `/workflows/run?waitMillis=${patienceMillis}`;
    const { status, body, text } = await this.ask('POST', path, { definition, ...fields });
    if (status !== 200 || body.completedAt === undefined) throw new Error(`${status} ${text}`);
    return body;
  }

  async show(id: string): Promise<AnswerBody> {
    return (await this.ask('GET', `/workflows/${id}`)).body;
  }

  /** The status document as soon as it is as wanted. */
  async until(id: string, wanted: (document: AnswerBody) => boolean): Promise<AnswerBody> {
    const deadline = Date.now() + patienceMillis;
    for (;;) {
      const document = await this.show(id);
      if (wanted(document)) return document;
      if (Date.now() > deadline) throw new Error(`Not as wanted in time:\n${JSON.stringify(document, undefined, 2)}`);
      await pause(pollMillis);
    }
  }

  /** The status document as soon as its status is this. */
  untilStatus(id: string, status: string): Promise<AnswerBody> {
    return this.until(id, (document) => document.status === status);
  }

  /** The status document as soon as the execution is over. */
  untilEnd(id: string): Promise<AnswerBody> {
    return this.until(id, (document) => document.completedAt !== undefined);
  }

  async steps(id: string): Promise<AnswerBody[]> {
    return (await this.ask('GET', `/workflows/${id}/steps`)).body;
  }

  async calls(id: string): Promise<AnswerBody[]> {
    return (await this.ask('GET', `/workflows/${id}/steps/calls`)).body;
  }

  /** Asks for a change: `cancel`, `retry` and the like; answers the HTTP status. */
  async control(id: string, action: string, body?: object): Promise<number> {
    return (await this.ask('POST', `/workflows/${id}/${action}`, body)).status;
  }

  /** Where an async node's request was told to call back: what its n-th call said. */
  async callbackOf(path: string, n = 1): Promise<{ readonly to: string; readonly token: string }> {
    return JSON.parse((await this.downstream.arrival(path, n)).body);
  }

  /** Delivers a callback to a signed URL; answers the HTTP status. */
  async callBack(to: string, body: unknown): Promise<number> {
    return (await this.ask('POST', to, body)).status;
  }
}

/** A stage that is open while the tests of this file run. */
export function openStage(env: Readonly<Record<string, string>> = {}): Stage {
  const stage = new Stage(env);
  beforeAll(() => stage.open());
  afterAll(() => stage.close());
  return stage;
}

/** Phases and names of history rows, like `reserve UP`. */
export function rowNames(rows: readonly AnswerBody[]): string[] {
  return rows.map((row) => `${row.stepName} ${row.phase}`);
}

/** Attempts of calls with what came of them, like `reserve UP 1 unknown`. */
export function attempts(rows: readonly AnswerBody[]): string[] {
  return rows.map((row) => `${row.stepName} ${row.phase} ${row.attempt} ${row.outcome}`);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
