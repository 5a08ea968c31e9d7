import type { BlockCause } from '../../../core/state.ts';
import type { Clock, Timer } from '../../../ports/clock.ts';
import type { Entry, WaitingCall, WaitingLine } from './waiting-line.ts';

/** Calls listed at most. */
const maxListed = 100_000;
/** Executions woken at once, and the pause after that: a crowd must not overload a host that has just come back. */
const batch = 100;
const pauseMillis = 25;
/**
 * The list forgets a woken execution that has not come back for so long: another process has it now, or it waits behind
 * very many others for a worker. In the latter case it only loses its place in the line.
 */
const lostMillis = 600_000;
/** The causes in the order in which they count for an execution with several blocked calls. */
const causes: readonly BlockCause[] = ['hold', 'circuit', 'slots'];

/**
 * The blocked executions of one process, as far as it has seen them, by what they wait for.
 *
 * When a hold is lifted, a circuit closes or a place becomes free, the list wakes them at once, the longest waits
 * first. Only a hint: an execution that is not listed, after a restart or beyond the bound, looks again by itself.
 *
 * A woken execution stays listed until it comes back: then the gate lets it through or blocks it anew.
 */
export class WaitingList {
  readonly #clock: Clock;
  readonly #byExecution = new Map<string, readonly Entry[]>();
  /** Executions by the one cause under which each of them counts. */
  readonly #counts: Record<BlockCause, number> = { hold: 0, circuit: 0, slots: 0 };
  #listed = 0;
  #order = 0;
  /** Entries to be woken. */
  #calling: Entry[] = [];
  /** Woken entries that have not come back, earliest first. */
  readonly #called = new Set<Entry>();
  #timer: Timer | undefined;
  /**
   * Receives executions that may try again, and since when they are due; returns false when another process works on
   * that execution.
   */
  retry: (executionId: string, dueAt: number) => boolean = () => true;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Waiting executions, each under one cause. Woken ones count until they come back. */
  get counts(): Readonly<Record<BlockCause, number>> {
    return this.#counts;
  }

  /** Calls listed. */
  get size(): number {
    return this.#listed;
  }

  /** Lists a call in a line, unless it is there already. The call leaves any other line. */
  add(line: WaitingLine, { executionId, tokenId, blockedSince }: WaitingCall): void {
    const entries = this.#byExecution.get(executionId) ?? [];
    const known = entries.find((entry) => entry.tokenId === tokenId);
    if (known?.line === line) {
      if (!known.isCalled) return;
      this.#hasCome(known);
      line.add(known);
      return;
    }
    if (known === undefined && this.#listed >= maxListed) return;
    const since = blockedSince ?? this.#clock.now();
    const entry: Entry = { executionId, tokenId, since, order: this.#order++, line, isCalled: false, calledAt: 0 };
    line.add(entry);
    this.#listed++;
    this.#change(executionId, entries, [...without(entries, known), entry]);
    if (known !== undefined) this.#passOn(known);
  }

  /** Whether the call was woken from that line and has come back now. */
  isCalled(line: WaitingLine, { executionId, tokenId }: WaitingCall): boolean {
    const entries = this.#byExecution.get(executionId);
    return entries?.some((entry) => entry.tokenId === tokenId && entry.line === line && entry.isCalled) === true;
  }

  /** A call waits no longer. */
  remove({ executionId, tokenId }: WaitingCall): void {
    const entries = this.#byExecution.get(executionId);
    const known = entries?.find((entry) => entry.tokenId === tokenId);
    if (entries === undefined || known === undefined) return;
    this.#change(executionId, entries, without(entries, known));
    this.#unlist(known);
  }

  /** Forgets an execution. Cheap where it does not wait. */
  forget(executionId: string): void {
    const entries = this.#byExecution.get(executionId);
    if (entries === undefined) return;
    this.#change(executionId, entries, []);
    for (const entry of entries) this.#passOn(entry);
  }

  /** Forgets the executions that belong to other processes now. */
  keepOnly(isOurs: (executionId: string) => boolean): void {
    for (const id of this.#byExecution.keys()) if (!isOurs(id)) this.forget(id);
  }

  /** Wakes the `most` longest waits. */
  release(line: WaitingLine, most: number = Infinity): void {
    for (const entry of line.take(most)) {
      entry.isCalled = true;
      this.#calling.push(entry);
    }
    if (this.#calling.length > 0) this.#timer ??= this.#clock.after(0, () => this.#tell());
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#calling = [];
  }

  #tell(): void {
    const now = this.#clock.monotonic();
    this.#forgetLost(now);
    for (const entry of this.#calling.splice(0, batch)) {
      // The call has come by itself, or its execution has ended.
      if (!entry.isCalled) continue;
      entry.calledAt = now;
      this.#called.add(entry);
      entry.line.told(entry);
      // A free place is for this call alone, so it keeps its place in the queue of the process. A crowd does not.
      const dueAt = entry.line.cause === 'slots' ? entry.since : this.#clock.now();
      if (!this.retry(entry.executionId, dueAt)) this.#leave(entry);
    }
    this.#timer = undefined;
    if (this.#calling.length > 0) this.#timer = this.#clock.after(pauseMillis, () => this.#tell());
  }

  /** The execution leaves without taking the place that it was woken for. */
  #leave(entry: Entry): void {
    const entries = this.#byExecution.get(entry.executionId) ?? [];
    this.#change(entry.executionId, entries, without(entries, entry));
    this.#passOn(entry);
  }

  /** Offers its place to the next call. */
  #passOn(entry: Entry): void {
    const wasCalled = entry.isCalled;
    this.#unlist(entry);
    if (wasCalled && entry.line.cause === 'slots') this.release(entry.line, 1);
  }

  #forgetLost(now: number): void {
    for (const entry of this.#called) {
      if (now - entry.calledAt < lostMillis) return;
      this.remove(entry);
    }
  }

  #hasCome(entry: Entry): void {
    entry.isCalled = false;
    this.#called.delete(entry);
    entry.line.hasCome(entry);
  }

  #unlist(entry: Entry): void {
    this.#listed--;
    const wasCalled = entry.isCalled;
    this.#hasCome(entry);
    if (!wasCalled) entry.line.delete(entry);
  }

  #change(executionId: string, before: readonly Entry[], after: readonly Entry[]): void {
    const [from, to] = [causeOf(before), causeOf(after)];
    if (from !== undefined) this.#counts[from]--;
    if (to !== undefined) this.#counts[to]++;
    if (after.length === 0) this.#byExecution.delete(executionId);
    else this.#byExecution.set(executionId, after);
  }
}

function causeOf(entries: readonly Entry[]): BlockCause | undefined {
  return causes.find((cause) => entries.some(({ line }) => line.cause === cause));
}

function without(entries: readonly Entry[], entry: Entry | undefined): readonly Entry[] {
  return entries.filter((other) => other !== entry);
}
