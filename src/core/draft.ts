import { endingCall } from './call/ending-call.ts';
import type { Outputs } from './context/outputs.ts';
import type { CallCommand, Command, Event } from './event.ts';
import type { CallRow, StepRow, UndoMark } from './history.ts';
import type { Meter } from './meter.ts';
import type { Mutable } from './value/mutable.ts';
import type { NodePlan, Plan } from './plan.ts';
import type { Env, ExecutionHeader, Run, Signal, Told, Transition } from './run.ts';
import type { Stage, State, Token } from './state.ts';

/** The event that reports the answer of a call. */
export type Answered = Extract<Event, { type: 'answered' }>;

/** The beginning of every list of a draft. Frozen, because all drafts share it. */
const none: never[] = Object.freeze<never[]>([]) as never[];

/** Adds an item to a list of a draft. Most lists stay empty, or get one item and no room for more. */
function added<T>(list: T[], item: T): T[] {
  if (list === none) return [item];
  list.push(item);
  return list;
}

/**
 * A transition in progress: a mutable copy of the state, and the collected rows, commands and signals. A draft never
 * leaves `apply`.
 */
export class Draft implements Meter {
  readonly plan: Plan;
  readonly header: ExecutionHeader;
  readonly env: Env;
  readonly now: number;
  readonly state: Mutable<State>;
  outputs: Outputs;
  tokens: Token[];
  commands: Command[] = none;
  steps: StepRow[] = none;
  calls: CallRow[] = none;
  undo: UndoMark[] = none;
  consumed: string[] = none;
  tells: Told[] = none;
  signals: Signal[] = none;
  readonly #work = { steps: 0, bytes: 0 };
  /** Calls of this transition, each with its token as it was before. */
  #unsent: { readonly callId: number; readonly before: Token }[] = none;

  constructor(run: Run, env: Env) {
    this.plan = run.plan;
    this.header = run.header;
    this.env = env;
    this.now = Math.max(env.now, run.state.now);
    this.state = { ...run.state, now: this.now };
    this.outputs = run.outputs;
    this.tokens = [...run.state.tokens];
  }

  /** The current run, for rendering. */
  get run(): Run {
    return { plan: this.plan, header: this.header, state: this.state, outputs: this.outputs };
  }

  charge(steps: number, bytes: number): void {
    this.#work.steps += steps;
    this.#work.bytes += bytes;
  }

  /** Whether this turn has used up its share of work; the rest is left to the next turn. */
  get isSpent(): boolean {
    const { steps, bytes } = this.#work;
    return steps >= this.env.limits.maxTurnSteps || bytes >= this.env.limits.maxTurnBytes;
  }

  /** Returns the finished transition. The draft must not be used afterwards. */
  done(): Transition {
    this.state.tokens = this.tokens;
    return {
      state: this.state,
      outputs: this.outputs,
      commands: this.commands,
      steps: this.steps,
      calls: this.calls,
      undo: this.undo,
      consumed: this.consumed,
      tells: this.tells,
      signals: this.signals,
      work: this.#work,
    };
  }

  /** Returns the node with this id. Tokens only refer to nodes that exist in the compiled definition. */
  node(id: string): NodePlan {
    const node = this.plan.nodes.get(id);
    if (node === undefined) throw new Error(`The plan has no node ${JSON.stringify(id)}.`);
    return node;
  }

  /** Returns the current version of a token, or undefined if it is gone. */
  token(id: number): Token | undefined {
    return this.tokens.find((token) => token.id === id);
  }

  /** Replaces the token with the same id, or adds it. */
  put(token: Token): Token {
    const i = this.tokens.findIndex((other) => other.id === token.id);
    if (i < 0) this.tokens.push(token);
    else this.tokens[i] = token;
    return token;
  }

  /** Moves the token to another stage. */
  move(token: Token, stage: Stage): Token {
    return this.put({ ...token, stage });
  }

  remove(token: Token): void {
    this.tokens = this.tokens.filter((other) => other.id !== token.id);
  }

  newTokenId(): number {
    return ++this.state.lastToken;
  }

  newCallId(): number {
    return ++this.state.calls;
  }

  /**
   * Appends a step row with the next ord, and makes its output visible. The draft takes ownership of the row. The row of the
   * call before it becomes a part of it if the step records the call's answer.
   */
  step(row: Omit<StepRow, 'ord' | 'round' | 'at'> & { readonly round?: number }): StepRow {
    const full: Mutable<StepRow> = this.#complete<StepRow>(row);
    const before = this.calls.at(-1);
    const call = before && endingCall(before, full);
    if (call !== undefined) {
      this.calls.pop();
      full.call = call;
    }
    if (full.refOnly !== true && !this.plan.sought.has(full.nodeId)) full.refOnly = true;
    this.steps = added(this.steps, full);
    this.outputs = this.outputs.with([full]);
    return full;
  }

  /** Appends a call row with the next ord. The draft takes ownership of the row. */
  call(row: Omit<CallRow, 'ord' | 'at' | 'round'> & { readonly round?: number }): void {
    this.calls = added(this.calls, this.#complete<CallRow>(row));
  }

  /** Completes a row in place: copying twenty fields per row takes a significant part of the time of a checkpoint. */
  #complete<Row extends StepRow | CallRow>(row: Omit<Row, 'ord' | 'round' | 'at'> & { readonly round?: number }): Row {
    const full = row as Mutable<Row>;
    full.round ??= this.state.round;
    full.ord = ++this.state.ord;
    full.at = this.now;
    return full;
  }

  /** Sends a call with the checkpoint of this transition. `before` is its token without the call. */
  send(command: CallCommand, before: Token): void {
    this.command(command);
    this.#unsent = added(this.#unsent, { callId: command.callId, before });
  }

  /**
   * Withdraws the call of a token if it would be sent with this transition, so that nothing has left yet. Returns the
   * token as it was before; undefined if the call may already have been sent.
   */
  takeBack(token: Token): Token | undefined {
    const { stage } = token;
    const callId = 'callId' in stage ? stage.callId : undefined;
    const unsent = callId === undefined ? undefined : this.#unsent.find((call) => call.callId === callId);
    if (unsent === undefined) return undefined;
    this.#unsent = this.#unsent.filter((call) => call !== unsent);
    this.commands = this.commands.filter((command) => command.type !== 'call' || command.callId !== callId);
    return unsent.before;
  }

  /** Adds a command to perform once the transition is durable. */
  command(command: Command): void {
    this.commands = added(this.commands, command);
  }

  /** Marks effects of earlier rows. */
  mark(mark: UndoMark): void {
    this.undo = added(this.undo, mark);
  }

  /** Removes an event from the inbox. */
  consume(inboxId: string): void {
    this.consumed = added(this.consumed, inboxId);
  }

  /** Tells another execution of the family something with the checkpoint of this transition. */
  tell(told: Told): void {
    this.tells = added(this.tells, told);
  }

  /**
   * Withdraws the start of a child if it would be made with this transition, so that nothing is stored yet. Returns false if the child
   * may already exist.
   */
  withdrawStart(tokenId: number): boolean {
    const isStart = (command: Command): boolean => command.type === 'startChild' && command.tokenId === tokenId;
    const start = this.commands.find(isStart);
    if (start === undefined || (start.type === 'startChild' && start.again === true)) return false;
    this.commands = this.commands.filter((command) => command !== start);
    return true;
  }

  signal(signal: Signal): void {
    this.signals = added(this.signals, signal);
  }
}
