/**
 * What a driver sends out for and waits for: calls, and rows of the store that a command needs.
 *
 * Guarantees: a call goes out at most once; none while the hold is in doubt: then it waits for the store's word, and is
 * made from the start after it; and none that the state in hand, which the store may have already, gives up or lets fail; an answer is passed on only while the call is still wanted; at most one search
 * per token for what to compensate is under way, until its result has been applied, so that none is answered with what has
 * been compensated meanwhile; what one turn of the event loop renders is bounded over all executions (see `loop-share.ts`). Reads go on while the store is away; what they bring waits for the checkpoint under way.
 */
import type { Run } from '../../core/apply.ts';
import { isDrained, isInFlight } from '../../core/due.ts';
import type { CallCommand, Command, Event } from '../../core/event.ts';
import { Outputs } from '../../core/context/outputs.ts';
import { lackOfCall, undoQueries } from '../../core/context/wanted.ts';
import type { CallAnswered, CallTaker, StartedCall } from '../call/call-runner.ts';
import type { Prepared } from '../call/prepared-call.ts';
import type { DriverParts } from './driver-contract.ts';
import { readAsked, readBack, type Restore } from './restored-outputs.ts';
import { reusedKey } from './reused-key.ts';

/**
 * Whether a call may go out: at once; after the store has confirmed the execution, of which {@link Errands.again} tells; or never
 * from here, since the execution is given back.
 */
export type Permission = 'granted' | 'later' | 'denied';

/** The driver, as its errands see it. */
export interface ErrandHost {
  readonly id: string;
  /** The execution as it stands now. */
  readonly run: Run;
  /** Whether a call may go out now. */
  mayCall(): Permission;
  /** Takes a `prepared` event in at once. Only while idle. */
  prepared(event: Extract<Event, { type: 'prepared' }>): void;
  answered(answer: CallAnswered): void;
  post(event: Event): void;
  /** Does it as soon as no checkpoint is under way: now or later; never once the driver has ended. */
  whenIdle(action: () => void): void;
  fault(error: unknown): void;
}

/** What a call sees that is not in memory. */
interface Seen {
  readonly restore?: Restore;
  /** What a compensation sees. */
  readonly undoOutputs?: Outputs;
}

type FindUndo = Extract<Command, { type: 'findUndo' }>;

/** See the file header. One per driver. */
export class Errands implements CallTaker {
  readonly #parts: Pick<DriverParts, 'calls' | 'reads' | 'maxSteps' | 'maxOutputBytes' | 'share'>;
  readonly #host: ErrandHost;
  readonly #traceparent: string | undefined;
  /** Calls wanted; without a handle while something is read for them, or while they are postponed. */
  readonly #calls = new Map<number, { readonly command: CallCommand; readonly handle?: StartedCall }>();
  /** Calls that wait for the store's word, or that the engine itself failed to make. */
  #postponed: CallCommand[] = [];
  readonly #seeking = new Set<number>();
  /** Calls that ended since the execution was taken in hand. */
  #made = 0;

  constructor(
    parts: Pick<DriverParts, 'calls' | 'reads' | 'maxSteps' | 'maxOutputBytes' | 'share'>,
    host: ErrandHost,
    traceparent: string | undefined,
  ) {
    this.#parts = parts;
    this.#host = host;
    this.#traceparent = traceparent;
  }

  /** Whether anything is waited for. */
  get isOut(): boolean {
    return this.#calls.size > 0 || this.#seeking.size > 0;
  }

  /** What the execution's place in the process is used for, as far as its errands say; undefined when there are none. */
  get use(): 'calling' | 'host' | 'store' | undefined {
    let use: 'host' | 'store' | undefined;
    for (const { handle } of this.#calls.values()) {
      if (handle !== undefined && handle.waitsForPlace !== true) return 'calling';
      if (handle !== undefined) use = 'host';
      else use ??= 'store';
    }
    return this.#seeking.size > 0 ? (use ?? 'store') : use;
  }

  /** Before others that wait for a place only until its turn is used up: else a loop would keep them waiting for ever. */
  get goesOn(): boolean {
    return this.#made > 0 && this.#made < this.#parts.maxSteps;
  }

  /** Does what a durable checkpoint asks for. Only while the driver is idle. */
  run(commands: readonly Command[]): void {
    for (const command of commands) {
      switch (command.type) {
        case 'call':
          // Several events may have been applied before the checkpoint, the later one giving up what the first began.
          if (isInFlight(this.#host.run.state, command.callId)) this.#begin(command);
          break;
        case 'abort':
          this.#calls.get(command.callId)?.handle?.abort();
          this.#calls.delete(command.callId);
          break;
        case 'findUndo':
          this.#seek(command);
      }
    }
  }

  /** Makes the calls that were postponed, from the start. Only while the driver is idle. */
  again(): void {
    const postponed = this.#postponed;
    if (postponed.length === 0) return;
    this.#postponed = [];
    for (const command of postponed) {
      const { callId } = command;
      if (this.#calls.delete(callId) && isInFlight(this.#host.run.state, callId)) this.#begin(command);
    }
  }

  /** Gives up every call; their answers are not wanted any more. */
  abortCalls(): void {
    for (const { handle } of this.#calls.values()) handle?.abort();
    this.#calls.clear();
    this.#postponed = [];
  }

  /** The result of a search has been applied: the next may begin. */
  undoApplied(tokenId: number): void {
    this.#seeking.delete(tokenId);
  }

  mayStart(callId: number): boolean {
    const command = this.#calls.get(callId)?.command;
    if (command === undefined) return false;
    const may = this.mayLeave(callId);
    if (!may) this.#keepBack(command);
    return may;
  }

  answered(callId: number, answer: CallAnswered): void {
    if (answer.event.type === 'answered') this.#made++;
    if (this.#calls.delete(callId)) this.#host.answered(answer);
  }

  /**
   * May be asked while a checkpoint is under way that gives the call up, or that begins to fail its scope. The store may have that one
   * already, so the call must not leave; or the store may refuse it, so that nothing is decided before its answer.
   */
  mayLeave(callId: number): boolean {
    const { state } = this.#host.run;
    return isInFlight(state, callId) && !isDrained(state, callId) && this.#host.mayCall() === 'granted';
  }

  withheld(callId: number): void {
    const command = this.#calls.get(callId)?.command;
    if (command !== undefined) this.#keepBack(command);
  }

  /**
   * A call that was under way may not leave now, or never. The driver looks what is to be done, once no checkpoint is under way: it
   * makes the call from the start where that is still wanted, asks the store, or gives back.
   */
  #keepBack(command: CallCommand): void {
    if (this.#host.mayCall() === 'denied') this.#calls.delete(command.callId);
    else this.#postpone(command);
    this.#host.whenIdle(() => {
      if (this.#host.mayCall() === 'granted') this.again();
    });
  }

  #postpone(command: CallCommand): void {
    this.#calls.set(command.callId, { command });
    this.#postponed.push(command);
  }

  #begin(command: CallCommand): void {
    if (this.#parts.share.isSpent) {
      this.#beginLater(command);
      return;
    }
    const permission = this.#host.mayCall();
    if (permission === 'granted') this.#call(command);
    else if (permission === 'later') this.#postpone(command);
  }

  /** Rendering the call has to wait for another turn of the event loop. */
  #beginLater(command: CallCommand): void {
    const { callId } = command;
    const entry = { command };
    this.#calls.set(callId, entry);
    this.#parts.share.later(() => {
      this.#host.whenIdle(() => {
        if (this.#calls.get(callId) !== entry) return;
        this.#calls.delete(callId);
        if (isInFlight(this.#host.run.state, callId)) this.#begin(command);
      });
    });
  }

  #call(command: CallCommand): void {
    if (this.#endDrained(command)) return;
    this.#calls.set(command.callId, { command });
    if (command.phase === 'DOWN') {
      this.#readUndoOutputs(command);
      return;
    }
    const { run } = this.#host;
    const lack = lackOfCall(run, command);
    if (lack.length === 0) this.#forward(command, {});
    else this.#read(command, readBack(this.#parts, run, lack), (restore) => this.#forward(command, { restore }));
  }

  #forward(command: CallCommand, seen: Seen): void {
    if (command.phase === 'UP' && this.#host.run.state.round > 1) this.#findStanding(command, seen);
    else this.#send(command, seen);
  }

  #prepare(command: CallCommand, { restore, undoOutputs }: Seen): Prepared | undefined {
    const { run } = this.#host;
    // Only for this rendering: what was left in the store stays there.
    const seeing = restore === undefined ? run : { ...run, outputs: restore(run.outputs) };
    return this.#parts.calls.prepare(seeing, command, this.#traceparent, undoOutputs);
  }

  #send(command: CallCommand, seen: Seen, reused?: { readonly key: string; readonly ord: number }): void {
    const { calls } = this.#parts;
    const { callId } = command;
    try {
      // Its scope may have begun to fail while something was read for it.
      if (this.#endDrained(command)) return;
      let prepared = this.#prepare(command, seen);
      if (prepared?.fingerprint !== undefined) {
        const { fingerprint } = prepared;
        this.#host.prepared({ type: 'prepared', callId, fingerprint, ...(reused && { reused }) });
        // Under the key of the earlier effect.
        if (reused !== undefined) prepared = this.#prepare(command, seen);
      }
      if (prepared === undefined) this.#calls.delete(callId);
      else this.#calls.set(callId, { command, handle: calls.start(prepared, this) });
    } catch (error) {
      this.#fail(command, error);
    }
  }

  /** Ends a call that has not left, and whose scope fails, as one that was not sent. Only while idle: what fails is durable then. */
  #endDrained(command: CallCommand): boolean {
    const { callId } = command;
    if (!isDrained(this.#host.run.state, callId)) return false;
    const outcome = { problem: 'Not sent, since the execution had begun to fail.' };
    this.#calls.set(callId, { command, handle: this.#parts.calls.start({ callId, outcome }, this) });
    return true;
  }

  /** The engine failed at a call that has not left: it is made once more after the pause, unless it is given up. */
  #fail(command: CallCommand, error: unknown): void {
    this.#postpone(command);
    this.#host.fault(error);
  }

  #findStanding(command: CallCommand, seen: Seen): void {
    const { nodeId, visit, tokenId } = command;
    const { run, id } = this.#host;
    const node = run.plan.nodes.get(nodeId);
    const stage = run.state.tokens.find((token) => token.id === tokenId)?.stage;
    // A further operation, after a callback that said failure, has a key of its own whatever stands.
    const isFurther = stage?.kind === 'calling' && stage.task.operation > 1;
    if (node?.kind !== 'task' || !node.call.mutating || isFurther) {
      this.#send(command, seen);
      return;
    }
    this.#read(command, this.#parts.reads.findStanding(id, nodeId, visit, run.state.round), (standing) => {
      this.#send(command, seen, reusedKey(standing, this.#prepare(command, seen)?.fingerprint));
    });
  }

  #readUndoOutputs(command: CallCommand): void {
    const { run, id } = this.#host;
    const token = run.state.tokens.find((candidate) => candidate.id === command.tokenId);
    const target = token?.stage.kind === 'unwinding' ? token.stage.undo?.target : undefined;
    const queries = target === undefined ? [] : undoQueries(run.plan, run.state, target);
    if (target === undefined || queries.length === 0) {
      this.#send(command, { undoOutputs: Outputs.empty });
      return;
    }
    const reading = readAsked(this.#parts, id, target.round, queries);
    this.#read(command, reading, (undoOutputs) => this.#send(command, { undoOutputs }));
  }

  /** Goes on with what the store answers, while the call is still wanted. */
  #read<T>(command: CallCommand, reading: Promise<T>, then: (value: T) => void): void {
    reading.then(
      (value) => {
        this.#host.whenIdle(() => {
          if (!this.#calls.has(command.callId)) return;
          // The read may have outlasted the lease: what it brought may be out of date.
          const permission = this.#host.mayCall();
          if (permission !== 'granted') {
            this.#calls.delete(command.callId);
            if (permission === 'later') this.#postpone(command);
            return;
          }
          try {
            then(value);
          } catch (error) {
            this.#fail(command, error);
          }
        });
      },
      (error: unknown) => {
        this.#fail(command, error);
      },
    );
  }

  #seek(command: FindUndo): void {
    const { tokenId, round, scope, only, undo } = command;
    const token = this.#host.run.state.tokens.find(({ id }) => id === tokenId);
    // Asked for by an event before the one that named it already.
    if (token?.stage.kind !== 'unwinding' || token.stage.undo !== undefined) return;
    if (this.#seeking.has(tokenId)) return;
    this.#seeking.add(tokenId);
    const filter = only === undefined ? { scope, undo } : { scope, undo, only };
    this.#parts.reads.findUndo(this.#host.id, round, filter).then(
      (target) => {
        this.#host.post(target === undefined ? { type: 'undoFound', tokenId } : { type: 'undoFound', tokenId, target });
      },
      (error: unknown) => {
        this.#seeking.delete(tokenId);
        this.#host.fault(error);
      },
    );
  }
}
