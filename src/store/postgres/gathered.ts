import { StoreContended, StoreUnavailable } from '../../ports/store.ts';

/** Maximum number of questions per transaction, which bounds the size of the answer. */
const maxQuestions = 50;

/** Maximum size of the questions of a transaction, unless a single one is larger. */
const maxBytes = 4 * 1024 * 1024;

/** How long a contended question is retried, in ms: as long as a statement waits for a lock. */
const maxContendedMillis = 1500;

/** The first and the longest pause, in ms. Most locks belong to a checkpoint and end with its commit. */
const contendedPauseMillis = { first: 5, most: 50 };

/** The answer to a question whose row is locked by another transaction. */
export const contended: unique symbol = Symbol('contended');

/** Concurrent transactions; more than one, so that a slow one does not delay all questions. */
const maxUnderWay = 2;

interface Entry<Q, A> {
  readonly question: Q;
  readonly resolve: (answer: A) => void;
  readonly reject: (error: unknown) => void;
  /** The time of its first contention and the next pause. */
  contended?: { readonly since: number; pauseMillis: number };
}

/**
 * Batches questions of one kind by many executions: questions that arrive while transactions run wait and go out together. A
 * transaction costs the server and this process several times as much as one question in it, and a connection per question
 * would start cold, without a server process, catalog caches and plans.
 *
 * A transaction answers only questions asked before it was sent. If it fails with StoreUnavailable, all its questions fail; if
 * the server rejects a value, each question is sent alone. A question that meets another transaction's lock delays no other: it
 * is retried with growing pauses for {@link maxContendedMillis}.
 */
export class Gathered<Q, A> {
  readonly #run: (questions: readonly Q[]) => Promise<readonly (A | typeof contended)[]>;
  readonly #bytesOf: (question: Q) => number;
  #waiting: Entry<Q, A>[] = [];
  #underWay = 0;

  /**
   * `run` returns the answers in the order of the questions, {@link contended} for those that met a lock. `bytesOf` estimates
   * the size of a question, if questions can be large.
   */
  constructor(
    run: (questions: readonly Q[]) => Promise<readonly (A | typeof contended)[]>,
    bytesOf: (question: Q) => number = (): number => 0,
  ) {
    this.#run = run;
    this.#bytesOf = bytesOf;
  }

  /** Returns the answer of a `run` that starts at or after this call. */
  ask(question: Q): Promise<A> {
    return new Promise((resolve, reject) => {
      this.#add({ question, resolve, reject });
    });
  }

  #add(entry: Entry<Q, A>): void {
    this.#waiting.push(entry);
    // Deferred, so that questions caused by the same event go out together.
    if (this.#waiting.length === 1) queueMicrotask(() => this.#next());
  }

  #next(): void {
    while (this.#waiting.length > 0 && this.#underWay < maxUnderWay) {
      this.#underWay++;
      void this.#send(this.#waiting.splice(0, this.#count())).then(() => {
        this.#underWay--;
        this.#next();
      });
    }
  }

  /** The number of waiting questions for the next transaction. */
  #count(): number {
    let bytes = 0;
    let count = 0;
    for (const { question } of this.#waiting) {
      bytes += this.#bytesOf(question);
      if (count === maxQuestions || (count > 0 && bytes > maxBytes)) break;
      count++;
    }
    return count;
  }

  /** Retries a contended question after a pause, during which it holds no connection and delays no other question. */
  #again(entry: Entry<Q, A>): void {
    const now = performance.now();
    const { since, pauseMillis } = (entry.contended ??= { since: now, pauseMillis: contendedPauseMillis.first });
    if (now - since >= maxContendedMillis) {
      entry.reject(
        new StoreContended('Postgres cannot answer: another transaction has locked the execution for too long.'),
      );
      return;
    }
    entry.contended.pauseMillis = Math.min(contendedPauseMillis.most, pauseMillis * 2);
    setTimeout(() => {
      this.#add(entry);
    }, pauseMillis);
  }

  async #send(entries: readonly Entry<Q, A>[]): Promise<void> {
    try {
      const answers = await this.#run(entries.map(({ question }) => question));
      for (const [i, entry] of entries.entries()) {
        const answer = answers[i] as A | typeof contended;
        if (answer === contended) this.#again(entry);
        else entry.resolve(answer);
      }
    } catch (error) {
      if (entries.length === 1 || error instanceof StoreUnavailable) for (const { reject } of entries) reject(error);
      else for (const entry of entries) await this.#send([entry]);
    }
  }
}
