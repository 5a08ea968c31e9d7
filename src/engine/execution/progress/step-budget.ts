/** How much one execution may do before others that wait for a worker get theirs. */
import type { DriverOwner } from '../driver-contract.ts';

/** A turn of one execution in hand. It counts visits of the round, and compensations. */
export class StepBudget {
  readonly #maxSteps: number;
  #visitsBefore: number;
  #undone = 0;

  /** A turn of `maxSteps` nodes; `totalVisits` of the round have been made before it. */
  constructor(maxSteps: number, totalVisits: number) {
    this.#maxSteps = maxSteps;
    this.#visitsBefore = totalVisits;
  }

  /** Begins anew. */
  begin(totalVisits: number): void {
    this.#visitsBefore = totalVisits;
    this.#undone = 0;
  }

  /** A compensation was made. */
  undone(): void {
    this.#undone++;
  }

  /** Whether a further node may begin. A turn that is used up begins anew while no other execution waits. */
  mayGoOn(totalVisits: number, owner: Pick<DriverOwner, 'othersWait'>): boolean {
    if (totalVisits - this.#visitsBefore + this.#undone < this.#maxSteps) return true;
    if (owner.othersWait()) return false;
    this.begin(totalVisits);
    return true;
  }
}
