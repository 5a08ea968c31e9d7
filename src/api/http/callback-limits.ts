import { addressGroup } from '../../security/addresses.ts';
import { RateLimiter } from '../../security/rate-limiter.ts';

/** Callbacks per second, at least 1. Bursts of ten times as many are allowed. */
export interface CallbackRates {
  readonly perExecution: number;
  readonly perAddress: number;
}

const burstSeconds = 10;
const maxExecutions = 20_000;
const maxAddresses = 10_000;

/**
 * Limits callbacks per address, before the body is read, and per execution, after the signature check and before any
 * lookup in the store. Forged callbacks therefore do not use up an execution's limit.
 */
export class CallbackLimits {
  readonly #executions: RateLimiter;
  readonly #addresses: RateLimiter;

  /** @param now monotonic milliseconds. */
  constructor({ perExecution, perAddress }: CallbackRates, now: () => number) {
    const limit = (perSecond: number, maxKeys: number): RateLimiter =>
      new RateLimiter({ perSecond, burst: perSecond * burstSeconds, maxKeys }, now);
    this.#executions = limit(perExecution, maxExecutions);
    this.#addresses = limit(perAddress, maxAddresses);
  }

  /** Whether this address may send another callback; counts it if so. */
  takeAddress(address: string): boolean {
    return this.#addresses.take(addressGroup(address)) === 0;
  }

  /** Whether this execution may receive another callback; counts it if so. */
  takeExecution(id: string): boolean {
    return this.#executions.take(id) === 0;
  }
}
