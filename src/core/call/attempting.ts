/** The call that a stage makes or waits to make, for every reader of a state. */
import type { Attempting, Blocked, Stage } from '../state.ts';

/** The call of a visit, compensation or hook that the token is at; undefined where it is at none. */
export function attemptingOf(stage: Stage): Attempting | undefined {
  if ('task' in stage) return stage.task;
  if (stage.kind === 'unwinding') return stage.undo;
  return stage.kind === 'hook' ? stage.run : undefined;
}

/** Whether the token's call has gone out and is not answered. */
export function isCalling({ stage }: { readonly stage: Stage }): boolean {
  return 'callId' in stage && stage.callId !== undefined;
}

/** Why a call waits here, or waited when it was tried last. */
export function blockedOf(stage: Stage): Blocked | undefined {
  return attemptingOf(stage)?.blocked;
}

/** Whether a blocked call waits here. */
export function isBlocked(stage: Stage): stage is Extract<Stage, { kind: 'backoff' | 'unwinding' | 'hook' }> {
  return !isCalling({ stage }) && stage.kind !== 'waiting' && blockedOf(stage) !== undefined;
}
