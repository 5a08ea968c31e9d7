import type { Run, Transition } from '../../core/apply.ts';
import type { Told } from '../../core/run.ts';
import type { Tell } from '../../ports/store.ts';
import { TellRows } from '../family/tell-rows.ts';
import { isDrained, isInFlight } from '../../core/due.ts';
import type { CallCommand, Command, Event, ReusedEffect } from '../../core/event.ts';
import { Outputs } from '../../core/context/outputs.ts';
import { lackOfCall, undoQueries } from '../../core/context/wanted.ts';
import type { CallAnswered, CallTaker } from '../call/call-runner.ts';
import type { Prepared } from '../call/prepared-call.ts';
import { FamilyCommands, type FamilyCommandsHost } from '../family/family-commands.ts';
import type { DriverParts } from './driver-contract.ts';
import { readAsked, readBack, type Restore } from './restored-outputs.ts';
import type { Trace } from '../trace-context.ts';
import { findReused } from './reused-key.ts';
import type { Permission } from '../call/permission.ts';
import { WantedCalls } from '../call/wanted-calls.ts';

/** The parts of the driver that its outgoing calls use. */
export interface OutgoingCallsHost extends FamilyCommandsHost {
  readonly id: string;
  /** The execution as it is now. */
  readonly run: Run;
  /** Whether a call may go out now. */
  mayCall(): Permission;
  /** Applies a `prepared` event at once. Call it only while the driver is idle. */
  prepared(event: Extract<Event, { type: 'prepared' }>): void;
  answered(answer: CallAnswered): void;
  post(event: Event): void;
  /** Calls the action once no checkpoint is under way, now or later. Never calls it after the end of the driver. */
  whenIdle(action: () => void): void;
  fault(error: unknown): void;
}

/** Data that a call reads from the store. */
interface Seen {
  readonly restore?: Restore;
  /** The outputs that a compensation reads. */
  readonly undoOutputs?: Outputs;
}

type FindUndo = Extract<Command, { type: 'findUndo' }>;

/**
 * Makes the calls of one execution, and reads from the store what calls and compensations need. One per driver.
 *
 * Guarantees: a call goes out at most once. While the lease is in doubt, calls wait until the store has confirmed the
 * execution, and then begin from the start. A call that the present state gives up or lets fail never goes out, because
 * the store may already have that state. An answer is passed on only while the call is still wanted. Each token has at
 * most one search for the next compensation until its result has been applied, so a result never names an effect that
 * was compensated meanwhile. `LoopShare` bounds the rendering per turn of the event loop. Reads are repeated while
 * the store is unavailable; their results wait for the checkpoint under way.
 */
export class OutgoingCalls implements CallTaker {
  readonly #parts: Pick<
    DriverParts,
    'calls' | 'reads' | 'maxSteps' | 'maxOutputBytes' | 'share' | 'family' | 'clock' | 'ring'
  >;
  readonly #host: OutgoingCallsHost;
  readonly #trace: Trace;
  readonly #calls = new WantedCalls();
  readonly #family: FamilyCommands;
  readonly #tells: TellRows;
  /** Calls that wait for the store's confirmation, or that the engine failed to make. */
  #postponed: CallCommand[] = [];
  /** Tokens whose search is under way, or its result not applied. */
  #seeking: readonly number[] = [];
  /** Calls that have ended since this process took the execution over. */
  #made = 0;

  constructor(
    parts: Pick<DriverParts, 'calls' | 'reads' | 'maxSteps' | 'maxOutputBytes' | 'share' | 'family' | 'clock' | 'ring'>,
    host: OutgoingCallsHost,
    trace: Trace,
  ) {
    this.#parts = parts;
    this.#host = host;
    this.#trace = trace;
    this.#family = new FamilyCommands(parts.family, parts.clock, host, trace);
    this.#tells = new TellRows(parts, host);
  }

  /** Whether a call, a search or a command about a child is under way. */
  get isOut(): boolean {
    return this.#calls.all.length > 0 || this.#seeking.length > 0 || this.#family.isOut;
  }

  /**
   * The use of the execution's place in the process by calls and searches; undefined when there are none.
   */
  get use(): 'calling' | 'host' | 'store' | undefined {
    let use: 'host' | 'store' | undefined;
    for (const { handle } of this.#calls.all) {
      if (handle !== undefined && handle.waitsForPlace !== true) return 'calling';
      if (handle !== undefined) use = 'host';
      else use ??= 'store';
    }
    return this.#seeking.length > 0 ? (use ?? 'store') : use;
  }

  /**
   * Whether its calls take precedence over others that wait for a place. Only until its turn is used up; otherwise a
   * loop would starve the others.
   */
  get goesOn(): boolean {
    return this.#made > 0 && this.#made < this.#parts.maxSteps;
  }

  /** What a checkpoint tells other executions; undefined if the result of the execution is read first, which wakes the driver. */
  tells(batch: Pick<Transition, 'tells' | 'steps'>): readonly Tell[] | undefined {
    return this.#tells.rows(batch);
  }

  /** Runs the commands of a durable checkpoint, and rings the executions that it told something. Call it only while the driver is idle. */
  run(commands: readonly Command[], tells: readonly Told[] = []): void {
    this.#tells.ring(tells);
    for (const command of commands) {
      switch (command.type) {
        case 'call':
          // Several events may have been applied before the checkpoint, and a later one may have given up the call.
          if (isInFlight(this.#host.run.state, command.callId)) this.#begin(command);
          break;
        case 'abort':
          this.#calls.get(command.callId)?.handle?.abort();
          this.#calls.delete(command.callId);
          break;
        case 'findUndo':
          this.#seek(command);
          break;
        case 'startChild':
        case 'takeBack':
        case 'terminateChildren':
          this.#family.run(command);
      }
    }
  }

  /** Makes the postponed calls from the start. Call it only while the driver is idle. */
  again(): void {
    this.#family.again();
    const postponed = this.#postponed;
    if (postponed.length === 0) return;
    this.#postponed = [];
    for (const command of postponed) {
      const { callId } = command;
      if (this.#calls.delete(callId) && isInFlight(this.#host.run.state, callId)) this.#begin(command);
    }
  }

  /** Ends the commands about children, whose answers are ignored. */
  end(): void {
    this.#family.end();
  }

  /** Gives up all calls and ignores their answers. */
  abortCalls(): void {
    for (const { handle } of this.#calls.all) handle?.abort();
    this.#calls.clear();
    this.#postponed = [];
  }

  /** Allows the next search, because the result of the last one has been applied. */
  undoApplied(tokenId: number): void {
    this.#sought(tokenId);
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
   * The checkpoint under way may give the call up or begin to fail its scope. The store may already have written it, so
   * the call must not leave; the store may also refuse it, so the decision waits for its answer.
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
   * Withholds a call that was about to leave. Once no checkpoint is under way, the driver makes the call from the start
   * if it is still wanted, asks the store for confirmation, or releases the execution.
   */
  #keepBack(command: CallCommand): void {
    if (this.#host.mayCall() === 'denied') this.#calls.delete(command.callId);
    else this.#postpone(command);
    this.#host.whenIdle(() => {
      if (this.#host.mayCall() === 'granted') this.again();
    });
  }

  #postpone(command: CallCommand): void {
    this.#calls.put({ command });
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

  /** Renders the call in another turn of the event loop. */
  #beginLater(command: CallCommand): void {
    const { callId } = command;
    const entry = { command };
    this.#calls.put(entry);
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
    this.#calls.put({ command });
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
    // Only this rendering uses the outputs that were read back; the run does not keep them.
    const seeing = restore === undefined ? run : { ...run, outputs: restore(run.outputs) };
    return this.#parts.calls.prepare(seeing, command, this.#trace, undoOutputs);
  }

  #send(command: CallCommand, seen: Seen, reused?: ReusedEffect): void {
    const { calls } = this.#parts;
    const { callId } = command;
    try {
      // The call's scope may have begun to fail during the read.
      if (this.#endDrained(command)) return;
      let prepared = this.#prepare(command, seen);
      if (prepared?.fingerprint !== undefined) {
        const { fingerprint } = prepared;
        const event = { type: 'prepared', callId, fingerprint } as const;
        this.#host.prepared(reused === undefined ? event : { ...event, reused });
        // Renders the call again with the key of the earlier effect.
        if (reused !== undefined) prepared = this.#prepare(command, seen);
      }
      if (prepared === undefined) this.#calls.delete(callId);
      else this.#calls.put({ command, handle: calls.start(prepared, this) });
    } catch (error) {
      this.#fail(command, error);
    }
  }

  /**
   * Ends a call of a failing scope as unsent. Call it only while the driver is idle, when the failure is durable.
   */
  #endDrained(command: CallCommand): boolean {
    const { callId } = command;
    if (!isDrained(this.#host.run.state, callId)) return false;
    const outcome = { problem: 'Not sent, since the execution had begun to fail.' };
    this.#calls.put({ command, handle: this.#parts.calls.start({ callId, outcome }, this) });
    return true;
  }

  /** Handles an engine fault on a call: the driver makes the call again after the pause, unless it is given up. */
  #fail(command: CallCommand, error: unknown): void {
    this.#postpone(command);
    this.#host.fault(error);
  }

  #findStanding(command: CallCommand, seen: Seen): void {
    const { nodeId, visit, tokenId } = command;
    const { run } = this.#host;
    const node = run.plan.nodes.get(nodeId);
    const token = run.state.tokens.find((candidate) => candidate.id === tokenId);
    const stage = token?.stage;
    // A further operation, after a callback that reported a failure, has its own key regardless of earlier effects.
    const isFurther = stage?.kind === 'calling' && stage.task.operation > 1;
    if (token === undefined || node?.kind !== 'task' || !node.call.mutating || isFurther) {
      this.#send(command, seen);
      return;
    }
    const { fingerprint } = this.#prepare(command, seen) ?? {};
    this.#read(command, findReused(this.#parts.reads, run, token, visit, fingerprint), (reused) => {
      // Another item may have taken an effect over meanwhile.
      this.#send(command, seen, reused(this.#host.run.state));
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

  /** Calls `then` with the result of the read if the call is still wanted. */
  #read<T>(command: CallCommand, reading: Promise<T>, then: (value: T) => void): void {
    reading.then(
      (value) => {
        this.#host.whenIdle(() => {
          if (this.#calls.get(command.callId) === undefined) return;
          // The lease may have ended during the read, which makes the result stale.
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

  #sought(tokenId: number): void {
    if (this.#seeking.length > 0) this.#seeking = this.#seeking.filter((other) => other !== tokenId);
  }

  #seek(command: FindUndo): void {
    const { tokenId, round, scope, only, undo } = command;
    const token = this.#host.run.state.tokens.find(({ id }) => id === tokenId);
    // A later event has already named the effect that this search was for.
    if (token?.stage.kind !== 'unwinding' || token.stage.undo !== undefined) return;
    if (this.#seeking.includes(tokenId)) return;
    this.#seeking = [...this.#seeking, tokenId];
    const filter = only === undefined ? { scope, undo } : { scope, undo, only };
    this.#parts.reads.findUndo(this.#host.id, round, filter).then(
      (target) => {
        this.#host.post(target === undefined ? { type: 'undoFound', tokenId } : { type: 'undoFound', tokenId, target });
      },
      (error: unknown) => {
        this.#sought(tokenId);
        this.#host.fault(error);
      },
    );
  }
}
