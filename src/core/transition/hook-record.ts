/** What is written of a hook: its attempts, its rows, and what became of it. */
import type { Draft } from '../draft.ts';
import type { StepRow } from '../history.ts';
import { idempotencyKey } from '../call/keys.ts';
import type { HookRun } from '../state.ts';
import type { CallNames } from './attempt.ts';

/** What names the calls of a hook. */
export const hookNames: CallNames<HookRun> = {
  phase: 'HOOK',
  nodeIdOf: (_token, run) => run.hook,
  visitOf: (run) => run.visit,
  roundOf: (d) => d.state.round,
  keyOf: (d, _token, run) => idempotencyKey(d.header.id, d.state.round, run.hook, run.visit, 'HOOK'),
};

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
