import type { Random } from './random.ts';
import type { VirtualClock } from './virtual-clock.ts';
import { type DefinitionView, keyParts, type TaskView } from './definition-view.ts';

/** An operation that a forward call asked for, by its Idempotency-Key. */
export interface Operation {
  readonly key: string;
  readonly executionId: string;
  readonly nodeId: string;
  /** `barred`: compensated, or settled by an operator, before it was done, so it never will be. */
  state: 'none' | 'working' | 'done' | 'refused' | 'barred';
  undone: boolean;
  /** An operator has undone it by hand, or declared that it remains. */
  isSettled: boolean;
  /** An operator declared that the effect remains, so compensations are refused. */
  kept: boolean;
}

/** A request as it arrives. */
export interface Arrival {
  readonly host: string;
  readonly path: string;
  readonly key: string;
  readonly compensates: string | undefined;
  /** The callback's address, for async requests. */
  readonly callback: string | undefined;
}

/** The caller's view: an answer, a broken connection, half an answer, or nothing. */
export type Reply =
  | { readonly kind: 'status'; readonly status: number; readonly retryAfterSeconds?: number }
  | { readonly kind: 'broken' | 'cut' | 'nothing' };

/** How a whole host fails: it refuses connections, or the service behind it answers only errors, or not at all. */
export type HostFailure = 'refuses' | 'errs' | 'hangs';

/** How downstreams misbehave, as probabilities. */
export interface Manners {
  readonly reject: number;
  readonly error: number;
  /** The answer does not say whether the operation was done. */
  readonly ambiguous: number;
  readonly slow: number;
  /** Longest time of a slow answer, in milliseconds. Absent: longer than any caller waits. */
  readonly slowestMillis?: number;
  /** Compensations that fail. */
  readonly undoFails: number;
  /** Callbacks that never come, say failure, come twice, say pending first, or come before the answer. */
  readonly callbackNever: number;
  readonly callbackFails: number;
  readonly callbackTwice: number;
  readonly callbackPending: number;
  readonly callbackEarly: number;
  /** Whether the receivers of hooks are away, so that no hook is delivered before the end. */
  readonly hooksAway?: true;
}

/** Manners without faults. */
export const goodManners: Manners = {
  reject: 0,
  error: 0,
  ambiguous: 0,
  slow: 0,
  undoFails: 0,
  callbackNever: 0,
  callbackFails: 0,
  callbackTwice: 0,
  callbackPending: 0,
  callbackEarly: 0,
};

/** A callback on its way. */
export interface CallbackPost {
  readonly address: string;
  readonly body: { readonly ok?: boolean; readonly pending?: boolean };
}

/** What downstreams need. */
export interface DownstreamParts {
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly manners: () => Manners;
  readonly definitionOf: (executionId: string) => DefinitionView | undefined;
  readonly post: (callback: CallbackPost) => void;
  readonly note: (what: string) => void;
}

/**
 * The downstreams: only they know which effects exist.
 *
 * They are well-behaved and unreliable. Well-behaved: an effect is done at most once per Idempotency-Key; a
 * compensation undoes the effect that `Trama-Compensates` names, at most once; an effect that was compensated before it
 * was done is never done afterwards; a definite refusal (a 4xx, a plain 500, a callback that reports a failure) means that
 * nothing was done. Unreliable: they refuse, fail, hang, answer with a gateway's error, break the connection or answer too
 * late, with or without having done it.
 */
export class Downstreams {
  readonly #parts: DownstreamParts;
  readonly #operations = new Map<string, Operation>();
  /** Visits that an operator settled: their operations never begin any more. */
  readonly #barredVisits = new Set<string>();
  readonly #failing = new Map<string, HostFailure>();

  constructor(parts: DownstreamParts) {
    this.#parts = parts;
  }

  /** Sets how a host fails; undefined: it works again. */
  fail(host: string, how: HostFailure | undefined): void {
    this.#parts.note(`${host} ${how ?? 'works'}`);
    if (how === undefined) this.#failing.delete(host);
    else this.#failing.set(host, how);
  }

  /** Whether connections to the host are refused. */
  refuses(host: string): boolean {
    return this.#failing.get(host) === 'refuses';
  }

  /** All operations that were ever requested for an execution. */
  operationsOf(executionId: string): readonly Operation[] {
    return [...this.#operations.values()].filter((operation) => operation.executionId === executionId);
  }

  /** The operation of a key, if a request for it ever came. */
  find(key: string): Operation | undefined {
    return this.#operations.get(key);
  }

  /** Takes a request; `reply` is called at most once, possibly much later. */
  receive(arrival: Arrival, reply: (reply: Reply) => void): void {
    const { phase } = keyParts(arrival.key);
    const failure = this.#failing.get(arrival.host);
    if (failure !== undefined) {
      if (failure === 'errs') this.#later(reply, this.#parts.random.pick([500, 503]));
      return;
    }
    if (phase === 'HOOK' && this.#parts.manners().hooksAway === true) this.#later(reply, 503);
    else if (phase === 'HOOK') this.#answerPlain(reply);
    else if (phase === 'DOWN') this.#undo(arrival, reply);
    else this.#forward(arrival, reply);
  }

  /**
   * An operator inspects the operations of a visit and makes sure that they no longer change. Answers whether one is
   * done.
   */
  settleVisit(executionId: string, round: number, nodeId: string, visit: number): boolean {
    this.#barredVisits.add([executionId, round, nodeId, visit].join(':'));
    let isDone = false;
    for (const operation of this.operationsOf(executionId)) {
      const of = keyParts(operation.key);
      if (of.nodeId !== nodeId || of.visit !== visit || of.round !== round) continue;
      if (operation.state === 'done' && !operation.undone) isDone = true;
      else if (operation.state === 'working' || operation.state === 'none') operation.state = 'barred';
    }
    return isDone;
  }

  /** An operator undoes an effect by hand, or declares that it remains. Answers whether it is undone. */
  settleUndo(key: string, undo: boolean): boolean {
    const operation = this.#operation(key);
    operation.isSettled = true;
    if (operation.state !== 'done') {
      operation.state = 'barred';
      return true;
    }
    if (undo) operation.undone = true;
    else operation.kept = true;
    return operation.undone;
  }

  #operation(key: string): Operation {
    let operation = this.#operations.get(key);
    if (operation === undefined) {
      const { executionId, nodeId, round, visit } = keyParts(key);
      const barred = this.#barredVisits.has([executionId, round, nodeId, visit].join(':'));
      operation = {
        key,
        executionId,
        nodeId,
        state: barred ? 'barred' : 'none',
        undone: false,
        isSettled: false,
        kept: false,
      };
      this.#operations.set(key, operation);
    }
    return operation;
  }

  #forward(arrival: Arrival, reply: (reply: Reply) => void): void {
    const { executionId, nodeId } = keyParts(arrival.key);
    const task = this.#parts.definitionOf(executionId)?.tasks.get(nodeId);
    if (task === undefined) throw new Error(`A call for the unknown node ${nodeId} of ${executionId}.`);
    const { random } = this.#parts;
    const manners = this.#parts.manners();
    const operation = task.mutating || task.async ? this.#operation(arrival.key) : undefined;
    const fate = random.next();
    const begin = (): boolean => this.#begin(operation, task, arrival);
    if (fate < manners.reject) {
      // It did this before, so it says so or reports a conflict.
      const known = operation !== undefined && (operation.state === 'done' || operation.state === 'working');
      if (known && random.chance(0.7)) this.#later(reply, task.async ? 202 : 200);
      else this.#later(reply, known ? 409 : random.pick([400, 401, 404, 409, 410, 422, 451]));
    } else if (fate < manners.reject + manners.error) {
      this.#later(reply, random.pick([500, 500, 429, 503]), random.chance(0.5) ? random.int(0, 2) : undefined);
    } else if (fate < manners.reject + manners.error + manners.ambiguous) {
      if (random.chance(0.5)) begin();
      this.#confuse(reply);
    } else if (random.chance(manners.slow)) {
      this.#parts.clock.after(random.int(100, manners.slowestMillis ?? 9_000), () =>
        this.#later(reply, begin() ? 200 : 409),
      );
    } else this.#later(reply, begin() ? (task.async ? 202 : random.pick([200, 201, 204])) : 409);
  }

  /** Does the operation, or begins it; false when it is barred. */
  #begin(operation: Operation | undefined, task: TaskView, arrival: Arrival): boolean {
    if (operation === undefined) return true;
    switch (operation.state) {
      case 'barred':
        return false;
      case 'none':
        if (task.async) this.#work(operation, task, arrival);
        else this.#do(operation);
        return true;
      case 'done':
      case 'refused':
        if (task.async) this.#tell(operation, task, arrival, this.#parts.random.int(1, 300));
        return true;
      case 'working':
        return true;
    }
  }

  #do(operation: Operation): void {
    this.#parts.note(`does ${operation.key}`);
    operation.state = 'done';
  }

  #work(operation: Operation, task: TaskView, arrival: Arrival): void {
    const { clock, random, note } = this.#parts;
    const manners = this.#parts.manners();
    operation.state = 'working';
    const timeout = task.callback?.timeoutMillis ?? 0;
    const wait = random.chance(manners.callbackEarly) ? 0 : random.int(1, Math.max(1, Math.round(timeout * 0.9)));
    const late = random.chance(manners.callbackNever) ? timeout + random.int(0, 8_000) : 0;
    if (task.callback?.knowsPending === true && random.chance(manners.callbackPending)) {
      this.#post(arrival, { pending: true }, Math.min(wait, 20));
    }
    clock.after(wait + late, () => {
      if (operation.state !== 'working') return;
      const fails = task.callback?.knowsFailure === true && random.chance(manners.callbackFails);
      if (fails) {
        operation.state = 'refused';
        note(`refuses ${operation.key}`);
      } else this.#do(operation);
      if (late === 0 || random.chance(0.5)) this.#tell(operation, task, arrival, 0);
    });
  }

  /** Posts the result of a decided operation. */
  #tell(operation: Operation, task: TaskView, arrival: Arrival, after: number): void {
    const body = { ok: operation.state === 'done' };
    if (!body.ok && task.callback?.knowsFailure !== true) return;
    this.#post(arrival, body, after);
    if (this.#parts.random.chance(this.#parts.manners().callbackTwice)) {
      this.#post(arrival, body, after + this.#parts.random.int(0, 3_000));
    }
  }

  #post({ callback }: Arrival, body: CallbackPost['body'], after: number): void {
    if (callback === undefined) return;
    this.#parts.clock.after(after, () => this.#parts.post({ address: callback, body }));
  }

  #undo(arrival: Arrival, reply: (reply: Reply) => void): void {
    const { random } = this.#parts;
    const manners = this.#parts.manners();
    const { executionId, nodeId } = keyParts(arrival.key);
    if (this.#parts.definitionOf(executionId)?.tasks.get(nodeId)?.mutating === false) {
      // An effect that changed nothing is undone by doing nothing.
      this.#answerPlain(reply);
      return;
    }
    const operation = this.#operation(arrival.compensates ?? '');
    const fate = random.next();
    if (fate < manners.undoFails / 2) {
      this.#later(reply, random.pick([500, 503, 429, 400, 409]));
      return;
    }
    if (fate < manners.undoFails) {
      if (random.chance(0.5)) this.#undoNow(operation);
      this.#confuse(reply);
      return;
    }
    if (random.chance(manners.slow)) {
      this.#parts.clock.after(random.int(100, manners.slowestMillis ?? 9_000), () =>
        this.#later(reply, this.#undoNow(operation)),
      );
    } else this.#later(reply, this.#undoNow(operation));
  }

  /** The HTTP status of the result. */
  #undoNow(operation: Operation): number {
    if (operation.state === 'done') {
      if (operation.kept) return 409;
      if (!operation.undone) this.#parts.note(`undoes ${operation.key}`);
      operation.undone = true;
      return 200;
    }
    const wasRefused = operation.state === 'refused';
    operation.state = 'barred';
    // There is nothing to undo. The answer says so only if that is possible.
    return wasRefused ? 200 : this.#parts.random.pick([200, 404, 410]);
  }

  #answerPlain(reply: (reply: Reply) => void): void {
    const { random } = this.#parts;
    const { reject, error, ambiguous } = this.#parts.manners();
    const fate = random.next();
    if (fate < reject) this.#later(reply, 404);
    else if (fate < reject + error) this.#later(reply, 500);
    else if (fate < reject + error + ambiguous) this.#confuse(reply);
    else this.#later(reply, 200);
  }

  #later(reply: (reply: Reply) => void, status: number, retryAfterSeconds?: number): void {
    this.#parts.clock.after(this.#parts.random.int(0, 20), () =>
      reply({ kind: 'status', status, ...(retryAfterSeconds !== undefined && { retryAfterSeconds }) }),
    );
  }

  #confuse(reply: (reply: Reply) => void): void {
    const { random } = this.#parts;
    const how = random.pick(['nothing', 'broken', 'cut', 408, 502, 504] as const);
    if (typeof how === 'number') this.#later(reply, how);
    else this.#parts.clock.after(random.int(0, 20), () => reply({ kind: how }));
  }
}
