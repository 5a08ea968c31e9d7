import type { Clock, Entropy } from '../ports/clock.ts';
import type { ProcessInfo, ProcessRow } from '../ports/processes.ts';
import type { Store } from '../ports/store.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import type { Availability } from './write/availability.ts';
import { Periodic } from './periodic.ts';
import type { Pulse, Service } from './service.ts';

/** What a process watch needs. */
export interface ProcessWatchParts {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly telemetry: Telemetry;
  readonly store: Pick<Store, 'beat' | 'endProcess'>;
  /** This process. */
  readonly process: Omit<ProcessInfo, 'ttlMillis' | 'isSoleWorker'>;
  readonly leaseMillis: number;
  readonly availability: Availability;
}

/**
 * A process writes a beat every 0.3 leases, which is valid for 0.65 leases. The leases of a dead process end at least two
 * thirds of a lease after its death, so the others detect the death before. The maximum bounds the detection time for
 * long leases.
 */
const beatShare = 0.3;
const ttlShare = 0.65;
const longestBeatMillis = 3_000;
/** Number of absent processes to remember; more are asked for again. */
const maxAbsent = 1_000;
/** Maximum time between beats while the store answers, in intervals. */
const longestGap = 1.5;

/**
 * Writes the beats of this process and watches those of the others, to determine which processes are alive.
 *
 * Guarantees: another process counts as ended only if, according to the store, it has left, or if by the store's clock
 * its beat has expired while the store answered this process. So the clocks of the machines do not matter, and no
 * process counts as ended because of a store outage, in which no process can beat.
 *
 * What wakes it: a fixed interval. What stops it: `stop`, which removes the process from the store.
 */
export class ProcessWatch implements Service {
  readonly #parts: ProcessWatchParts;
  readonly #periodic: Periodic;
  readonly #beatMillis: number;
  readonly #ttlMillis: number;
  /** The other processes that were alive at the latest beat, and for how long each had been silent. */
  #others: ReadonlyMap<string, { readonly row: ProcessRow; readonly silentMillis: number }> = new Map();
  /** Processes that {@link ProcessWatch.meet} did not find. */
  readonly #absent = new Set<string>();
  /** When the latest successful beat was sent. */
  #beatenAt: number | undefined;
  /** Since when the store has answered every beat. Earlier silence of other processes proves nothing. */
  #soundSince = -Infinity;
  /** Whether the store may know this process. */
  #hasBeaten = false;
  #isSoleWorker = false;
  #latest: Promise<void> = Promise.resolve();

  constructor(parts: ProcessWatchParts) {
    this.#parts = parts;
    this.#beatMillis = Math.min(longestBeatMillis, parts.leaseMillis * beatShare);
    this.#ttlMillis = (this.#beatMillis * ttlShare) / beatShare;
    this.#periodic = new Periodic('beat', parts, this.#beatMillis, () => this.#beat());
  }

  get pulse(): Pulse {
    return this.#periodic.pulse;
  }

  /** Ids of the live processes, this one first. */
  get live(): readonly string[] {
    return [this.#parts.process.id, ...this.#others.keys()];
  }

  /** Whether a process may be alive. Returns true for every process before the first successful beat. */
  isLive(id: string): boolean {
    return this.#beatenAt === undefined || id === this.#parts.process.id || this.#others.has(id);
  }

  /** Whether another live process is the sole worker. */
  get hasOtherSoleWorker(): boolean {
    return [...this.#others.values()].some(({ row }) => row.isSoleWorker);
  }

  start(): void {
    this.#periodic.start();
  }

  /** Resolves once the first beat has succeeded or failed. Never rejects. */
  begun(): Promise<void> {
    return this.#latest.catch(() => undefined);
  }

  /**
   * Updates the live processes. Queries the store only if a process may have ended since the last query. Throws what the
   * store throws.
   */
  async look(): Promise<void> {
    const passed = this.#parts.clock.monotonic() - (this.#beatenAt ?? -Infinity);
    const isOfAge = [...this.#others.values()].some(({ row, silentMillis }) => silentMillis + passed >= row.ttlMillis);
    if (isOfAge || this.#beatenAt === undefined) await this.#beat();
  }

  /**
   * Updates the live processes if one of these is none of them, because it may have started since the last query. A
   * process that was absent once is not asked for again. Throws what the store throws.
   */
  async meet(ids: Iterable<string>): Promise<void> {
    const unknown = [...ids].filter((id) => !this.isLive(id) && !this.#absent.has(id));
    if (unknown.length === 0) return;
    await this.#beat();
    if (this.#absent.size > maxAbsent) this.#absent.clear();
    for (const id of unknown) if (!this.isLive(id)) this.#absent.add(id);
  }

  /** Declares whether this process is the sole worker. Resolves when the store knows; throws what the store throws. */
  async declare(isSoleWorker: boolean): Promise<void> {
    this.#isSoleWorker = isSoleWorker;
    await this.#beat();
  }

  /** Removes the process from the store. Never rejects: otherwise its last beat expires. */
  async stop(): Promise<void> {
    await this.#periodic.stop();
    if (!this.#hasBeaten) return;
    const { store, process, telemetry } = this.#parts;
    try {
      await store.endProcess(process.id);
    } catch (error) {
      telemetry.log('warn', 'process not removed from the store', { error: String(error) });
    }
  }

  /** Sends one beat at a time, so that the store has the latest declaration. */
  #beat(): Promise<void> {
    const beat = this.#latest.then(
      () => this.#send(),
      () => this.#send(),
    );
    this.#latest = beat;
    return beat;
  }

  async #send(): Promise<void> {
    const { availability, clock, store, process } = this.#parts;
    const sentAt = clock.monotonic();
    const isFirst = this.#beatenAt === undefined;
    const info = { ...process, ttlMillis: this.#ttlMillis, isSoleWorker: this.#isSoleWorker };
    let answer;
    this.#hasBeaten = true;
    try {
      answer = await store.beat(info, isFirst);
    } catch (error) {
      availability.failed('beat', error);
      throw error;
    }
    const now = clock.monotonic();
    // After a gap in this process's own beats the silence of others proves nothing: they may have been unable to beat,
    // too.
    if (this.#beatenAt !== undefined && sentAt - this.#beatenAt > longestGap * this.#beatMillis) this.#soundSince = now;
    this.#beatenAt = sentAt;
    const sound = now - this.#soundSince;
    this.#others = new Map(
      answer.others
        .map((row) => ({ row, silentMillis: Math.min(answer.now - row.beatAt, sound) }))
        .filter(({ row, silentMillis }) => silentMillis < row.ttlMillis)
        .map((other) => [other.row.id, other]),
    );
  }
}
