/**
 * The gate that every outbound call passes: it says whether a call may go out now. One that may not waits as BLOCKED, which
 * spends no attempt (see `core/transition/block.ts`).
 */
import type { BlockCause } from '../../../core/state.ts';
import type { Pulse } from '../../service.ts';

/** A call at the gate. */
export interface GatedCall {
  readonly executionId: string;
  /** The token that makes it. */
  readonly tokenId: number;
  /**
   * Its execution has made calls in its turn: where it has to wait for a place, it may do so in hand before others that wait, so that
   * what has begun comes to an end. A turn is bounded.
   */
  readonly goesOn?: boolean;
  /** Name and version of its definition. */
  readonly name: string;
  readonly version: string;
  /** Absent: it cannot be sent whatever the gate says, so that only a hold on the definition keeps it. */
  readonly url?: string;
  /** Whether the URL's host comes from data, so that logs and metrics must not name it. */
  readonly hostFromData?: boolean;
  /** It needs a place at the host, and nothing else: neither hold nor circuit keep it back. */
  readonly placeOnly?: boolean;
  /** Since when it is blocked, in ms since 1970; absent at its first try. */
  readonly blockedSince?: number;
}

/** The call may go out. `done` must be called exactly once. */
export interface Pass {
  readonly kind: 'open';
  /** `answered`: the host works; `failed`: a 5xx, no connection, or no answer in time; `neutral`: it says nothing of the host. */
  done(outcome: 'answered' | 'failed' | 'neutral'): void;
  /** The access token that the call waited for is there, or will not come. May be called again, and after `done`. */
  hasToken?(): void;
}

/** The call may not go out; to be tried again at `until` (ms since 1970) at the latest. */
export interface Block {
  readonly kind: 'blocked';
  readonly cause: BlockCause;
  readonly until: number;
  /** For people, masked. */
  readonly detail: string;
  /** The host of the call, with its port where that is not the usual one, masked; absent where it has none. */
  readonly host?: string;
}

/** The call may go out soon: it waits here for a moment. */
export interface Queued {
  readonly kind: 'queued';
  /** `then` is called once, later, unless the result ends the waiting before. */
  wait(then: (entry: Pass | Block) => void): () => void;
}

/** What became of a call at the gate. */
export type Entry = Pass | Block | Queued;

/** The gate of a process. Must not throw. */
export interface CallGate {
  readonly pulse: Pulse;
  enter(call: GatedCall): Entry;
  /**
   * Begins to follow what operators hold; resolves once that has been read, or could not be. `retry` is told of executions
   * whose blocked calls may be tried again, and since when (ms since 1970) they are due; it answers false when another process works on that execution.
   */
  start(retry: (executionId: string, dueAt: number) => boolean): Promise<void>;
  /** An execution is over, or gone: it waits for nothing any more. Cheap where it did not. */
  ended(executionId: string): void;
  /** Other executions belong to other processes from now on. */
  keepOnly(isOurs: (executionId: string) => boolean): void;
  stop(): Promise<void>;
}
