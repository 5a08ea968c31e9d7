/** Lets the call of an execution be blocked, as the gate of a process does. */
import { apply } from '../src/core/apply.ts';
import { dueAt } from '../src/core/due.ts';
import type { BlockCause } from '../src/core/state.ts';
import { summarize } from '../src/core/summary.ts';
import { decidingEnv, runOf } from '../src/app/queries/run-view.ts';
import type { ExecutionDetail } from '../src/ports/records.ts';
import type { ApiFixture } from './api-fixture.ts';

/** Begins the next call of an execution that has started, and blocks it for a minute. */
export async function block(
  api: ApiFixture,
  id: string,
  why: { readonly cause: BlockCause; readonly host: string; readonly holdId?: string },
): Promise<void> {
  const stop = (): never => {
    throw new Error('stopped in flight');
  };
  await api.drive(id, stop).catch(() => undefined);
  await api.store.takeOver([{ id, claim: 'gate' }], api.now);
  const detail = (await api.store.getExecution(id)) as ExecutionDetail;
  const event = { type: 'blocked', callId: detail.state.calls, until: api.now + 60_000, detail: 'x', ...why } as const;
  const { state } = apply(await runOf(api.app, detail), event, decidingEnv(api.app));
  const due = { dueAt: dueAt(state), progress: false, steps: [], calls: [], undo: [], consumed: [] };
  const { seq } = detail;
  await api.store.checkpoint([{ id, claim: 'gate', seq, state, summary: summarize(state), ...due }]);
}
