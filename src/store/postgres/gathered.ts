import { StoreContended, StoreUnavailable } from '../../ports/store.ts';

/** Most questions of a transaction, so that the answer stays small. */
const maxQuestions = 50;

/** Most bytes of the questions of a transaction, unless one alone is larger. */
const maxBytes = 4 * 1024 * 1024;

/** How long one that meets a lock is asked again, in ms: as long as a statement waits for a lock. */
const maxContendedMillis = 1500;

/** The first pause and the longest, in ms. Most locks are those of a checkpoint, and gone with its commit. */
const contendedPauseMillis = { first: 5, most: 50 };

/** The answer to a question whose row another transaction has locked. */
export const contended: unique symbol = Symbol('contended');

/** Transactions at once: a slow one does not keep all others waiting. */
const maxUnderWay = 2;

interface Entry<Q, A> {
  readonly question: Q;
  readonly resolve: (answer: A) => void;
  readonly reject: (error: unknown) => void;
  /** When it met a lock first, and the next pause. */
  contended?: { readonly since: number; pauseMillis: number };
}

/**
 * Questions of one kind by many executions: while a transaction is under way, what is asked meanwhile gathers and goes out as
 * one. A transaction costs the server and this process several times what a question in it costs; and as many connections as
 * there are questions would each begin cold, with a process, catalogs and plans to make.
 *
 * A transaction answers only questions that were asked before it was sent. What one without an answer was asked fails for all of
 * them; where the server refuses a value of one, each is asked alone. One that meets another transaction's lock delays itself alone: it
 * is asked again, with pauses that grow, for {@link maxContendedMillis}.
 */
export class Gathered<Q, A> {
  readonly #run: (questions: readonly Q[]) => Promise<readonly (A | typeof contended)[]>;
  readonly #bytesOf: (question: Q) => number;
  #waiting: Entry<Q, A>[] = [];
  #underWay = 0;

  /** `run` gives the answers in the order of the questions, {@link contended} where it met a lock; `bytesOf` says about how large one is, where that matters. */
  constructor(
    run: (questions: readonly Q[]) => Promise<readonly (A | typeof contended)[]>,
    bytesOf: (question: Q) => number = (): number => 0,
  ) {
    this.#run = run;
    this.#bytesOf = bytesOf;
  }

  /** What `run` answers, asked at or after this call. */
  ask(question: Q): Promise<A> {
    return new Promise((resolve, reject) => {
      this.#add({ question, resolve, reject });
    });
  }

  #add(entry: Entry<Q, A>): void {
    this.#waiting.push(entry);
    // One turn later, so that what the same event caused goes out together.
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

  /** How many of those that wait go out together. */
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

  /** Nothing is held meanwhile, neither a connection nor the place of others. */
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
