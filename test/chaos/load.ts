import { setTimeout as pause } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import type { AnswerBody } from '../api-fixture.ts';
import { kinds, Ledger } from '../e2e/durability/load.ts';
import { SagaBuilder } from '../e2e/stage/definitions.ts';
import { type Answer, type Received, ScriptedDownstream } from '../e2e/stage/downstream.ts';
import { type ClusterStage, type OnFinished, until } from './cluster-stage.ts';
import { FaultLog } from './fault-log.ts';
import type { Pod } from './pod.ts';

/** What a load consists of. */
interface LoadOptions {
  /** Names of {@link kinds}; all by default. */
  readonly kinds?: readonly string[];
  /** Shortest and longest time that the downstream takes over a call. */
  readonly callMillis?: readonly [number, number];
}

/** Pause of each client between two executions while the load is eased. */
const easedMillis = 800;
/** Executions whose history is read at once. */
const checkedAtOnce = 20;
/** How long one request waits for the end of its execution. */
const waitMillis = 3_000;

/** Each call says which pod sent it. */
class ChaosSaga extends SagaBuilder {
  override call(path: string, changes: object = {}): object {
    return super.call(path, { headers: { 'x-pod': '{{vars.POD}}' }, ...changes });
  }
}

/** An execution that was submitted. */
interface Submitted {
  readonly begunAt: number;
  /** Undefined until it is over. */
  document?: AnswerBody;
  endedAt?: number;
}

/** A request that was not answered with success. */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly retryAfter: string | undefined;
}

/**
 * Sagas of all kinds submitted through all pods at once, and the check that everything accepted came to its right end: the
 * downstream's ledger says what really happened, and a call may have come twice only where its pod met a fault during it.
 *
 * Everything of one load has keys of its own, so that several can follow each other on one stage.
 */
export class Load {
  readonly #stage: ClusterStage;
  readonly #kinds: readonly string[];
  readonly #callMillis: readonly [number, number];
  readonly #faults: FaultLog;
  readonly #submitted: Submitted[] = [];
  readonly #ending = new AbortController();
  readonly #ledger = new Ledger(
    (before) => this.#faults.mayRepeat(before),
    (call) => this.#faults.allowedMillis(call),
  );
  readonly #downstream = new ScriptedDownstream((request) => this.#answer(request));
  readonly #prefix = String(performance.now());
  #clients: Promise<void>[] = [];
  #pauseMillis = 0;
  /** Requests that were answered with an error of the server. */
  readonly refusals: Refusal[] = [];

  constructor(stage: ClusterStage, options: LoadOptions = {}) {
    this.#stage = stage;
    this.#kinds = options.kinds ?? Object.keys(kinds);
    this.#callMillis = options.callMillis ?? [0, 40];
    this.#faults = new FaultLog(this.#callMillis[1]);
  }

  /**
   * Begins to submit, with so many clients, each of which waits for the end of its execution before the next. Ends with the test; one that runs
   * beside others passes its own `onTestFinished`.
   */
  async begin(clients = 12, finished: OnFinished = onTestFinished): Promise<void> {
    await this.#downstream.open();
    this.#clients = Array.from({ length: clients }, (_, number) => this.#client(number));
    finished(async () => {
      this.#ending.abort();
      await Promise.all(this.#clients);
      await this.#downstream.close();
    });
  }

  /** Runs a saga that waits for a callback, which only {@link Load.answer} gives; its id. */
  async park(pod: Pod): Promise<string> {
    const saga = new ChaosSaga(this.#downstream.url, 'waiting');
    const definition = saga.graph([saga.asyncTask('parks')]);
    const { status, body, text } = await pod.ask('POST', '/workflows/run', { definition });
    if (status !== 200) throw new Refused(`${String(status)} ${text}`);
    return body.id;
  }

  /** Answers an execution that was parked, through any pod; the HTTP status. It may not have made its call yet: then 0. */
  async answer(id: string): Promise<number> {
    const parks = (request: Received): boolean =>
      request.path.endsWith('/parks') && request.headers['trama-execution-id'] === id;
    const request = this.#downstream.received.find(parks);
    if (request === undefined) return 0;
    const { pathname } = new URL(JSON.parse(request.body).to as string);
    return (await this.#stage.next().ask('POST', pathname, { ok: true })).status;
  }

  /** Lets clients pause between executions meanwhile: beside all that they can submit a process takes ten seconds to start. */
  async eased<T>(during: () => Promise<T>): Promise<T> {
    this.#pauseMillis = easedMillis;
    try {
      return await during();
    } finally {
      this.#pauseMillis = 0;
    }
  }

  /** Resolves once so many more executions are over. */
  async passes(count: number): Promise<void> {
    const enough = this.#over.length + count;
    await until(() => this.#over.length >= enough);
  }

  /** Ends the submitting and waits for everything that was begun; then answers what does not fit, as sentences. */
  async problems(): Promise<readonly string[]> {
    this.#ending.abort();
    await Promise.all(this.#clients);
    const problems: string[] = [];
    const { documents } = this;
    for (let at = 0; at < documents.length; at += checkedAtOnce) {
      const some = documents.slice(at, at + checkedAtOnce);
      problems.push(...(await Promise.all(some.map((document) => this.#problemsOf(document)))).flat());
    }
    const known = new Set(documents.map((document) => document?.id as string));
    for (const id of this.#ledger.executions) if (!known.has(id)) problems.push(`No hook told of ${id}.`);
    return problems;
  }

  /** The status documents of the executions that are over. */
  get documents(): readonly AnswerBody[] {
    return this.#over.map(({ document }) => document);
  }

  /** How many executions are over. */
  get count(): number {
    return this.#over.length;
  }

  /** Notes that a pod met a fault: at once, or for as long as `during` takes. */
  fault(pod: Pod, during: () => Promise<unknown>): Promise<void> {
    return this.#faults.fault(pod, during);
  }

  /** Resolves once everything is over that was under way at a moment (of `Date.now()`). */
  async recovered(since: number): Promise<void> {
    const affected = this.#submitted.filter(({ begunAt }) => begunAt <= since);
    await until(() => affected.every(({ document }) => document !== undefined));
  }

  /** How many calls the downstream got from a pod. */
  calledBy(podId: string): number {
    return this.callTimes(podId).length;
  }

  /** When the downstream got calls from a pod, of `Date.now()`. */
  callTimes(podId: string): readonly number[] {
    return this.#ledger.callsFrom(podId).map(({ at }) => performance.timeOrigin + at);
  }

  /** How long after a moment (of `Date.now()`) the last of the executions ended that were under way then, in ms. */
  recoveryMillis(since: number): number {
    // Accepted, that is: a request that a paused pod never read is its client's to repeat.
    const ends = this.#submitted.flatMap(({ document, endedAt = 0 }) =>
      document !== undefined && Date.parse(document.startedAt) <= since ? [endedAt - since] : [],
    );
    return Math.max(0, ...ends);
  }

  /** How long executions took that were submitted in a stretch of time (of `Date.now()`), in ms. */
  durations(from: number, to: number): { readonly p50: number; readonly p99: number; readonly most: number } {
    const all = this.#submitted
      .flatMap(({ begunAt, endedAt }) =>
        begunAt >= from && begunAt <= to && endedAt !== undefined ? [endedAt - begunAt] : [],
      )
      .toSorted((a, b) => a - b);
    const at = (share: number): number => all[Math.floor(share * all.length)] ?? Number.NaN;
    return { p50: at(0.5), p99: at(0.99), most: all.at(-1) ?? Number.NaN };
  }

  get #over(): readonly Submitted[] {
    return this.#submitted.filter(({ document }) => document !== undefined);
  }

  #answer(request: Received): Answer {
    const node = request.path.split('/').at(-1);
    const failed = node === 'rejects' || (node === 'fails' && !this.#ledger.knows(request));
    if (node === 'parks' || node === 'undo-parks') return {};
    this.#ledger.note(request, String(request.headers['x-pod']), failed);
    if (node === 'asks') void this.#callBack(request);
    const [least, most] = this.#callMillis;
    return {
      status: node === 'rejects' ? 400 : failed ? 500 : 200,
      after: pause(least + Math.random() * (most - least)),
    };
  }

  /** Calls back like a good service: until a pod answers, through any pod that is there. */
  async #callBack({ body }: Received): Promise<void> {
    const { pathname } = new URL(JSON.parse(body).to as string);
    await pause(Math.random() * 100);
    await this.#persist(async () => {
      const { status } = await this.#stage.next().ask('POST', pathname, { ok: true });
      return status < 500 ? status : undefined;
    });
  }

  /** Tries until there is an answer. */
  async #persist<T>(attempt: () => Promise<T | undefined>): Promise<T> {
    for (;;) {
      const answer = await attempt().catch((error: unknown) => {
        if (error instanceof Refused) throw error;
        return undefined;
      });
      if (answer !== undefined) return answer;
      await pause(50);
    }
  }

  async #client(number: number): Promise<void> {
    const names = this.#kinds;
    for (let count = 0; !this.#ending.signal.aborted; count++) {
      const name = names[(number + count) % names.length] ?? 'chain';
      const saga = new ChaosSaga(this.#downstream.url, name);
      const definition = kinds[name]?.definition(saga);
      const submitted: Submitted = { begunAt: Date.now() };
      this.#submitted.push(submitted);
      const document = await this.#runToEnd(definition, `${this.#prefix}-${String(number)}-${String(count)}`);
      submitted.document = document;
      submitted.endedAt = Date.parse(document.completedAt as string);
      await pause(this.#pauseMillis);
    }
  }

  /** The same request again under the same key, through any pod that answers, until the execution is over. */
  #runToEnd(definition: object | undefined, key: string): Promise<AnswerBody> {
    const path = `/workflows/run?waitMillis=${String(waitMillis)}`;
    return this.#persist(async () => {
      const { status, body, text, headers } = await this.#stage
        .next()
        .ask('POST', path, { definition }, { 'idempotency-key': key });
      if (status >= 400 && status < 500) throw new Refused(`${String(status)} ${text}`);
      if (status >= 500)
        this.refusals.push({ status, code: body?.code, retryAfter: headers.get('retry-after') ?? undefined });
      return body?.completedAt === undefined ? undefined : body;
    });
  }

  async #problemsOf(document: AnswerBody): Promise<readonly string[]> {
    const rows = (path: string): Promise<AnswerBody> =>
      this.#persist(async () => {
        const { status, body } = await this.#stage.next().ask('GET', `/workflows/${document.id}/${path}`);
        return status === 200 ? body : undefined;
      });
    const [calls, steps] = await Promise.all([rows('steps/calls'), rows('steps')]);
    return this.#ledger.problemsOf(document, calls, steps, Date.parse(document.completedAt as string));
  }
}

/** The server would not take what is right: a mistake of the test or a bug, not a fault. */
class Refused extends Error {
  override readonly name = 'Refused';
}
