import { setTimeout as pause } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { type Answer, type Received, ScriptedDownstream } from '../e2e/stage/downstream.ts';
import { SagaBuilder } from '../e2e/stage/definitions.ts';
import { type ClusterStage, type OnFinished, until } from './cluster-stage.ts';

/** How long one request of the test may be tried. */
const triesEachMillis = 20;

/** What came of the runs; times in ms. */
export interface Fairness {
  readonly runs: number;
  /** Longest wait, and that of the perfect queue. */
  readonly longest: number;
  readonly perfect: number;
  /** Most runs that were accepted later than one and that its pod began before it. */
  readonly overtakers: number;
  /** Calls that came more than once. */
  readonly repeated: number;
}

/** One run. */
interface Run {
  readonly acceptedAt: number;
}

/**
 * Runs of one call each, offered at an even rate, and how long each waited for its call, compared with one perfect queue: the same
 * runs accepted at the same times, served at the same instants, first come, first served.
 */
export class OfferedLoad {
  readonly #stage: ClusterStage;
  readonly #callMillis: number;
  readonly #name = `offered-${String(performance.now())}`;
  readonly #runs = new Map<string, Run>();
  readonly #begun = new Map<string, { readonly at: number; readonly podId: string }>();
  readonly #downstream = new ScriptedDownstream((request) => this.#answer(request));
  #repeated = 0;

  /** `callMillis`: how long each call takes. */
  constructor(stage: ClusterStage, callMillis: number) {
    this.#stage = stage;
    this.#callMillis = callMillis;
  }

  /** Opens the downstream, which is closed with the test; one that runs beside others passes its own `onTestFinished`. */
  async open(finished: OnFinished = onTestFinished): Promise<void> {
    await this.#downstream.open();
    finished(() => this.#downstream.close());
  }

  /** Offers so many runs each second for so long, through the pods in turn; resolves when all were accepted. */
  async offer(eachSecond: number, seconds: number): Promise<void> {
    const total = Math.round(eachSecond * seconds);
    const since = performance.now();
    const submitted: Promise<void>[] = [];
    for (let number = 0; number < total; number++) {
      await pause(Math.max(0, since + (number * 1000) / eachSecond - performance.now()));
      submitted.push(this.#submit(number));
    }
    await Promise.all(submitted);
  }

  /** Resolves when each run that was accepted has made its call. */
  async drained(): Promise<void> {
    await until(() => [...this.#runs.keys()].every((id) => this.#begun.has(id)));
  }

  /** How many runs that were accepted have not made their call. */
  get backlog(): number {
    return [...this.#runs.keys()].filter((id) => !this.#begun.has(id)).length;
  }

  /** Judges the runs whose calls came from a moment on (of `performance.now()`), by default all. */
  judge(from = 0): Fairness {
    const runs = [...this.#runs]
      .map(([id, { acceptedAt }]) => {
        const { at: begunAt = Infinity, podId = '' } = this.#begun.get(id) ?? {};
        return { acceptedAt, begunAt, podId };
      })
      .filter(({ begunAt }) => begunAt >= from);
    const accepted = runs.map(({ acceptedAt }) => acceptedAt).toSorted((a, b) => a - b);
    const served = runs.map(({ begunAt }) => begunAt).toSorted((a, b) => a - b);
    const overtakers = runs.map(
      ({ acceptedAt, begunAt, podId }) =>
        runs.filter((run) => run.podId === podId && run.acceptedAt > acceptedAt && run.begunAt < begunAt).length,
    );
    return {
      runs: runs.length,
      longest: Math.max(0, ...runs.map(({ acceptedAt, begunAt }) => begunAt - acceptedAt)),
      perfect: Math.max(0, ...served.map((at, place) => at - accepted[place]!)),
      overtakers: Math.max(0, ...overtakers),
      repeated: this.#repeated,
    };
  }

  async #submit(number: number): Promise<void> {
    const saga = new SagaBuilder(this.#downstream.url, 'one');
    const definition = saga.graph([saga.task('only', {}, { headers: { 'x-pod': '{{vars.POD}}' } })]);
    const key = { 'idempotency-key': `${this.#name}-${String(number)}` };
    for (;;) {
      try {
        const { status, body } = await this.#stage.next().ask('POST', '/workflows/run', { definition }, key);
        if (status < 300) {
          this.#runs.set(body.id, { acceptedAt: performance.now() });
          return;
        }
      } catch {
        // A pod that leaves may not answer: another one does.
      }
      await pause(triesEachMillis);
    }
  }

  #answer({ headers }: Received): Answer {
    const id = String(headers['trama-execution-id']);
    if (this.#begun.has(id)) this.#repeated++;
    else this.#begun.set(id, { at: performance.now(), podId: String(headers['x-pod']) });
    return { after: pause(this.#callMillis) };
  }
}
