import type { Lease } from './lease.ts';
import type { WorkerPool } from './worker-pool.ts';

/** Claims without progress from which on an execution is a suspect. */
export const suspectFrom = 2;
/** Claims without progress from which on a suspect is taken over alone. */
const aloneFrom = 3;
/** Most suspects taken over together. */
const maxGroup = 64;

/** An execution that waits to be taken over. */
export interface Suspect {
  readonly lease: Lease;
  readonly dueAt: number;
  readonly pool: WorkerPool;
}

/** Resolves once the execution has shown that it is harmless, or was given back. Wrapped, since promises flatten. */
export interface Tried {
  readonly cleared: Promise<void>;
}

/**
 * Takes a suspect over if it has fewer than `below` claims without progress; otherwise it remains a suspect. Must not
 * reject.
 */
export type TakeSuspect = (suspect: Suspect, below: number) => Promise<Tried | 'suspect'>;

/**
 * A separate line for suspects: executions whose last owners ended while they held them.
 *
 * A suspect may crash the process that takes it over, and the store then counts a claim without progress for every
 * execution in that process. So the line takes a suspect over only when the ones before it have proved harmless: they
 * made progress, the process survived them for a while, or they were released. Suspects with few counted claims come
 * first, in groups that grow while the process survives, so that a process that something else killed twice soon works
 * at full speed again. Then come those with more claims, one at a time. So the crashes of one harmful execution count
 * against a neighbour no more often than the neighbour's own share.
 *
 * What wakes it: a new suspect. What stops it: an empty line. While the process drains, suspects are released.
 */
export class Suspects {
  readonly #take: TakeSuspect;
  #groups: Suspect[] = [];
  #alone: Suspect[] = [];
  #groupSize = 1;
  #isRunning = false;

  constructor(take: TakeSuspect) {
    this.#take = take;
  }

  /** Appends a suspect to the line. */
  add(suspect: Suspect): void {
    this.#groups.push(suspect);
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    while (this.#groups.length > 0 || this.#alone.length > 0) {
      if (this.#groups.length > 0) await this.#tryGroup(this.#groups.splice(0, this.#groupSize));
      else await this.#tryAlone(this.#alone.shift());
    }
    this.#isRunning = false;
  }

  async #tryGroup(group: readonly Suspect[]): Promise<void> {
    const tried = await Promise.all(group.map((suspect) => this.#tryOne(suspect, aloneFrom)));
    this.#alone.push(...group.filter((_suspect, i) => tried[i] === 'suspect'));
    await Promise.all(tried.flatMap((outcome) => (outcome === 'suspect' ? [] : [outcome.cleared])));
    this.#groupSize = Math.min(maxGroup, this.#groupSize * 2);
  }

  async #tryAlone(suspect: Suspect | undefined): Promise<void> {
    if (suspect === undefined) return;
    const tried = await this.#tryOne(suspect, Infinity);
    if (tried !== 'suspect') await tried.cleared;
  }

  #tryOne(suspect: Suspect, below: number): Promise<Tried | 'suspect'> {
    const { pool, lease } = suspect;
    if (!pool.draining) return this.#take(suspect, below);
    pool.giveBack(lease, 'release');
    return Promise.resolve({ cleared: Promise.resolve() });
  }
}
