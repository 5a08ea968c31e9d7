import type { CoreLimits, Env } from '../core/apply.ts';
import type { Entropy } from '../ports/clock.ts';

/** Looks up a configured variable. */
export type Variable = (name: string) => string | undefined;

/** Which key signs the token of an operation; see {@link Env.callbackKey}. */
export type CallbackKeyChoice = (used: string | undefined) => string | undefined;

/** Creates the {@link Env} of each transition. One per process. */
export class CoreEnvironment {
  readonly #random: () => number;
  readonly #nonce: () => string;
  readonly #variable: Variable;
  readonly #callbackKey: CallbackKeyChoice;
  readonly #newId: (now: number) => string;
  readonly #limits: CoreLimits;
  readonly #maskJson: Env['maskJson'];

  /** `newId` mints ids of executions. */
  constructor(
    entropy: Entropy,
    variable: Variable,
    callbackKey: CallbackKeyChoice,
    limits: CoreLimits,
    newId: (now: number) => string,
    maskJson?: Env['maskJson'],
  ) {
    this.#newId = newId;
    this.#random = () => entropy.random();
    this.#nonce = () => entropy.nonce();
    this.#variable = variable;
    this.#callbackKey = callbackKey;
    this.#limits = limits;
    this.#maskJson = maskJson;
  }

  /** At `now` (ms since 1970); `advance` as in {@link Env.advance}. */
  at(now: number, advance: boolean): Env {
    return {
      now,
      advance,
      random: this.#random,
      nonce: this.#nonce,
      executionId: () => this.#newId(now),
      callbackKey: this.#callbackKey,
      variable: this.#variable,
      maskJson: this.#maskJson,
      limits: this.#limits,
    };
  }
}
