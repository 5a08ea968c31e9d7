import type { Checkpoint } from '../../src/ports/store.ts';

/** A process that takes executions over. */
export interface ClaimOwner {
  readonly name: string;
  /**
   * Whether it ended, or has been out of the store's sight for a time, so that other processes had to take it for
   * ended.
   */
  readonly mayHaveEnded: () => boolean;
}

/** Processes that have ended over an execution that is quarantined for its claims. */
const neededEnds = 5;

/**
 * Tracks claims without progress. An execution that brings down its processes is quarantined, and only claims whose
 * owners ended show that: a process that is alive, or that was fenced while it worked, was not brought down by it.
 */
export class UnproductiveClaims {
  readonly #blame: (rule: string, what: string) => void;
  /** By claim. */
  readonly #owners = new Map<string, ClaimOwner>();
  /** By execution: claims since its last progress. */
  readonly #claims = new Map<string, Set<string>>();

  constructor(blame: (rule: string, what: string) => void) {
    this.#blame = blame;
  }

  /** Enters a process that acts under a claim. */
  owns(claim: string, owner: ClaimOwner): void {
    this.#owners.set(claim, owner);
  }

  /** Enters an execution that was taken over or inserted under a claim. */
  takenOver(id: string, claim: string): void {
    const claims = this.#claims.get(id) ?? new Set();
    claims.add(claim);
    this.#claims.set(id, claims);
  }

  /** Enters progress of the execution. */
  progressed(id: string): void {
    this.#claims.delete(id);
  }

  /** Enters a written checkpoint. */
  written({ id, claim, state, progress }: Checkpoint): void {
    if (state.end?.reason === 'engine') this.#judge(id, claim);
    if (progress) this.progressed(id);
  }

  #judge(id: string, own: string): void {
    const former = [...(this.#claims.get(id) ?? [])].filter((claim) => claim !== own);
    const owners = former.map((claim) => this.#owners.get(claim));
    const ended = owners.filter((owner) => owner === undefined || owner.mayHaveEnded());
    if (ended.length >= neededEnds) return;
    const names = owners.map((owner) => owner?.name ?? '?').join(', ');
    this.#blame(
      'poison counts the living',
      `${id.slice(-4)} is quarantined after claims of ${names}, of which ${String(ended.length)} ended`,
    );
  }
}
