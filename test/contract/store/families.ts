import { expect, it } from 'vitest';
import { wholeShardSet } from '../../../src/core/value/slot.ts';
import { parseJson, stringifyJson } from '../../../src/core/value/json.ts';
import type { NewExecution, Tell } from '../../../src/ports/store.ts';
import type { FamilyPlace } from '../../../src/core/context/family.ts';
import {
  checkpointOf,
  effectStep,
  endState,
  idOf,
  newExecution,
  start,
  stateOf,
  summaryOf,
} from '../fixtures/executions.ts';
import type { StoreUnderTest } from './store-under-test.ts';

/** The place of a child of execution `parent`, below execution `root`. */
export function placeOf(parent: number, root: number = parent, visit = 1): Required<FamilyPlace> {
  return {
    parent: { id: idOf(parent), round: 1, nodeId: 'ship', visit },
    root: idOf(root),
    depth: parent === root ? 2 : 3,
  };
}

/** The event that child `child` is over. */
export function endOf(child: number, id = `end-${String(child)}`, body = '{"total":10.10}'): Tell['row'] {
  return {
    id,
    at: start + 700,
    event: {
      type: 'childEnded',
      end: 1,
      inboxId: id,
      childId: idOf(child),
      status: 'SUCCEEDED',
      result: parseJson(body),
      visits: 3,
      standing: false,
    },
  };
}

const born = { state: endState('SUCCEEDED'), summary: summaryOf('SUCCEEDED') };

const over = { ...born, dueAt: null };

/** Executions that other executions started. */
export function families(test: StoreUnderTest): void {
  const parked: Partial<NewExecution> = { dueAt: start + 60_000 };

  /** A parked parent 1 with a child 2 that `c` runs. */
  async function family(): Promise<void> {
    await test.store.submit([newExecution(1, parked), newExecution(2, { ...placeOf(1), claim: 'c' })]);
  }

  const tellParent = (row: Tell['row'] = endOf(2)): readonly Tell[] => [{ executionId: idOf(1), row }];

  const read = async (n: number): Promise<readonly [number, readonly string[]]> => {
    const { inboxSeq, inbox } = await test.store.readInbox(idOf(n));
    return [inboxSeq, inbox.map(({ id }) => id)];
  };

  const dueOf = async (n: number): Promise<number | undefined> =>
    (await test.store.findDue(wholeShardSet, start + 1e9, 99)).find(({ id }) => id === idOf(n))?.dueAt;

  it('keeps the place of an execution in its family', async () => {
    const { store } = test;
    const { parent, root, depth } = placeOf(2, 1, 4);
    const item = { ...parent, nodeId: 'ship \u0000 \ud800 \\u0000 "é"', item: [3, 0] };
    await store.submit([
      newExecution(1),
      newExecution(2, placeOf(1)),
      newExecution(3, { parent: item, root, depth, labels: { k: 'v' }, steps: [effectStep(1)] }),
    ]);
    const seen = async (): Promise<void> => {
      const place = { parent: item, root: idOf(1), depth: 3 };
      expect(await test.store.getExecution(idOf(3))).toMatchObject(place);
      expect(await test.store.getProgress(idOf(3))).toMatchObject(place);
      expect((await test.store.listExecutions({}, { limit: 1 })).items[0]).toMatchObject(place);
      const [loaded] = await test.store.takeOver([{ id: idOf(3), claim: 'c' }], start);
      expect(loaded).toMatchObject(place);
      expect(Object.keys((await test.store.getExecution(idOf(1))) ?? {})).not.toContain('parent');
      const [first] = await test.store.takeOver([{ id: idOf(1), claim: 'c' }], start);
      for (const field of ['parent', 'root', 'depth', 'link']) expect(first).not.toHaveProperty(field);
    };
    await seen();
    if (await test.reopen()) await seen();
  });

  it('inserts a child once, however often it is sent', async () => {
    const { store } = test;
    await store.submit([newExecution(1)]);
    const child = newExecution(2, placeOf(1));
    expect(await store.submit([child])).toEqual([{ kind: 'created' }]);
    await store.takeOver([{ id: idOf(2), claim: 'c' }], start);
    expect(await store.submit([child, child])).toEqual([{ kind: 'created' }, { kind: 'created' }]);
    expect(await store.countChildren(idOf(1))).toMatchObject({ count: 1 });
    expect(await store.readClaims([idOf(2)])).toMatchObject([{ seq: 1, claim: 'c' }]);
  });

  it('refuses a parent without a root', async () => {
    const { parent } = placeOf(1);
    const [alone, other] = await test.store.submit([newExecution(2, { parent }), newExecution(3)]);
    expect(alone).toMatchObject({ kind: 'invalid' });
    expect(other).toEqual({ kind: 'created' });
  });

  it('lists and counts the children of one execution, and roots', async () => {
    const { store } = test;
    await store.submit([
      newExecution(1),
      newExecution(2, placeOf(1)),
      newExecution(3, { ...placeOf(1), ...born, labels: { k: 'v' } }),
      newExecution(4, placeOf(2, 1)),
      newExecution(5, {
        ...placeOf(1),
        name: 'ship',
        definitionHash: 'h5',
        state: endState('CORRUPTED'),
        summary: summaryOf('CORRUPTED'),
      }),
      newExecution(6, { labels: { k: 'v' } }),
      newExecution(7, placeOf(6)),
    ]);
    const list = async (filter: Parameters<typeof store.listExecutions>[0]): Promise<readonly number[]> => {
      const found: number[] = [];
      let cursor: string | undefined;
      do {
        const page = { limit: 2, order: 'asc', ...(cursor === undefined ? {} : { cursor }) } as const;
        const { items, cursor: next } = await store.listExecutions(filter, page);
        found.push(...items.map(({ slot }) => slot));
        cursor = next;
      } while (cursor !== undefined);
      return found;
    };
    expect(await list({ parent: idOf(1) })).toEqual([2, 3, 5]);
    expect(await list({ parent: idOf(1), statuses: ['SUCCEEDED', 'CORRUPTED'] })).toEqual([3, 5]);
    expect(await list({ parent: idOf(1), name: 'ship' })).toEqual([5]);
    expect(await list({ parent: idOf(1), labels: { k: 'v' } })).toEqual([3]);
    expect(await list({ parent: idOf(1), root: true })).toEqual([]);
    expect(await list({ parent: idOf(9) })).toEqual([]);
    expect(await list({ root: true })).toEqual([1, 6]);
    expect(await list({ root: true, labels: { k: 'v' } })).toEqual([6]);
    expect(await list({ root: false })).toEqual([2, 3, 4, 5, 7]);
    expect(await list({ root: true, statuses: ['IN_PROGRESS'] })).toEqual([1, 6]);
    expect((await store.countActive(wholeShardSet)).openChildren).toBe(3);
    expect(await store.countChildren(idOf(1))).toEqual({ count: 3, running: 1, corrupted: 1 });
    expect(await store.countChildren(idOf(1), ['or*'])).toEqual({ count: 2, running: 1, corrupted: 0 });
    expect(await store.countChildren(idOf(1), [])).toEqual({ count: 0, running: 0, corrupted: 0 });
    expect(await store.countChildren(idOf(3))).toEqual({ count: 0, running: 0, corrupted: 0 });
  });

  it('tells another execution with the checkpoint, and makes it due', async () => {
    const { store } = test;
    await family();
    const ended = checkpointOf(2, 'c', 0, { ...over, tells: tellParent() });
    expect(await store.checkpoint([ended])).toEqual([{ kind: 'written', inboxSeq: 0 }]);
    expect(await read(1)).toEqual([1, ['end-2']]);
    expect(await dueOf(1)).toBe(start + 700);
    const [row] = (await store.readInbox(idOf(1))).inbox;
    expect(row).toMatchObject({ id: 'end-2', at: start + 700 });
    expect(row?.event.type === 'childEnded' && stringifyJson(row.event.result ?? null)).toBe('{"total":10.10}');
    const [loaded] = await store.takeOver([{ id: idOf(1), claim: 'p' }], start + 800);
    expect(loaded).toMatchObject({ inboxSeq: 1, dueAt: start + 700, inbox: [{ id: 'end-2' }] });
    await store.checkpoint([checkpointOf(1, 'p', 1, { consumed: ['end-2'] })]);
    expect(await read(1)).toEqual([1, []]);
  });

  it('says of an end whether effects stand', async () => {
    const { store } = test;
    const ends = [
      ['FAILED', effectStep(1), true],
      ['FAILED', effectStep(1, { undo: 'done' }), false],
      ['TERMINATED', effectStep(1, { effect: 'unknown', outcome: 'unknown' }), true],
      ['SUCCEEDED', effectStep(1), false],
    ] as const;
    await store.submit([newExecution(1), ...ends.map((_, i) => newExecution(i + 2, { ...placeOf(1), claim: 'c' }))]);
    await store.checkpoint(
      ends.map(([status, step], i) =>
        checkpointOf(i + 2, 'c', 0, {
          state: endState(status),
          summary: summaryOf(status),
          dueAt: null,
          steps: [step],
          tells: [{ executionId: idOf(1), row: endOf(i + 2, `a${String(i)}`) }],
        }),
      ),
    );
    // Also where an execution is over when it is inserted, and where one that is over changes.
    await store.submit(
      ends.map(([status, step], i) =>
        newExecution(i + 12, {
          ...placeOf(1),
          state: endState(status),
          summary: summaryOf(status),
          steps: [step],
          tells: [{ executionId: idOf(1), row: endOf(i + 12, `b${String(i)}`) }],
        }),
      ),
    );
    for (const [i, [status]] of ends.entries()) {
      await store.changeTerminal({
        id: idOf(i + 12),
        seq: 0,
        writeId: 'w',
        state: endState(status),
        summary: summaryOf(status),
        dueAt: null,
        steps: [],
        undo: [],
        tells: [{ executionId: idOf(1), row: endOf(i + 12, `c${String(i)}`) }],
      });
    }
    const { inbox } = await store.readInbox(idOf(1));
    const said = new Map(inbox.map(({ id, event }) => [id, event.type === 'childEnded' && event.standing]));
    const expected = ['a', 'b', 'c'].flatMap((kind) =>
      ends.map(([, , stands], i) => [`${kind}${String(i)}`, stands] as const),
    );
    expect(said).toEqual(new Map(expected));
  });

  it('tells once, also when the batch is sent again or its event was consumed', async () => {
    const { store } = test;
    await family();
    const ended = checkpointOf(2, 'c', 0, { ...over, tells: [...tellParent(), ...tellParent()] });
    for (let i = 0; i < 2; i++) expect(await store.checkpoint([ended])).toEqual([{ kind: 'written', inboxSeq: 0 }]);
    expect(await read(1)).toEqual([1, ['end-2']]);
    await store.takeOver([{ id: idOf(1), claim: 'p' }], start);
    await store.checkpoint([checkpointOf(1, 'p', 1, { consumed: ['end-2'] })]);
    await store.checkpoint([ended]);
    await store.submit([newExecution(3, { ...placeOf(1), tells: tellParent() })]);
    expect(await read(1)).toEqual([1, []]);
  });

  it('tells nothing with a checkpoint that is not written', async () => {
    const { store } = test;
    await family();
    const tells = tellParent();
    const round = Number.NaN;
    expect(
      await store.checkpoint([
        checkpointOf(2, 'other', 0, { ...over, tells }),
        checkpointOf(2, 'c', 5, { ...over, tells }),
        checkpointOf(2, 'c', 0, { ...over, tells, inboxSeq: 7 }),
        checkpointOf(2, 'c', 0, { ...over, tells, steps: [effectStep(1, { round })] }),
        checkpointOf(9, 'c', 0, { ...over, tells }),
      ]),
    ).toMatchObject([
      { kind: 'fenced' },
      { kind: 'fenced' },
      { kind: 'inbox' },
      { kind: 'invalid' },
      { kind: 'fenced' },
    ]);
    expect(await read(1)).toEqual([0, []]);
    expect(await dueOf(1)).toBe(start + 60_000);
  });

  it('writes nothing of a checkpoint whose event cannot be stored', async () => {
    const { store } = test;
    await family();
    const bad = endOf(2);
    const event = { ...bad.event, childId: 10n } as unknown as Tell['row']['event'];
    const [first, second] = await store.checkpoint([
      checkpointOf(2, 'c', 0, { ...over, tells: tellParent({ ...bad, event }) }),
      checkpointOf(9, 'c', 0),
    ]);
    expect([first?.kind, second?.kind]).toEqual(['invalid', 'fenced']);
    expect((await store.getProgress(idOf(2)))?.seq).toBe(0);
    expect(await read(1)).toEqual([0, []]);
  });

  it('tells nothing to executions that are over or do not exist', async () => {
    const { store } = test;
    await store.submit([newExecution(1, born), newExecution(2, { ...placeOf(1), claim: 'c' })]);
    const tells = [...tellParent(), { executionId: idOf(8), row: endOf(2) }];
    expect(await store.checkpoint([checkpointOf(2, 'c', 0, { ...over, tells })])).toEqual([
      { kind: 'written', inboxSeq: 0 },
    ]);
    expect(await read(1)).toEqual([0, []]);
    expect(await read(8)).toEqual([0, []]);
    expect(await dueOf(1)).toBeUndefined();
  });

  it('tells an execution that the engine has parked as CORRUPTED of the ends of its children, and nothing else', async () => {
    const { store } = test;
    const reasons = ['engine', 'compensation'] as const;
    await store.submit([
      ...reasons.map((reason, i) => {
        const summary = summaryOf('CORRUPTED', { reason });
        return newExecution(i + 1, { state: endState('CORRUPTED', { end: { status: 'CORRUPTED', reason } }), summary });
      }),
      newExecution(3, { ...placeOf(1), claim: 'c' }),
    ]);
    const cancel: Tell['row'] = { id: 'x', at: start, event: { type: 'cancelled', inboxId: 'x' } };
    const tells = [1, 2].flatMap((n) => [endOf(3), cancel].map((row) => ({ executionId: idOf(n), row })));
    await store.checkpoint([checkpointOf(3, 'c', 0, { ...over, tells })]);
    expect(await read(1)).toEqual([1, ['end-3']]);
    expect(await read(2)).toEqual([0, []]);
    expect(await dueOf(1)).toBeUndefined();
  });

  it('tells one execution of many children in one batch, whose own checkpoint is in it, too', async () => {
    const { store } = test;
    const children = [2, 3, 4, 5];
    await store.submit([
      newExecution(1, { claim: 'p' }),
      ...children.map((n) => newExecution(n, { ...placeOf(1), claim: 'c' })),
    ]);
    const ended = children.map((n) =>
      checkpointOf(n, 'c', 0, { ...over, tells: [{ executionId: idOf(1), row: endOf(n) }] }),
    );
    const waits = checkpointOf(1, 'p', 0, { dueAt: start + 60_000 });
    const results = await store.checkpoint([...ended.slice(0, 2), waits, ...ended.slice(2)]);
    expect(results.map(({ kind }) => kind)).toEqual(Array.from({ length: 5 }, () => 'written'));
    const { inboxSeq, inbox } = await store.readInbox(idOf(1));
    expect(inboxSeq).toBe(4);
    expect(inbox.map(({ id }) => id).toSorted()).toEqual(children.map((n) => `end-${String(n)}`));
    expect(await dueOf(1)).toBe(start + 700);
    const parked = checkpointOf(1, 'p', 1, { inboxSeq: 0, dueAt: start + 90_000 });
    const [after] = await store.checkpoint([parked]);
    expect(after).toMatchObject({ kind: 'inbox', inboxSeq: 4 });
    expect(after?.kind === 'inbox' && after.inbox.length).toBe(4);
  });

  it('tells with the insertion of an execution, and with the change of one that is over', async () => {
    const { store } = test;
    await store.submit([newExecution(1, parked)]);
    const ended = newExecution(2, { ...placeOf(1), ...born, tells: tellParent() });
    for (let i = 0; i < 2; i++) expect(await store.submit([ended])).toEqual([{ kind: 'created' }]);
    expect(await read(1)).toEqual([1, ['end-2']]);
    const change = {
      id: idOf(2),
      seq: 0,
      writeId: 'w',
      state: stateOf(),
      summary: summaryOf('IN_PROGRESS'),
      dueAt: start,
      steps: [],
      undo: [],
      tells: tellParent(endOf(2, 'again')),
    };
    expect(await store.changeTerminal({ ...change, seq: 3 })).toBe(false);
    expect(await read(1)).toEqual([1, ['end-2']]);
    for (let i = 0; i < 2; i++) expect(await store.changeTerminal(change)).toBe(true);
    expect(await read(1)).toEqual([2, ['end-2', 'again']]);
  });

  it('starts nothing for a parent that is over, or that another claim holds', async () => {
    const { store } = test;
    await store.submit([newExecution(1, { claim: 'p' }), newExecution(2, born), newExecution(3)]);
    const child = (n: number, parent: number, parentClaim: string): NewExecution =>
      newExecution(n, { ...placeOf(parent), parentClaim, labels: { k: 'v' } });
    const batch = [child(11, 1, 'p'), child(12, 1, 'q'), child(13, 2, 'p'), child(14, 3, 'p'), child(15, 9, 'p')];
    expect((await store.submit([...batch, newExecution(16)])).map(({ kind }) => kind)).toEqual([
      'created',
      'fenced',
      'fenced',
      'fenced',
      'fenced',
      'created',
    ]);
    for (const n of [12, 13, 14, 15]) expect(await store.getProgress(idOf(n))).toBeUndefined();
    await store.takeOver([{ id: idOf(1), claim: 'q' }], start);
    // An execution that was inserted before is there under any claim.
    expect(await store.submit([child(11, 1, 'p'), child(12, 1, 'q'), child(17, 1, 'p')])).toEqual([
      { kind: 'created' },
      { kind: 'created' },
      { kind: 'fenced' },
    ]);
    await store.checkpoint([checkpointOf(1, 'q', 1, over)]);
    expect(await store.submit([child(18, 1, 'q')])).toEqual([{ kind: 'fenced' }]);
    expect(await store.countChildren(idOf(1))).toMatchObject({ count: 2 });
  });

  it('terminates children with the end of their parent, in portions', async () => {
    const { store } = test;
    const numbers = Array.from({ length: 230 }, (_, i) => i + 10);
    const children = numbers.map((n) => newExecution(n, { ...placeOf(1), dueAt: start + 60_000 }));
    await store.submit([
      newExecution(1, { claim: 'p' }),
      ...children,
      newExecution(500, { ...placeOf(1), ...born }),
      newExecution(501, { ...placeOf(1), state: endState('CORRUPTED'), summary: summaryOf('CORRUPTED') }),
      newExecution(502, { ...placeOf(10, 1), dueAt: start + 60_000 }),
      newExecution(503, { dueAt: start + 60_000 }),
    ]);
    const end = {
      state: endState('TERMINATED'),
      summary: summaryOf('TERMINATED', { updatedAt: start + 5 }),
      dueAt: start,
      terminatesChildren: 'end-1',
    };
    const told = (from: number, to: number): unknown =>
      numbers.slice(from, to).map((n) => ({ id: idOf(n), slot: n % 16_384 }));
    expect(await store.checkpoint([checkpointOf(1, 'q', 0, end)])).toEqual([{ kind: 'fenced' }]);
    expect((await read(10))[0]).toBe(0);
    const [first] = await store.checkpoint([checkpointOf(1, 'p', 0, end)]);
    expect(first).toEqual({ kind: 'written', inboxSeq: 0, children: { told: told(0, 100), next: idOf(109) } });
    expect(await store.checkpoint([checkpointOf(1, 'p', 0, end)])).toEqual([{ kind: 'written', inboxSeq: 0 }]);
    expect(await read(109)).toEqual([1, ['end-1']]);
    expect(await read(110)).toEqual([0, []]);
    expect(await dueOf(10)).toBe(start + 5);
    // Nothing is told twice, whether the portions begin anew or go on.
    expect(await store.terminateChildren(idOf(1), 'end-1', start + 7)).toMatchObject({ next: idOf(109) });
    const second = await store.terminateChildren(idOf(1), 'end-1', start + 7, idOf(109));
    expect(second).toEqual({ told: told(100, 200), next: idOf(209) });
    const third = await store.terminateChildren(idOf(1), 'end-1', start + 7, second.next);
    expect(third).toEqual({ told: told(200, 230) });
    for (const n of numbers) expect(await read(n)).toEqual([1, ['end-1']]);
    expect((await store.readInbox(idOf(200))).inbox).toEqual([
      { id: 'end-1', at: start + 7, event: { type: 'terminated', inboxId: 'end-1' } },
    ]);
    for (const n of [500, 501, 502, 503]) expect(await read(n)).toEqual([0, []]);
    expect(await store.terminateChildren(idOf(503), 'x', start)).toEqual({ told: [] });
    expect(await store.terminateChildren(idOf(10), 'x', start)).toEqual({ told: [{ id: idOf(502), slot: 502 }] });
  });

  it('changes a member only once its root is over, where that is asked for', async () => {
    const { store } = test;
    await store.submit([newExecution(1, { claim: 'p' }), newExecution(2, { ...placeOf(1), ...born })]);
    const change = {
      id: idOf(2),
      seq: 0,
      writeId: 'w',
      state: stateOf(),
      summary: summaryOf('COMPENSATING'),
      dueAt: start,
      steps: [],
      undo: [],
      ifRootOver: idOf(1),
    };
    expect(await store.changeTerminal(change)).toBe('root_open');
    expect(await store.changeTerminal({ ...change, seq: 7 })).toBe(false);
    expect(await store.getProgress(idOf(2))).toMatchObject({ status: 'SUCCEEDED', seq: 0 });
    await store.checkpoint([checkpointOf(1, 'p', 0, over)]);
    for (let i = 0; i < 2; i++) expect(await store.changeTerminal(change)).toBe(true);
    await store.submit([newExecution(3, { ...placeOf(9), ...born })]);
    expect(await store.changeTerminal({ ...change, id: idOf(3), ifRootOver: idOf(9) })).toBe(true);
  });

  it('lets executions tell each other at the same time', async () => {
    const { store } = test;
    const numbers = Array.from({ length: 8 }, (_, i) => i + 1);
    await store.submit(numbers.map((n) => newExecution(n, { claim: 'c' })));
    const neighbour = (n: number, by: number): number => ((n - 1 + by) % numbers.length) + 1;
    for (let seq = 0; seq < 12; seq++) {
      const tells = (n: number): readonly Tell[] =>
        [1, 3, 5].map((by) => ({
          executionId: idOf(neighbour(n, by)),
          row: endOf(n, `${String(seq)}-${String(n)}-${String(by)}`),
        }));
      // One batch each, in both orders, so that connections meet at the same rows.
      const order = seq % 2 === 0 ? numbers : numbers.toReversed();
      const results = await Promise.all(
        order.map((n) => store.checkpoint([checkpointOf(n, 'c', seq, { tells: tells(n) })])),
      );
      expect(results.flat().map(({ kind }) => kind)).toEqual(numbers.map(() => 'written'));
    }
    for (const n of numbers) expect((await read(n))[0]).toBe(36);
  });

  it('lists the execution that a visit started among the effects', async () => {
    const { store } = test;
    await store.submit([newExecution(1, { claim: 'c' })]);
    const step = effectStep(1, { nodeId: 'ship', phase: 'UP', child: idOf(2) });
    await store.checkpoint([checkpointOf(1, 'c', 0, { steps: [step] })]);
    expect((await store.listSteps(idOf(1), { limit: 9 })).items[0]).toMatchObject({ child: idOf(2) });
    expect(await store.listEffects(idOf(1), 9)).toMatchObject([{ child: idOf(2), effect: 'succeeded' }]);
  });
}
