import { beforeAll, expect, it } from 'vitest';
import type { StepRow } from '../../core/history.ts';
import type { ExecutionDetail } from '../../ports/records.ts';
import { MemoryStore } from '../../../simulator/store/memory-store.ts';
import {
  checkpointOf,
  effectStep,
  endState,
  idOf,
  newExecution,
  summaryOf,
} from '../../../test/contract/fixtures/executions.ts';
import { effectsOf, standingOf, unfinishedOf } from './effects.ts';
import type { AppContext } from '../context.ts';

const total = 3000;
/** The visit whose compensation failed, and the one whose compensation an operator accepted. */
const failed = 2500;
const accepted = 2600;

function undoOf(visit: number): NonNullable<StepRow['undo']> {
  if (visit === failed) return 'failed';
  return visit === accepted ? 'accepted' : 'done';
}

let app: AppContext;
let detail: ExecutionDetail;
beforeAll(async () => {
  const store = new MemoryStore();
  await store.open();
  await store.submit([newExecution(1, { claim: 'c' })]);
  const steps = Array.from({ length: total }, (_, i) => effectStep(i + 1, { visit: i + 1, undo: undoOf(i + 1) }));
  const end = {
    state: endState('CORRUPTED'),
    summary: summaryOf('CORRUPTED', { reason: 'compensation' }),
    dueAt: null,
  };
  await store.checkpoint([checkpointOf(1, 'c', 0, { ...end, steps })]);
  // Reading effects needs only the store.
  app = { store } as unknown as AppContext;
  detail = (await store.getExecution(idOf(1)))!;
});

it('shows the first of very many effects, and whatever is not settled', async () => {
  const visits = (await effectsOf(app, detail)).map(({ target }) => target.visit);
  expect(visits.slice(0, 500)).toEqual(Array.from({ length: 500 }, (_, i) => i + 1));
  expect(visits.slice(500)).toEqual([failed, accepted]);
});

it('says of all of them what stands', async () => {
  const standing = standingOf(detail, await effectsOf(app, detail));
  expect(standing.map(({ target }) => target.visit)).toEqual([failed, accepted]);
});

it('finds the unfinished compensation of a node, however late its visit', async () => {
  const visits = async (only?: { nodeId: string; visit?: number }): Promise<readonly number[]> =>
    (await unfinishedOf(app, detail, only)).map(({ target }) => target.visit);
  expect(await visits()).toEqual([failed]);
  expect(await visits({ nodeId: 'a' })).toEqual([failed]);
  expect(await visits({ nodeId: 'a', visit: failed })).toEqual([failed]);
  expect(await visits({ nodeId: 'a', visit: accepted })).toEqual([]);
  expect(await visits({ nodeId: 'b' })).toEqual([]);
});
