/**
 * Questions of one kind by many executions: while a transaction is under way, what is asked meanwhile gathers and goes out as
 * one. A transaction costs the server and this process several times what a question in it costs; and as many connections as
 * there are questions would each begin cold, with a process, catalogs and plans to make.
 *
 * Nobody is answered by a transaction that was sent before they asked. What one without an answer was asked fails for all of
 * them; where the server refuses a value of one, each is asked alone.
 */
import { StoreUnavailable } from '../../ports/store.ts';

/** Most questions of a transaction, so that the answer stays small. */
const maxQuestions = 50;

/** Most bytes of the questions of a transaction, unless one alone is larger. */
const maxBytes = 4 * 1024 * 1024;

/** Transactions at once: a slow one does not keep all others waiting. */
const maxUnderWay = 2;

interface Entry<Q, A> {
  readonly question: Q;
  readonly resolve: (answer: A) => void;
  readonly reject: (error: unknown) => void;
}

/** See the file header. */
export class Gathered<Q, A> {
  readonly #run: (questions: readonly Q[]) => Promise<readonly A[]>;
  readonly #bytesOf: (question: Q) => number;
  #waiting: Entry<Q, A>[] = [];
  #underWay = 0;

  /** `run` gives the answers in the order of the questions; `bytesOf` says about how large one is, where that matters. */
  constructor(
    run: (questions: readonly Q[]) => Promise<readonly A[]>,
    bytesOf: (question: Q) => number = (): number => 0,
  ) {
    this.#run = run;
    this.#bytesOf = bytesOf;
  }

  /** What `run` answers, asked at or after this call. */
  ask(question: Q): Promise<A> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ question, resolve, reject });
      // One turn later, so that what the same event caused goes out together.
      if (this.#waiting.length === 1) queueMicrotask(() => this.#next());
    });
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

  async #send(entries: readonly Entry<Q, A>[]): Promise<void> {
    try {
      const answers = await this.#run(entries.map(({ question }) => question));
      for (const [i, { resolve }] of entries.entries()) resolve(answers[i] as A);
    } catch (error) {
      if (entries.length === 1 || error instanceof StoreUnavailable) for (const { reject } of entries) reject(error);
      else for (const entry of entries) await this.#send([entry]);
    }
  }
}
