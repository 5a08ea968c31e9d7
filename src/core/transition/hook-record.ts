/** What is written of a hook: its attempts, its rows, and what became of it. */
import type { Answered, Draft } from '../draft.ts';
import type { StepRow } from '../history.ts';
import { idempotencyKey } from '../call/keys.ts';
import type { AttemptFailure, HookRun } from '../state.ts';

/** Appends the row of one attempt of a hook. */
export function recordHookAttempt(
  d: Draft,
  run: HookRun,
  event: Pick<Answered, 'callId' | 'exchange'>,
  statusCode: number | undefined,
  failure: AttemptFailure | undefined,
): void {
  d.call({
    callId: event.callId,
    nodeId: run.hook,
    index: -1,
    phase: 'HOOK',
    visit: run.visit,
    attempt: run.attempt,
    outcome: failure?.outcome ?? 'succeeded',
    ...(statusCode === undefined ? undefined : { statusCode }),
    ...(failure === undefined ? undefined : { error: failure.description }),
    startedAt: run.startedAt,
    attemptAt: run.attemptAt,
    idempotencyKey: idempotencyKey(d.header.id, d.state.round, run.hook, run.visit, 'HOOK'),
    ...(event.exchange === undefined ? undefined : { exchange: event.exchange }),
  });
}

/** How a hook's calls went so far, as its row shows it. */
export type HookFate = Pick<StepRow, 'outcome' | 'statusCode' | 'note' | 'output'>;

/** Appends the row of a hook: at the end of the run, and again when a delivery after it has come to its end. */
export function recordHook(d: Draft, run: HookRun, fate: HookFate): void {
  d.step({
    nodeId: run.hook,
    index: -1,
    phase: 'HOOK',
    visit: run.visit,
    attempt: Math.max(1, run.attempt),
    startedAt: run.startedAt,
    attemptAt: run.attemptAt,
    scope: '',
    final: false,
    ...fate,
  });
}

/** The hook is called no more: keeps what became of it. */
export function settleHook(d: Draft, run: HookRun, isDelivered: boolean): void {
  const { hook, visit, startedAt, attemptAt, attempt } = run;
  d.state.hook = { hook, visit, startedAt, attemptAt, attempt, isDelivered };
  const late = run.delivery === undefined ? 'delivered' : 'late';
  d.signal({ kind: 'hookEnded', nodeId: hook, result: isDelivered ? late : 'failed', attempts: attempt });
}
