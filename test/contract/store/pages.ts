import { expect, it } from 'vitest';
import type { CallRow, StepRow } from '../../../src/core/history.ts';
import { maxPageBytes } from '../../../src/ports/listing.ts';
import { BadCursor } from '../../../src/ports/store.ts';
import type { Page, PageRequest } from '../../../src/ports/records.ts';
import {
  callRow,
  checkpointOf,
  effectStep,
  idOf,
  newExecution,
  showStep,
  start,
  stepRow,
} from '../fixtures/executions.ts';
import type { StoreUnderTest } from './store-under-test.ts';

const answer = (body: string): Pick<StepRow, 'output'> => ({
  output: { response: { status: 200, headers: {}, body } },
});

/** Every page from the first to the one without a cursor. */
async function walk<T>(list: (page: PageRequest) => Promise<Page<T>>, page: PageRequest): Promise<readonly T[][]> {
  const pages: T[][] = [];
  let cursor: string | undefined;
  do {
    const read = await list({ ...page, ...(cursor === undefined ? {} : { cursor }) });
    pages.push([...read.items]);
    ({ cursor } = read);
  } while (cursor !== undefined);
  return pages;
}

/** Pages that end at bytes, and large outputs, which lists never read. */
export function pages(test: StoreUnderTest): void {
  async function written(steps: readonly StepRow[], calls: readonly CallRow[] = []): Promise<void> {
    await test.store.submit([newExecution(1)]);
    await test.store.takeOver([{ id: idOf(1), claim: 'c' }], start);
    await test.store.checkpoint([checkpointOf(1, 'c', 1, { steps, calls })]);
  }

  const lengths = (read: readonly (readonly unknown[])[]): number[] => read.map((page) => page.length);

  it('shows a large output cut, and gives templates the whole', async () => {
    const large = effectStep(1, answer('x'.repeat(200_000)));
    const { output: _whole, ...rest } = large;
    await written([large, stepRow(2, { nodeId: 'b' })]);
    const read = async (): Promise<void> => {
      const { store } = test;
      const { items } = await store.listSteps(idOf(1), { limit: 9 });
      expect(items[0]).toEqual({ ...rest, shown: showStep(large) });
      expect(items[1]).toEqual(stepRow(2, { nodeId: 'b' }));
      expect(await store.readOutputs(idOf(1), 1, [{ nodeId: 'a' }])).toEqual([large]);
      expect(await store.findUndo(idOf(1), 1, { scope: '' })).toMatchObject({ nodeId: 'a', key: 'key-1' });
      expect(await store.listEffects(idOf(1), 9)).toMatchObject([{ effect: 'succeeded', fingerprint: 'print-1' }]);
    };
    await read();
    if (await test.reopen()) await read();
  });

  it.each([10, 5000, 60_000])('shows an output of %i characters whole', async (length) => {
    const row = stepRow(1, answer('x'.repeat(length)));
    await written([row]);
    expect((await test.store.listSteps(idOf(1), { limit: 9 })).items).toEqual([row]);
    expect(await test.store.readOutputs(idOf(1), 1, [{ nodeId: 'a' }])).toEqual([row]);
  });

  it('leaves bodies out on request', async () => {
    const { store } = test;
    const small = stepRow(1);
    const { output: _output, ...medium } = stepRow(2);
    const { output: _other, ...large } = stepRow(3);
    await written([small, { ...medium, ...answer('x'.repeat(10_000)) }, { ...large, ...answer('x'.repeat(200_000)) }]);
    const page = await store.listSteps(idOf(1), { limit: 9, bytes: 2000, withoutBodies: true });
    expect(page).toEqual({ items: [small, medium, large] });
  });

  it('says of a large output why it failed', async () => {
    const failure = { outcome: 'rejected' as const, statusCode: 500, reason: 'It said no.' };
    const body = 'x'.repeat(200_000);
    const row = stepRow(1, { phase: 'DOWN', output: { downBody: body, failure } });
    await written([stepRow(2), row]);
    const { items } = await test.store.listSteps(idOf(1), { limit: 1 });
    expect(items[0]?.output).toEqual({ failure });
    expect((await test.store.readOutputs(idOf(1), 1, [{ nodeId: 'a' }])).at(0)?.output).toEqual(row.output);
  });

  it('keeps the large output of a row that a later change marks', async () => {
    const { store } = test;
    const row = effectStep(1, answer('x'.repeat(200_000)));
    await written([row]);
    await store.checkpoint([checkpointOf(1, 'c', 2, { undo: [{ kind: 'set', ord: 1, undo: 'done' }] })]);
    expect(await store.readOutputs(idOf(1), 1, [{ nodeId: 'a' }])).toEqual([{ ...row, undo: 'done' }]);
  });

  it.each(['asc', 'desc'] as const)('ends a page of steps at its bytes, %s', async (order) => {
    const { store } = test;
    const rows = [100, 3000, 30_000, 100, 100, 200_000, 100].map((length, i) =>
      stepRow(i + 1, answer('x'.repeat(length))),
    );
    await written(rows);
    const expected = (order === 'asc' ? rows : rows.toReversed()).map(({ ord }) => ord);
    for (const [limit, bytes] of [
      [9, 4000],
      [2, 4000],
      [9, 10],
      [9, 1_000_000],
      [1, 4000],
    ] as const) {
      const read = await walk((page) => store.listSteps(idOf(1), page), { limit, bytes, order });
      expect(read.flat().map(({ ord }) => ord)).toEqual(expected);
      for (const page of read) {
        const length = JSON.stringify(page).length;
        expect(page.length === 1 || length < bytes + 200).toBe(true);
      }
      if (bytes === 10) expect(lengths(read)).toEqual([1, 1, 1, 1, 1, 1, 1]);
      if (bytes === 1_000_000) expect(lengths(read)).toEqual([7]);
    }
  });

  it.each(['asc', 'desc'] as const)('ends a page of calls at its bytes, %s', async (order) => {
    const { store } = test;
    const exchange = { url: 'http://a', verb: 'GET', requestHeaders: {}, latencyMillis: 1 };
    const body = 'x'.repeat(3000);
    const calls = [1, 3, 5, 7].map((ord) => {
      const shown = { ...exchange, ...(ord === 5 && { responseHeaders: {} }), responseBody: body };
      return callRow(ord, { idempotencyKey: `key-${String(ord + 1)}`, exchange: shown });
    });
    // Steps record some of them, one together with its answer.
    const response = { status: 200, headers: {}, body };
    const steps = [
      stepRow(2, { call: { callId: 1, exchange: { ...exchange, responseBody: body } } }),
      stepRow(6, { output: { response }, call: { callId: 5, exchange: { ...exchange, answer: response } } }),
    ];
    await written(
      steps,
      calls.filter(({ ord }) => ord === 3 || ord === 7),
    );
    const read = await walk((page) => store.listCalls(idOf(1), page), { limit: 9, bytes: 5000, order });
    expect(read.flat()).toEqual(order === 'asc' ? calls : calls.toReversed());
    expect(lengths(read)).toEqual([1, 1, 1, 1]);
  });

  it('ends a page at its bytes behind rows that are skipped', async () => {
    const { store } = test;
    await written([1, 2, 3, 4].map((ord) => stepRow(ord, answer('x'.repeat(3000)))));
    const first = await store.listSteps(idOf(1), { limit: 9, bytes: 5000, offset: 1 });
    expect(first.items.map(({ ord }) => ord)).toEqual([2]);
    const next = await store.listSteps(idOf(1), { limit: 9, bytes: 9000, afterOrd: 2 });
    expect(next.items.map(({ ord }) => ord)).toEqual([3, 4]);
    expect(next).not.toHaveProperty('cursor');
  });

  it('never gives more than the longest page', async () => {
    const { store } = test;
    await written(Array.from({ length: 100 }, (_, i) => stepRow(i + 1, answer('x'.repeat(60_000)))));
    const { items, cursor } = await store.listSteps(idOf(1), { limit: 1000, bytes: 1e9 });
    expect(items.length).toBeGreaterThan(50);
    expect(items.length).toBeLessThan(maxPageBytes / 60_000);
    expect(cursor).toBeDefined();
  });

  it('ends a page of definitions at its bytes', async () => {
    const { store } = test;
    for (let n = 1; n <= 4; n++) {
      await store.putDefinition({
        id: `d${n}`,
        name: 'n',
        version: String(n),
        hash: `h${n}`,
        definition: JSON.stringify('x'.repeat(3000)),
        createdAt: start,
        updatedAt: start,
      });
    }
    for (const order of ['asc', 'desc'] as const) {
      const read = await walk((page) => store.listDefinitions(page), { limit: 9, bytes: 7000, order });
      expect(lengths(read)).toEqual([2, 2]);
      expect(new Set(read.flat().map(({ id }) => id)).size).toBe(4);
    }
  });

  it('ends a page of executions at its bytes', async () => {
    const { store } = test;
    const labels = { long: 'x'.repeat(2000) };
    await store.submit([1, 2, 3, 4, 5].map((n) => newExecution(n, { labels })));
    const read = await walk((page) => store.listExecutions({}, page), { limit: 9, bytes: 5000 });
    expect(read.map((page) => page.map(({ slot }) => slot))).toEqual([[5, 4], [3, 2], [1]]);
  });

  it('ends a page of the audit log at its bytes', async () => {
    const { store } = test;
    for (let n = 1; n <= 3; n++) {
      await store.appendAudit({
        id: idOf(n),
        at: start,
        actor: 'a',
        action: 'x',
        target: 't',
        address: '',
        outcome: 'done',
        requestId: '',
        details: JSON.stringify('x'.repeat(3000)),
      });
    }
    const read = await walk((page) => store.listAudit({}, page), { limit: 9, bytes: 5000 });
    expect(read.map((page) => page.map(({ id }) => id))).toEqual([[idOf(3)], [idOf(2)], [idOf(1)]]);
  });

  const forged: readonly (readonly unknown[])[] = [
    ['step', 1e300],
    ['step', -1],
    ['step', 2_147_483_648],
    ['step', 1.5],
    ['step', null],
    ['step', [1]],
    ['call', 1e300],
    ['execution', ''],
    ['execution', 'g'],
    ['execution', idOf(1).toUpperCase()],
    ['definition', 1e300, 'a'],
    ['definition', 1, 2],
    ['audit', 1],
  ];

  it.each(forged)('refuses the forged cursor %j %j', async (...key) => {
    const cursor = Buffer.from(JSON.stringify(key)).toString('base64url');
    const { store } = test;
    const list = {
      step: () => store.listSteps(idOf(1), { limit: 1, cursor }),
      call: () => store.listCalls(idOf(1), { limit: 1, cursor }),
      execution: () => store.listExecutions({}, { limit: 1, cursor }),
      definition: () => store.listDefinitions({ limit: 1, cursor }),
      audit: () => store.listAudit({}, { limit: 1, cursor }),
    }[key[0] as 'step'];
    await expect(list()).rejects.toThrow(BadCursor);
  });

  it('finds by fifty labels', { timeout: 5_000 }, async () => {
    const { store } = test;
    const labels = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`l${i}`, `v${i}`]));
    await store.submit([newExecution(1, { labels }), newExecution(2, { labels: { ...labels, l49: 'other' } })]);
    expect((await store.listExecutions({ labels }, { limit: 9 })).items.map(({ slot }) => slot)).toEqual([1]);
  });
}
