import type { Checkpoint, Store } from '../../src/ports/store.ts';
import type { Ledger } from './ledger.ts';

/** As many processes may fall to one execution until it is quarantined. */
const maxFallen = 5;

/** What a poison needs. */
export interface PoisonParts {
  readonly ledger: Ledger;
  /** Whether it works now. */
  readonly isActive: () => boolean;
  /**
   * Falls that the engine may leave out of its count: while the store answers nobody it shows nobody's end, so that an
   * execution that is taken over soon after an outage is not counted against the process that fell in it.
   */
  readonly missed: number;
}

/**
 * An execution that brings down every process that drives it, before anything of it becomes durable: what an engine that
 * loops or eats all memory over some state does to real ones. A quarantine drives nothing, and so it holds.
 *
 * The first execution that is accepted is the one.
 */
export class Poison {
  readonly #parts: PoisonParts;
  #fallen = 0;

  constructor(parts: PoisonParts) {
    this.#parts = parts;
  }

  /** The store of a process that falls by `fall` when it would write what the execution has come to. */
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
