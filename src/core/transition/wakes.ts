import { attemptingOf, blockedOf, isBlocked } from '../call/attempting.ts';
import { isOfPlaces } from '../context/scope.ts';
import type { State, Token } from '../state.ts';

/** What a wake ends: sleeps, waits for the next attempt of a call, or blocks of calls. */
export const wakeKinds = ['sleep', 'retry', 'blocked'] as const;

/** See {@link wakeKinds}. */
export type WakeKind = (typeof wakeKinds)[number];

/** Which waits a wake ends. */
export interface WakeRequest {
  /** Absent: sleeps. */
  readonly what?: readonly WakeKind[];
  /** Only at this node. */
  readonly nodeId?: string;
  /** Only for the item with these places. */
  readonly item?: readonly number[];
}

/** What a wake finds in an execution. */
export interface Wakeable {
  /** The tokens that it moves. */
  readonly tokens: readonly Token[];
  /** A hold that keeps a token from moving. */
  readonly heldBy?: { readonly nodeId: string; readonly holdId?: string };
}

/** The tokens that a wake concerns. Those before a `startAt` sleep, and a hold is not passed. */
export function wakeable(state: State, { what = ['sleep'], nodeId, item }: WakeRequest): Wakeable {
  if (state.end !== undefined) return { tokens: [] };
  let heldBy: Wakeable['heldBy'];
  const tokens = state.tokens.filter((token) => {
    const kind = kindOf(state, token);
    if (kind === undefined || !what.includes(kind)) return false;
    if ((nodeId !== undefined && nodeOf(token) !== nodeId) || !isOfPlaces(scopeOf(token), item)) return false;
    const blocked = kind === 'blocked' ? blockedOf(token.stage) : undefined;
    if (blocked?.cause !== 'hold') return true;
    heldBy ??= { nodeId: nodeOf(token), ...(blocked.holdId === undefined ? undefined : { holdId: blocked.holdId }) };
    return false;
  });
  return { tokens, ...(heldBy === undefined ? undefined : { heldBy }) };
}

function kindOf(state: State, { stage }: Token): WakeKind | undefined {
  if (state.startAt !== undefined) return 'sleep';
  // The guard would narrow away stages that can be blocked.
  const isStuck: boolean = isBlocked(stage);
  if (isStuck) return 'blocked';
  switch (stage.kind) {
    case 'sleeping':
      return 'sleep';
    case 'backoff':
      return 'retry';
    case 'unwinding':
    case 'hook':
      return stage.callId === undefined && stage.until !== undefined && attemptingOf(stage)?.failure !== undefined
        ? 'retry'
        : undefined;
    default:
      return undefined;
  }
}

function nodeOf({ nodeId, stage }: Token): string {
  return stage.kind === 'unwinding' ? (stage.undo?.target.nodeId ?? nodeId) : nodeId;
}

function scopeOf({ scope, stage }: Token): string {
  return stage.kind === 'unwinding' ? (stage.undo?.target.scope ?? scope) : scope;
}
