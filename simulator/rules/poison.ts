import type { Checkpoint, Store } from '../../src/ports/store.ts';
import type { Ledger } from './ledger.ts';

/** Processes that one execution may bring down before it is quarantined. */
const maxFallen = 5;

/** What a poison needs. */
export interface PoisonParts {
  readonly ledger: Ledger;
  /** Whether it is active now. */
  readonly isActive: () => boolean;
  /**
   * Crashes that the engine may leave out of its count: during an outage of the store it cannot know that a process has
   * ended, so an execution that is taken over soon after an outage is not counted against the process that crashed in
   * it.
   */
  readonly missed: number;
}

/**
 * An execution that brings down every process that drives it, before anything of it becomes durable, as a state does
 * over which an engine loops or runs out of memory. A quarantine does not drive it, and so survives. The first accepted
 * execution is the poisonous one.
 */
export class Poison {
  readonly #parts: PoisonParts;
  #fallen = 0;

  constructor(parts: PoisonParts) {
    this.#parts = parts;
  }

  /** Wraps the store of a process, which crashes by `fall` when it would write the execution's progress. */
  reach(store: Store, fall: () => void): Store {
    const checkpoint: Store['checkpoint'] = (batch) => {
      if (!this.#isDriven(batch)) return store.checkpoint(batch);
      this.#fallen++;
      if (this.#fallen > maxFallen + this.#parts.missed) {
        const fallen = `${String(this.#fallen)} processes`;
        this.#parts.ledger.blame('poison', `${fallen} have fallen to the same execution, and it is not quarantined`);
      }
      fall();
      return new Promise(() => undefined);
    };
    return new Proxy(store, {
      get: (target, name): unknown => (name === 'checkpoint' ? checkpoint : Reflect.get(target, name)),
    });
  }

  #isDriven(batch: readonly Checkpoint[]): boolean {
    const [first] = this.#parts.ledger.accounts.keys();
    const of = batch.find(({ id }) => id === first);
    if (of?.state.end?.reason === 'engine') this.#fallen = 0;
    return this.#parts.isActive() && of !== undefined && of.state.end?.reason !== 'engine';
  }
}
