/** What a state waits for, as far as a simulation needs it. */
import { openDeadline } from '../../core/due.ts';
import type { State, TaskRun, Token } from '../../core/state.ts';

/** The instant at which the next timer fires; undefined when none runs. */
export function nextTimer(state: State): number | undefined {
  if (state.end !== undefined) return undefined;
  const instants = state.tokens.flatMap((token) => timerOf(token) ?? []);
  const deadline = openDeadline(state);
  if (deadline !== undefined) instants.push(deadline);
  return instants.length === 0 ? undefined : Math.min(...instants);
}

/** The instant for which a token waits, if it waits for one and not for the answer to a call. */
export function timerOf({ stage }: Token): number | undefined {
  if (!('until' in stage) || ('callId' in stage && stage.callId !== undefined)) return undefined;
  return stage.until;
}

/** Whether a token could continue but was held back, so that a long walk is stored in pieces. */
export function isHeld(state: State): boolean {
  return state.end === undefined && state.tokens.some(({ stage }) => stage.kind === 'ready');
}

/** The token that made a call and still waits for its answer. */
export function callerOf(state: State, callId: number): Token | undefined {
  return state.tokens.find(({ stage }) => 'callId' in stage && stage.callId === callId);
}

/** The visit of a token's task; undefined for a token without a task. */
export function taskOf(token: Token | undefined): TaskRun | undefined {
  return token !== undefined && 'task' in token.stage ? token.stage.task : undefined;
}
