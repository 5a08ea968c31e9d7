import { expect, it } from 'vitest';
import { wholeShardSet, type ShardSet } from '../../../src/core/value/slot.ts';
import type { ExecutionPageRequest } from '../../../src/ports/listing.ts';
import type { ExecutionStatus } from '../../../src/core/state.ts';
import { BadCursor, type ExecutionFilter, type NewExecution } from '../../../src/ports/store.ts';
import type { PageRequest } from '../../../src/ports/records.ts';
import { checkpointOf, effectStep, endState, idOf, newExecution, start, summaryOf } from '../fixtures/executions.ts';
import type { StoreUnderTest } from './store-under-test.ts';

function execution(n: number, status: ExecutionStatus, overrides: Partial<NewExecution> = {}): NewExecution {
  return newExecution(n, { summary: summaryOf(status, { startedAt: start + n, updatedAt: start + n }), ...overrides });
}

/** Lists of executions. */
export function lists(test: StoreUnderTest): void {
  async function list(filter: ExecutionFilter, page: Partial<PageRequest> = {}): Promise<number[]> {
    const { items } = await test.store.listExecutions(filter, { limit: 50, ...page });
    return items.map(({ slot }) => slot);
  }

  async function sample(): Promise<void> {
    const failed = (
      n: number,
      status: ExecutionStatus,
      undo: 'pending' | 'done' | 'accepted' | 'moved',
    ): NewExecution =>
      execution(n, status, {
        state: endState('FAILED'),
        steps: [effectStep(1, { undo })],
        summary: summaryOf(status, {
          reason: n % 2 === 0 ? 'timeout' : 'status_5xx',
          failedNodeId: `node-${n}`,
          failureDescription: 'It failed.',
          callbackWarning: 'The hook failed.',
          completedAt: start + n * 100,
        }),
      });
    // Not in the order of their ids.
    await test.store.submit([
      execution(3, 'IN_PROGRESS', { labels: { tenant: 'a', order: '3' } }),
      execution(1, 'SLEEPING', { version: '2', labels: { tenant: 'a' } }),
      failed(6, 'FAILED', 'pending'),
      execution(2, 'WAITING_CALLBACK', { name: 'other "x"', labels: { tenant: 'b' } }),
      failed(5, 'CANCELLED', 'done'),
      execution(4, 'SUCCEEDED', { steps: [effectStep(1)], labels: { tenant: 'a', order: '4' } }),
      failed(7, 'CORRUPTED', 'accepted'),
      failed(8, 'TERMINATED', 'moved'),
    ]);
  }

  it('tells unknown effects that stand from others', async () => {
    const summary = (status: ExecutionStatus) => summaryOf(status, { completedAt: start });
    const ended = (n: number, steps: NewExecution['steps']): NewExecution =>
      execution(n, 'FAILED', { state: endState('FAILED'), steps, summary: summary('FAILED') });
    await test.store.submit([
      ended(1, [effectStep(1, { effect: 'unknown', undo: 'failed' })]),
      ended(2, [effectStep(1, { effect: 'unknown', undo: 'accepted' })]),
      ended(3, [effectStep(1, { effect: 'unknown', undo: 'done' })]),
      ended(4, [effectStep(1, { effect: 'succeeded', undo: 'failed' })]),
    ]);
    expect(await list({ standing: 'unknown' })).toEqual([1]);
    expect(await list({ standing: 'unknown', statuses: ['FAILED'], name: 'order' })).toEqual([1]);
    expect(await list({ standing: 'succeeded' })).toEqual([4, 2]);
    expect(await list({ standing: true })).toEqual([4, 2, 1]);
  });

  it('shows everything, newest first', async () => {
    await sample();
    expect(await list({})).toEqual([8, 7, 6, 5, 4, 3, 2, 1]);
    expect(await list({}, { order: 'asc', limit: 3 })).toEqual([1, 2, 3]);
    const { items } = await test.store.listExecutions({}, { limit: 3 });
    expect(items[2]).toEqual({
      id: idOf(6),
      slot: 6,
      name: 'order',
      version: '1',
      definitionHash: 'h1',
      createdAt: start,
      labels: {},
      status: 'FAILED',
      round: 1,
      startedAt: start,
      updatedAt: start,
      completedAt: start + 600,
      reason: 'timeout',
      failedNodeId: 'node-6',
      failureDescription: 'It failed.',
      callbackWarning: 'The hook failed.',
      maybeStanding: true,
    });
  });

  it('has the state of what is CORRUPTED, and of all where that is asked for', async () => {
    await sample();
    const states = async (page: Partial<ExecutionPageRequest>): Promise<(string | undefined)[]> => {
      const { items } = await test.store.listExecutions({}, { limit: 50, ...page });
      return items.map(({ state }) => state && (state.end?.status ?? state.tokens[0]?.stage.kind));
    };
    expect(await states({ limit: 3 })).toEqual([undefined, 'FAILED', undefined]);
    expect(await states({ limit: 6, withState: true })).toEqual([
      'FAILED',
      'FAILED',
      'FAILED',
      'FAILED',
      'ready',
      'ready',
    ]);
    expect(await states({ limit: 6, withState: 'unlessSucceeded' })).toEqual([
      'FAILED',
      'FAILED',
      'FAILED',
      'FAILED',
      undefined,
      'ready',
    ]);
    // The states count as what a page reads.
    const { items, cursor } = await test.store.listExecutions({}, { limit: 8, withState: true, bytes: 600 });
    expect([items.length, cursor]).toEqual([expect.any(Number), expect.any(String)]);
    expect(items.length).toBeLessThan(5);
  });

  const filters: readonly (readonly [string, ExecutionFilter, readonly number[]])[] = [
    ['one status', { statuses: ['FAILED'] }, [6]],
    ['several statuses', { statuses: ['SLEEPING', 'FAILED', 'SUCCEEDED', 'FAILED'] }, [6, 4, 1]],
    ['no status', { statuses: [] }, []],
    ['a range of ids', { ids: [idOf(3), idOf(6)] }, [6, 5, 4, 3]],
    ['a range of ids and a status', { ids: [idOf(3), idOf(6)], statuses: ['FAILED', 'SLEEPING'] }, [6]],
    ['a range of ids and a label', { ids: [idOf(1), idOf(3)], labels: { tenant: 'a' } }, [3, 1]],
    ['a range of ids and an instant', { ids: [idOf(1), idOf(6)], completedAfter: start }, [6, 5, 4]],
    ['effects of known outcome', { standing: 'succeeded' }, [7, 6]],
    ['effects of known outcome and a status', { standing: 'succeeded', statuses: ['FAILED', 'CANCELLED'] }, [6]],
    ['effects of unknown outcome', { standing: 'unknown' }, []],
    ['a name', { name: 'other "x"' }, [2]],
    ['a name of many', { name: 'order' }, [8, 7, 6, 5, 4, 3, 1]],
    ['a name and statuses', { name: 'order', statuses: ['SLEEPING', 'IN_PROGRESS', 'WAITING_CALLBACK'] }, [3, 1]],
    ['a version', { version: '2' }, [1]],
    ['a name and a version', { name: 'order', version: '1' }, [8, 7, 6, 5, 4, 3]],
    ['a name, a version and a status', { name: 'order', version: '1', statuses: ['CORRUPTED'] }, [7]],
    ['a label', { labels: { tenant: 'a' } }, [4, 3, 1]],
    ['two labels', { labels: { tenant: 'a', order: '3' } }, [3]],
    ['a label that no execution has', { labels: { toString: 'a' } }, []],
    ['a label and a status', { labels: { tenant: 'a' }, statuses: ['SLEEPING'] }, [1]],
    ['a reason', { reason: 'timeout' }, [8, 6]],
    ['a reason and a status', { reason: 'timeout', statuses: ['FAILED'] }, [6]],
    ['a failed node', { failedNodeId: 'node-7' }, [7]],
    ['what stands', { standing: true }, [7, 6]],
    ['what stands, by name and status', { standing: true, name: 'order', statuses: ['FAILED'] }, [6]],
    ['what does not stand', { standing: false }, [8, 5, 4, 3, 2, 1]],
    ['started after', { startedAfter: start + 3 }, [4, 3]],
    ['started before', { startedBefore: start + 3, statuses: ['SLEEPING', 'WAITING_CALLBACK', 'IN_PROGRESS'] }, [2, 1]],
    ['completed between', { completedAfter: start + 600, completedBefore: start + 800 }, [7, 6]],
  ];

  it.each(filters)('filters by %s', async (_title, filter, expected) => {
    await sample();
    expect(await list(filter)).toEqual(expected);
    expect(await list(filter, { order: 'asc' })).toEqual(expected.toReversed());
    const paged: number[] = [];
    let cursor: string | undefined;
    do {
      const page = await test.store.listExecutions(filter, { limit: 2, ...(cursor === undefined ? {} : { cursor }) });
      paged.push(...page.items.map(({ slot }) => slot));
      ({ cursor } = page);
    } while (cursor !== undefined);
    expect(paged).toEqual(expected);
    expect(await list(filter, { offset: 1, limit: 1 })).toEqual(expected.slice(1, 2));
  });

  it('finds by time what began or ended long after it was made', async () => {
    const day = 86_400_000;
    const late = summaryOf('IN_PROGRESS', { startedAt: start + 3 * day, round: 2 });
    await test.store.submit([
      newExecution(1, { summary: late, claim: 'c' }),
      newExecution(2, { claim: 'c' }),
      newExecution(3, { summary: summaryOf('SUCCEEDED', { completedAt: start + 9 * day }) }),
      newExecution(4, { summary: summaryOf('SUCCEEDED') }),
    ]);
    expect(await list({ startedAfter: start + 2 * day })).toEqual([1]);
    expect(await list({ startedAfter: start + 2 * day, statuses: ['IN_PROGRESS', 'SUCCEEDED'] })).toEqual([1]);
    expect(await list({ startedAfter: start + 2 * day, name: 'order', version: '1' })).toEqual([1]);
    expect(await list({ startedAfter: start + 2 * day, startedBefore: start + 3 * day })).toEqual([]);
    expect(await list({ completedAfter: start + 2 * day })).toEqual([3]);
    const over = summaryOf('FAILED', { completedAt: start + 5 * day });
    await test.store.checkpoint([
      checkpointOf(2, 'c', 0, { state: endState('FAILED'), summary: over, dueAt: null, inboxSeq: 0 }),
    ]);
    expect(await list({ completedAfter: start + 2 * day })).toEqual([3, 2]);
    expect(await list({ completedAfter: start + 2 * day }, { order: 'asc' })).toEqual([2, 3]);
    expect(await list({ completedAfter: start + 6 * day, startedAfter: start })).toEqual([3]);
    expect(await list({ completedAfter: start + 500 })).toEqual([4, 3, 2]);
  });

  it('has no cursor on the last page, also when it is full', async () => {
    await sample();
    const page = await test.store.listExecutions({}, { limit: 8 });
    expect(page.items).toHaveLength(8);
    expect(page).not.toHaveProperty('cursor');
    expect(await test.store.listExecutions({ name: 'absent' }, { limit: 8 })).toEqual({ items: [] });
  });

  it('neither repeats nor hides rows when others come and go', async () => {
    await sample();
    const first = await test.store.listExecutions({}, { limit: 2 });
    await test.store.submit([execution(9, 'IN_PROGRESS')]);
    expect(await list({}, { limit: 2, cursor: first.cursor ?? '' })).toEqual([6, 5]);
  });

  it.each(['', 'nonsense', 'eyJhIjoxfQ', Buffer.from('["execution",1]').toString('base64url')])(
    'refuses the cursor %j',
    async (cursor) => {
      await expect(test.store.listExecutions({}, { limit: 1, cursor })).rejects.toThrow(BadCursor);
    },
  );

  it('counts what is not over, and what is corrupted', async () => {
    const counted = async (shards: ShardSet) => (await test.store.countActive(shards)).statuses;
    expect(await counted(wholeShardSet)).toEqual({});
    await sample();
    await test.store.submit([execution(9, 'IN_PROGRESS')]);
    expect(await counted({ count: 2, shards: [1] })).toEqual({});
    expect(await counted(wholeShardSet)).toEqual({ IN_PROGRESS: 2, SLEEPING: 1, WAITING_CALLBACK: 1, CORRUPTED: 1 });
  });

  it('counts what can be called back, for each key of its tokens', async () => {
    const keys = async (shards: ShardSet) => (await test.store.countActive(shards)).callbackKeys;
    const waiting = (...callbackKeys: string[]) => summaryOf('WAITING_CALLBACK', { callbackKeys });
    const odd = 'a "key", of\u0000 all letters';
    await test.store.submit([
      newExecution(1, { summary: waiting('k1'), claim: 'c' }),
      newExecution(2, { summary: waiting('k1', 'k2'), claim: 'c' }),
      newExecution(3, { summary: waiting(odd), claim: 'c' }),
      newExecution(4),
    ]);
    expect(await keys(wholeShardSet)).toEqual({ k1: 2, k2: 1, [odd]: 1 });
    expect(await keys({ count: 16_384, shards: [2] })).toEqual({ k1: 1, k2: 1 });
    // What goes on has no token out any more.
    await test.store.checkpoint([
      checkpointOf(1, 'c', 0),
      checkpointOf(2, 'c', 0, { summary: waiting('k2') }),
      checkpointOf(3, 'c', 0, { summary: summaryOf('FAILED'), dueAt: null }),
    ]);
    expect(await keys(wholeShardSet)).toEqual({ k2: 1 });
    if (await test.reopen()) expect(await keys(wholeShardSet)).toEqual({ k2: 1 });
  });
}
