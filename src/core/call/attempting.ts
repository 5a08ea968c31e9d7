import type { Attempting, Blocked, Stage, Token } from '../state.ts';

/**
 * The call of the visit, compensation or hook that the token is at, in progress or pending; undefined if there is none.
 */
export function attemptingOf(stage: Stage): Attempting | undefined {
  if ('task' in stage) return stage.task;
  if (stage.kind === 'unwinding') return stage.undo;
  return stage.kind === 'hook' ? stage.run : undefined;
}

/** The token that waits for the answer of a call; undefined if none does any more. */
export function callerOf(tokens: readonly Token[], callId: number): Token | undefined {
  for (const token of tokens) if ('callId' in token.stage && token.stage.callId === callId) return token;
  return undefined;
}

/** Whether the token's call was sent and is not answered yet. */
export function isCalling({ stage }: { readonly stage: Stage }): boolean {
  return 'callId' in stage && stage.callId !== undefined;
}

/** Why a call is blocked, or was blocked when it was last tried. */
export function blockedOf(stage: Stage): Blocked | undefined {
  return attemptingOf(stage)?.blocked;
}

/** Whether a blocked call waits at this stage. */
export function isBlocked(stage: Stage): stage is Extract<Stage, { kind: 'backoff' | 'unwinding' | 'hook' }> {
  return !isCalling({ stage }) && stage.kind !== 'waiting' && blockedOf(stage) !== undefined;
}
