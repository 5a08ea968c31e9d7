/** Which processes live, by the store's word. */
import type { Clock, Entropy } from '../ports/clock.ts';
import type { ProcessInfo, ProcessRow } from '../ports/processes.ts';
import type { Store } from '../ports/store.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import type { Availability } from './write/availability.ts';
import { Periodic } from './periodic.ts';
import type { Pulse, Service } from './service.ts';

/** What a process watch is made of. */
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
 * A beat is written every 0.3 leases, and holds for 0.65: a process that died is known to have ended before its leases are
 * over, which last at least two thirds of a lease after its death. At most so long, so that long leases do not delay it.
 */
const beatShare = 0.3;
const ttlShare = 0.65;
const longestBeatMillis = 3_000;
/** Beats are this far apart at most, in intervals, while the store answers. */
const longestGap = 1.5;

/**
 * Writes this process' beats, and watches those of the others.
 *
 * Guarantees: another process counts as ended only when the store says that it left, or that it has been silent for longer
 * than its beat holds, by the store's clock, while the store answered this process. So no clock of a machine counts, and
 * trouble of the store, in which no process can beat, ends none.
 *
 * What wakes it: a fixed interval. What stops it: `stop`, which takes the process out.
 */
export class ProcessWatch implements Service {
  readonly #parts: ProcessWatchParts;
  readonly #periodic: Periodic;
  readonly #beatMillis: number;
  readonly #ttlMillis: number;
  /** The others that lived at the latest beat, and for how long each had been silent. */
  #others: ReadonlyMap<string, { readonly row: ProcessRow; readonly silentMillis: number }> = new Map();
  /** When the latest beat that was answered had been sent. */
  #beatenAt: number | undefined;
  /** Since when the store has answered every beat: silence before that says nothing. */
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

  /** Ids of the processes that live, this one first. */
  get live(): readonly string[] {
    return [this.#parts.process.id, ...this.#others.keys()];
  }

  /** Whether a process may live, as far as is known: before the first beat was answered nothing is known. */
  isLive(id: string): boolean {
    return this.#beatenAt === undefined || id === this.#parts.process.id || this.#others.has(id);
  }

  /** Whether another process that lives is the sole worker. */
  get hasOtherSoleWorker(): boolean {
    return [...this.#others.values()].some(({ row }) => row.isSoleWorker);
  }

  start(): void {
    this.#periodic.start();
  }

  /** Resolves once the first beat was answered, or failed. Never rejects. */
  begun(): Promise<void> {
    return this.#latest.catch(() => undefined);
  }

  /** Learns who lives now; asks the store only where one may have ended since it was last asked. Throws what the store throws. */
  async look(): Promise<void> {
    const passed = this.#parts.clock.monotonic() - (this.#beatenAt ?? -Infinity);
    const isOfAge = [...this.#others.values()].some(({ row, silentMillis }) => silentMillis + passed >= row.ttlMillis);
    if (isOfAge || this.#beatenAt === undefined) await this.#beat();
  }

  /** Says whether this process is the sole worker. Resolves when the store knows; throws what the store throws. */
  async declare(isSoleWorker: boolean): Promise<void> {
    this.#isSoleWorker = isSoleWorker;
    await this.#beat();
  }

  /** Takes the process out. Never rejects: its last beat comes of age. */
  async stop(): Promise<void> {
    await this.#periodic.stop();
    if (!this.#hasBeaten) return;
    const { store, process, telemetry } = this.#parts;
    try {
      await store.endProcess(process.id);
    } catch (error) {
      telemetry.log('warn', 'process not taken out of the store', { error: String(error) });
    }
  }

  /** One beat at a time, so that what was said last is what the store has. */
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
    // After a gap in this process' own beats, the silence of others says nothing: they may not have been able to beat either.
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
