import { expect, it } from 'vitest';
import type { AuditEntry } from '../../../src/ports/audit.ts';
import { BadCursor, type DefinitionRecord, type Offer } from '../../../src/ports/store.ts';
import { checkpointOf, endState, idOf, newExecution, start, stateOf, summaryOf } from '../fixtures/executions.ts';
import type { StoreUnderTest } from './store-under-test.ts';

function entry(n: number, overrides: Partial<AuditEntry> = {}): AuditEntry {
  return {
    id: idOf(n),
    at: start + n,
    actor: 'key:ops',
    action: 'execution.cancel',
    target: idOf(1),
    address: '10.0.0.7',
    outcome: 'done',
    requestId: `request-${n}`,
    ...overrides,
  };
}

const definition: DefinitionRecord = {
  id: 'definition-1',
  name: 'order',
  version: '1',
  hash: 'hash-1',
  definition: '{}',
  createdAt: start,
  updatedAt: start,
};

function cancel(id: string, audit: AuditEntry): Offer {
  return { executionId: id, row: { id: `inbox-${audit.id}`, at: start, event: { type: 'cancelled' } }, audit };
}

/** The audit log. */
export function auditLog(test: StoreUnderTest): void {
  const listed = async (): Promise<readonly AuditEntry[]> => (await test.store.listAudit({}, { limit: 100 })).items;

  it('keeps entries as they were appended, whatever their characters', async () => {
    const { store } = test;
    const odd = entry(2, { actor: 'jwt:ü\\"\u0000', target: '', details: '{"reason":"it\'s \\"over\\" – ü"}' });
    await store.appendAudit(entry(1));
    await store.appendAudit(odd);
    expect(await listed()).toEqual([odd, entry(1)]);
    if (await test.reopen()) expect(await listed()).toEqual([odd, entry(1)]);
  });

  it('never changes an entry that is there', async () => {
    const { store } = test;
    await store.appendAudit(entry(1));
    await store.appendAudit(entry(1, { actor: 'another actor', outcome: 'state_conflict' }));
    expect(await listed()).toEqual([entry(1)]);
  });

  it('filters by actor, action and target, together or alone', async () => {
    const { store } = test;
    const entries = [
      entry(1),
      entry(2, { actor: 'key:ci', action: 'definition.put', target: 'd' }),
      entry(3, { actor: 'key:ci' }),
      entry(4, { target: idOf(4) }),
    ];
    for (const one of entries) await store.appendAudit(one);
    const found = async (filter: Parameters<typeof store.listAudit>[0]): Promise<readonly string[]> =>
      (await store.listAudit(filter, { limit: 9, order: 'asc' })).items.map(({ id }) => id);
    expect(await found({ actor: 'key:ci' })).toEqual([idOf(2), idOf(3)]);
    expect(await found({ action: 'execution.cancel' })).toEqual([idOf(1), idOf(3), idOf(4)]);
    expect(await found({ target: idOf(1) })).toEqual([idOf(1), idOf(3)]);
    expect(await found({ actor: 'key:ci', action: 'execution.cancel', target: idOf(1) })).toEqual([idOf(3)]);
    expect(await found({ actor: 'key:c' })).toEqual([]);
  });

  it('pages newest first, and oldest first when asked', async () => {
    const { store } = test;
    for (const n of [3, 1, 5, 2, 4]) await store.appendAudit(entry(n));
    const first = await store.listAudit({ actor: 'key:ops' }, { limit: 2 });
    const second = await store.listAudit({ actor: 'key:ops' }, { limit: 2, cursor: first.cursor ?? '' });
    const third = await store.listAudit({ actor: 'key:ops' }, { limit: 2, cursor: second.cursor ?? '' });
    const ids = [first, second, third].map((page) => page.items.map(({ id }) => id));
    expect(ids).toEqual([[idOf(5), idOf(4)], [idOf(3), idOf(2)], [idOf(1)]]);
    expect(third).not.toHaveProperty('cursor');
    const oldest = await store.listAudit({}, { limit: 3, order: 'asc' });
    expect(oldest.items.map(({ id }) => id)).toEqual([idOf(1), idOf(2), idOf(3)]);
    const next = await store.listAudit({}, { limit: 3, order: 'asc', cursor: oldest.cursor ?? '' });
    expect(next.items.map(({ id }) => id)).toEqual([idOf(4), idOf(5)]);
    await expect(store.listAudit({}, { limit: 2, cursor: 'nonsense' })).rejects.toThrow(BadCursor);
  });

  it('has the entry of an offered event exactly when the event was accepted', async () => {
    const { store } = test;
    await store.submit([newExecution(1)]);
    const event = cancel(idOf(1), entry(1));
    expect(await store.offer(event, start)).toEqual({ kind: 'accepted' });
    expect(await store.offer(event, start)).toEqual({ kind: 'accepted' });
    expect(await store.offer(cancel(idOf(2), entry(2)), start)).toEqual({ kind: 'unknown' });
    await store.takeOver([{ id: idOf(1), claim: 'c' }], start);
    const ended = { state: endState('FAILED'), summary: summaryOf('FAILED'), dueAt: null };
    await store.checkpoint([checkpointOf(1, 'c', 1, ended)]);
    expect((await store.offer(cancel(idOf(1), entry(3)), start)).kind).toBe('conflict');
    expect(await listed()).toEqual([entry(1)]);
  });

  it('has the entry of a change of a terminal execution exactly when it was made', async () => {
    const { store } = test;
    await store.submit([newExecution(1)]);
    await store.takeOver([{ id: idOf(1), claim: 'c' }], start);
    const ended = { state: endState('FAILED'), summary: summaryOf('FAILED'), dueAt: null };
    await store.checkpoint([checkpointOf(1, 'c', 1, ended)]);
    const change = {
      id: idOf(1),
      seq: 2,
      writeId: 'write-1',
      state: stateOf({ round: 2 }),
      summary: summaryOf('IN_PROGRESS', { round: 2 }),
      dueAt: start,
      steps: [],
      undo: [],
    };
    expect(await store.changeTerminal({ ...change, seq: 9, audit: entry(1) })).toBe(false);
    expect(await store.changeTerminal({ ...change, audit: entry(2) })).toBe(true);
    expect(await store.changeTerminal({ ...change, audit: entry(2) })).toBe(true);
    expect(await listed()).toEqual([entry(2)]);
  });

  it('has the entry of a definition exactly when it was stored or removed', async () => {
    const { store } = test;
    await store.putDefinition(definition, entry(1));
    await store.putDefinition(definition, entry(2));
    await store.putDefinition({ ...definition, hash: 'other' }, entry(3));
    await store.deleteDefinition(definition.id, entry(4));
    await store.deleteDefinition(definition.id, entry(5));
    expect(await listed()).toEqual([entry(4), entry(1)]);
  });
}
