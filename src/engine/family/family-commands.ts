import type { Run } from '../../core/apply.ts';
import type { Command, Event } from '../../core/event.ts';
import { childToken } from '../../core/family/ending.ts';
import type { TakeBack } from '../../core/family/child-run.ts';
import type { Token } from '../../core/state.ts';
import type { Clock, Timer } from '../../ports/clock.ts';
import { StoreUnavailable } from '../../ports/store.ts';
import type { Permission } from '../call/permission.ts';
import { Overloaded } from '../settings.ts';
import type { Trace } from '../trace-context.ts';
import type { Lease } from '../worker/lease.ts';
import type { Family, FamilyAnswer } from './family.ts';

/** A command about a child. */
export type FamilyCommand = Extract<Command, { type: 'startChild' | 'takeBack' | 'terminateChildren' }>;

/** The parts of the driver that its family commands use. */
export interface FamilyCommandsHost {
  readonly run: Run;
  /** Under which the process holds the execution. */
  readonly lease: Pick<Lease, 'claim'>;
  mayCall(): Permission;
  post(event: Event): void;
  /** The process does not hold the execution any more. */
  displaced(): void;
  whenIdle(action: () => void): void;
  fault(error: unknown): void;
}

/** Delay before a start that the store refused for a moment is tried again, in ms. */
const againMillis = 1_000;

/**
 * Performs the commands of one execution about its children; see {@link Family}. One per driver.
 *
 * Guarantees: at most one command per token is under way, and one that is issued meanwhile follows it. Nothing begins while the lease is in doubt; a command that had to wait begins once the
 * store has confirmed the execution. A start that the store refuses for a moment waits, as any commit. A command whose process stops is
 * issued again by the next owner.
 */
export class FamilyCommands {
  readonly #family: Family;
  readonly #clock: Clock;
  readonly #host: FamilyCommandsHost;
  readonly #trace: Trace;
  /** The tokens whose commands are under way; 0 stands for the execution itself. */
  #busy: readonly number[] = [];
  /** By token: a command that was issued while an earlier one of the token was under way, such as the question about a child that ended meanwhile. */
  readonly #next = new Map<number, FamilyCommand>();
  /** Commands that wait for the store's confirmation. */
  #postponed: FamilyCommand[] = [];
  readonly #timers = new Set<Timer>();
  #isOver = false;

  constructor(family: Family, clock: Clock, host: FamilyCommandsHost, trace: Trace) {
    this.#family = family;
    this.#clock = clock;
    this.#host = host;
    this.#trace = trace;
  }

  /** Whether a command is under way or waits. */
  get isOut(): boolean {
    return this.#busy.length > 0;
  }

  /** Performs a command of a durable checkpoint. Call it only while the driver is idle. */
  run(command: FamilyCommand): void {
    const place = placeOf(command);
    if (this.#asked(command) === undefined) return;
    if (this.#busy.includes(place)) {
      this.#next.set(place, command);
      return;
    }
    this.#busy = [...this.#busy, place];
    this.#begin(command);
  }

  /** Begins the commands that had to wait, or on which the engine failed. Call it only while the driver is idle. */
  again(): void {
    for (const command of this.#postponed.splice(0)) this.#begin(command);
  }

  /** Ignores the answers of all commands. */
  end(): void {
    this.#isOver = true;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    this.#busy = [];
    this.#next.clear();
    this.#postponed = [];
  }

  #begin(command: FamilyCommand): void {
    const asked = this.#asked(command);
    const permission = this.#host.mayCall();
    if (asked === undefined || permission === 'denied') {
      this.#done(command);
      this.#repeatNext(placeOf(command));
      return;
    }
    if (permission === 'later') {
      this.#postponed.push(command);
      return;
    }
    asked().then(
      (answer) => this.#answered(command, answer),
      (error: unknown) => this.#failed(command, error),
    );
  }

  /** How to perform a command; undefined if the present state does not ask for it. */
  #asked(command: FamilyCommand): (() => Promise<FamilyAnswer>) | undefined {
    const { run, lease } = this.#host;
    if (command.type === 'terminateChildren') {
      const { eventId } = command;
      return run.state.tellsChildren === eventId ? () => this.#family.terminate(run, eventId) : undefined;
    }
    const { tokenId, childId } = command;
    if (command.type === 'startChild') {
      const token = childToken(run.state.tokens, childId);
      if (token?.id !== tokenId || token.stage.part !== 'starting') return undefined;
      return () => this.#family.start(run, token, this.#trace, lease.claim, command.again === true);
    }
    const child = takenBackBy(run.state.tokens.find(({ id }) => id === tokenId));
    return child?.id === childId && child.part === 'asking' ? () => this.#family.takeBack(run, child) : undefined;
  }

  #answered(command: FamilyCommand, answer: FamilyAnswer): void {
    if (this.#isOver) return;
    this.#host.whenIdle(() => {
      this.#done(command);
      if (answer === 'fenced') {
        this.#host.displaced();
        return;
      }
      this.#repeatNext(placeOf(command));
      this.#host.post(answer);
    });
  }

  #failed(command: FamilyCommand, error: unknown): void {
    if (this.#isOver) return;
    if (!(error instanceof StoreUnavailable) && !(error instanceof Overloaded)) {
      // It is repeated after the pause of the fault.
      this.#postponed.push(command);
      this.#host.fault(error);
      return;
    }
    const timer = this.#clock.after(againMillis, () => {
      this.#timers.delete(timer);
      this.#host.whenIdle(() => this.#begin(again(command)));
    });
    this.#timers.add(timer);
  }

  /** Begins the command that waited for the one before it. */
  #repeatNext(place: number): void {
    const next = this.#next.get(place);
    this.#next.delete(place);
    if (next !== undefined) this.run(next);
  }

  #done(command: FamilyCommand): void {
    const place = placeOf(command);
    this.#busy = this.#busy.filter((other) => other !== place);
  }
}

function placeOf(command: FamilyCommand): number {
  return 'tokenId' in command ? command.tokenId : 0;
}

/** The command as it is repeated: the store may have written what it did not confirm. */
function again(command: FamilyCommand): FamilyCommand {
  return command.type === 'startChild' ? { ...command, again: true } : command;
}

function takenBackBy(token: Token | undefined): TakeBack | undefined {
  return token?.stage.kind === 'unwinding' ? token.stage.undo?.child : undefined;
}
