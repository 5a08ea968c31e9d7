import type { BlockCause } from '../../../core/state.ts';
import type { Pulse } from '../../service.ts';

/** A call at the gate. */
export interface GatedCall {
  readonly executionId: string;
  /** The token that makes it. */
  readonly tokenId: number;
  /**
   * Whether the execution has already made calls in its turn. Such a call may wait in memory for a place before others, so
   * that executions under way finish. A turn is bounded.
   */
  readonly goesOn?: boolean;
  /** Name and version of its definition. */
  readonly name: string;
  readonly version: string;
  /** Absent: the call cannot be sent in any case, and only a hold on the definition blocks it. */
  readonly url?: string;
  /** Whether the URL's host comes from data. Logs and metrics must not name such a host. */
  readonly hostFromData?: boolean;
  /** The call needs only a place at the host; holds and circuits do not apply. */
  readonly placeOnly?: boolean;
  /** Since when the call is blocked, in ms since 1970; absent at its first attempt to pass. */
  readonly blockedSince?: number;
  /** An operator lets the call probe an open circuit before its time. */
  readonly probes?: boolean;
}

/** The call may go out. `done` must be called exactly once. */
export interface Pass {
  readonly kind: 'open';
  /**
   * `answered`: the host works; `failed`: a 5xx, no connection, or no answer in time; `neutral`: does not concern the
   * host.
   */
  done(outcome: 'answered' | 'failed' | 'neutral'): void;
  /**
   * Reports that the call has its access token, or will not get one. May be called repeatedly, and after `done`.
   */
  hasToken?(): void;
}

/** The call may not go out; it retries at `until` (ms since 1970) at the latest. */
export interface Block {
  readonly kind: 'blocked';
  readonly cause: BlockCause;
  readonly until: number;
  /** For people, masked. */
  readonly detail: string;
  /** The masked host of the call, with its port; absent if the call has no host. */
  readonly host?: string;
  /** The hold that blocks the call. */
  readonly holdId?: string;
}

/** The call waits in memory for a moment and may go out soon. */
export interface Queued {
  readonly kind: 'queued';
  /** Calls `then` once, later, unless the returned function ends the wait before. */
  wait(then: (entry: Pass | Block) => void): () => void;
}

/** The decision of the gate. */
export type Entry = Pass | Block | Queued;

/**
 * The gate of a process, which every outbound call passes: it decides whether a call may go out now. Other calls wait as
 * BLOCKED, which uses no attempt (see `core/transition/block.ts`). Must not throw.
 */
export interface CallGate {
  readonly pulse: Pulse;
  enter(call: GatedCall): Entry;
  /**
   * Starts to follow the holds; resolves after the first reading has succeeded or failed. The gate calls `retry` for each
   * execution whose blocked calls may retry, with the instant (ms since 1970) since which it is due; `retry` returns false
   * if another process holds the execution.
   */
  start(retry: (executionId: string, dueAt: number) => boolean): Promise<void>;
  /** Removes the waiting calls of an execution that has ended or no longer exists. Cheap if there are none. */
  ended(executionId: string): void;
  /** Removes the waiting calls of executions that belong to other processes from now on. */
  keepOnly(isOurs: (executionId: string) => boolean): void;
  stop(): Promise<void>;
}
