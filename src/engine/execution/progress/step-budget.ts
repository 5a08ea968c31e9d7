import type { DriverOwner } from '../driver-contract.ts';

/**
 * Bounds the work of one execution before others that wait for a worker get their turn. Counts visits of the round and
 * compensations.
 */
export class StepBudget {
  readonly #maxSteps: number;
  #visitsBefore: number;
  #undone = 0;

  /** A turn of `maxSteps` nodes that begins after `totalVisits` visits of the round. */
  constructor(maxSteps: number, totalVisits: number) {
    this.#maxSteps = maxSteps;
    this.#visitsBefore = totalVisits;
  }

  /** Begins a new turn. */
  begin(totalVisits: number): void {
    this.#visitsBefore = totalVisits;
    this.#undone = 0;
  }

  /** Counts a compensation. */
  undone(): void {
    this.#undone++;
  }

  /** Whether another node may begin. A used-up turn starts again if no other execution waits. */
  mayGoOn(totalVisits: number, owner: Pick<DriverOwner, 'othersWait'>): boolean {
    if (totalVisits - this.#visitsBefore + this.#undone < this.#maxSteps) return true;
    if (owner.othersWait()) return false;
    this.begin(totalVisits);
    return true;
  }
}
