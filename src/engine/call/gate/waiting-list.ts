import type { BlockCause } from '../../../core/state.ts';
import type { Clock, Timer } from '../../../ports/clock.ts';
import type { Entry, WaitingCall, WaitingLine } from './waiting-line.ts';

/** Maximum number of listed calls. */
const maxListed = 100_000;
/** Executions woken at once. A pause follows, so that a crowd does not overload a host that has just recovered. */
const batch = 100;
const pauseMillis = 25;
/**
 * Time after which the list forgets a woken execution that has not entered the gate again, in ms. Another process has it
 * now, or it waits behind very many others for a worker; in the latter case it only loses its place in the line.
 */
const lostMillis = 600_000;
/** The causes by precedence: an execution with several blocked calls counts under the first that applies. */
const causes: readonly BlockCause[] = ['hold', 'circuit', 'slots'];

/**
 * The blocked executions that one process has seen, by the cause of their block.
 *
 * When a hold is lifted, a circuit closes or a place becomes free, the list wakes executions at once, the longest waits
 * first. The list is only a hint: an execution that is not listed, after a restart or beyond the bound, retries by itself.
 *
 * A woken execution stays listed until it enters the gate again, which lets it pass or blocks it again.
 */
export class WaitingList {
  readonly #clock: Clock;
  readonly #byExecution = new Map<string, readonly Entry[]>();
  /** Number of executions per cause. Each execution counts under one cause. */
  readonly #counts: Record<BlockCause, number> = { hold: 0, circuit: 0, slots: 0 };
  #listed = 0;
  #order = 0;
  /** Entries to be woken. */
  #calling: Entry[] = [];
  /** Woken entries that have not entered the gate again, earliest first. */
  readonly #called = new Set<Entry>();
  #timer: Timer | undefined;
  /**
   * Called for each woken execution, with the instant since which it is due. Returns false if another process holds the
   * execution.
   */
  retry: (executionId: string, dueAt: number) => boolean = () => true;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Number of waiting executions per cause. Woken ones count until they enter the gate again. */
  get counts(): Readonly<Record<BlockCause, number>> {
    return this.#counts;
  }

  /** Number of listed calls. */
  get size(): number {
    return this.#listed;
  }

  /** Adds a call to a line unless it is already there. Removes the call from any other line. */
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

  /** Whether the call was woken from that line. */
  isCalled(line: WaitingLine, { executionId, tokenId }: WaitingCall): boolean {
    const entries = this.#byExecution.get(executionId);
    return entries?.some((entry) => entry.tokenId === tokenId && entry.line === line && entry.isCalled) === true;
  }

  /** Removes a call. */
  remove({ executionId, tokenId }: WaitingCall): void {
    const entries = this.#byExecution.get(executionId);
    const known = entries?.find((entry) => entry.tokenId === tokenId);
    if (entries === undefined || known === undefined) return;
    this.#change(executionId, entries, without(entries, known));
    this.#unlist(known);
  }

  /** Removes the calls of an execution. Cheap if it does not wait. */
  forget(executionId: string): void {
    const entries = this.#byExecution.get(executionId);
    if (entries === undefined) return;
    this.#change(executionId, entries, []);
    for (const entry of entries) this.#passOn(entry);
  }

  /** Removes the executions that now belong to other processes. */
  keepOnly(isOurs: (executionId: string) => boolean): void {
    for (const id of this.#byExecution.keys()) if (!isOurs(id)) this.forget(id);
  }

  /** Wakes the `most` calls that have waited longest. */
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
      // The call has entered the gate by itself, or its execution has ended.
      if (!entry.isCalled) continue;
      entry.calledAt = now;
      this.#called.add(entry);
      entry.line.told(entry);
      // A free place is for this call alone, so the execution keeps its original due time. A crowd becomes due now.
      const dueAt = entry.line.cause === 'slots' ? entry.since : this.#clock.now();
      if (!this.retry(entry.executionId, dueAt)) this.#leave(entry);
    }
    this.#timer = undefined;
    if (this.#calling.length > 0) this.#timer = this.#clock.after(pauseMillis, () => this.#tell());
  }

  /** Removes an execution that does not take the place for which it was woken. */
  #leave(entry: Entry): void {
    const entries = this.#byExecution.get(entry.executionId) ?? [];
    this.#change(entry.executionId, entries, without(entries, entry));
    this.#passOn(entry);
  }

  /** Offers the place of the entry to the next call. */
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
