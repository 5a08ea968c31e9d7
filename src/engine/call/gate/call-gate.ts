/**
 * The gate that every outbound call passes: it decides whether a call may go out now. A call that may not waits as
 * BLOCKED, which spends no attempt (see `core/transition/block.ts`).
 */
import type { BlockCause } from '../../../core/state.ts';
import type { Pulse } from '../../service.ts';

/** A call at the gate. */
export interface GatedCall {
  readonly executionId: string;
  /** The token that makes it. */
  readonly tokenId: number;
  /**
   * The execution has made calls in its turn: this one may wait in hand for a place before others, so that work under
   * way comes to an end. A turn is bounded.
   */
  readonly goesOn?: boolean;
  /** Name and version of its definition. */
  readonly name: string;
  readonly version: string;
  /** Absent: the call cannot be sent whatever the gate says, so that only a hold on the definition blocks it. */
  readonly url?: string;
  /** Whether the URL's host comes from data, so that logs and metrics must not name it. */
  readonly hostFromData?: boolean;
  /** The call needs a place at the host, whatever holds and circuits say. */
  readonly placeOnly?: boolean;
  /** Since when the call is blocked, in ms since 1970; absent at its first try. */
  readonly blockedSince?: number;
}

/** The call may go out. `done` must be called exactly once. */
export interface Pass {
  readonly kind: 'open';
  /**
   * `answered`: the host works; `failed`: a 5xx, no connection, or no answer in time; `neutral`: says nothing about the
   * host.
   */
  done(outcome: 'answered' | 'failed' | 'neutral'): void;
  /**
   * The access token that the call waited for is there, or will not come. May be called repeatedly, and after `done`.
   */
  hasToken?(): void;
}

/** The call may not go out; it tries again at `until` (ms since 1970) at the latest. */
export interface Block {
  readonly kind: 'blocked';
  readonly cause: BlockCause;
  readonly until: number;
  /** For people, masked. */
  readonly detail: string;
  /** The host of the call, with its port where that is not the usual one, masked; absent where it has none. */
  readonly host?: string;
}

/** The call waits here for a moment and may go out soon. */
export interface Queued {
  readonly kind: 'queued';
  /** Calls `then` once, later, unless the returned function ends the waiting before. */
  wait(then: (entry: Pass | Block) => void): () => void;
}

/** The decision of the gate. */
export type Entry = Pass | Block | Queued;

/** The gate of a process. Must not throw. */
export interface CallGate {
  readonly pulse: Pulse;
  enter(call: GatedCall): Entry;
  /**
   * Begins to follow the holds; resolves after their first reading, whether it succeeded or not. `retry` receives the
   * executions whose blocked calls may try again, and since when (ms since 1970) they are due; it returns false when
   * another process works on that execution.
   */
  start(retry: (executionId: string, dueAt: number) => boolean): Promise<void>;
  /** The execution has ended or is gone, so none of its calls wait any more. Cheap where none did. */
  ended(executionId: string): void;
  /** Other processes own the other executions from now on. */
  keepOnly(isOurs: (executionId: string) => boolean): void;
  stop(): Promise<void>;
}
