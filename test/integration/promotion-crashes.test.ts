/**
 * Promotions that end at every single step: each request to a store in turn is the last one, whether it was done or not.
 * Run again, everything must have arrived once and whole. And what is rare: nothing to move, odd texts, rows that differ.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { wholeShardSet } from '../../src/core/value/slot.ts';
import type { FamilyPlace } from '../../src/core/context/family.ts';
import type { PromotionSource, PromotionTarget } from '../../src/ports/promotion.ts';
import { StoreUnavailable } from '../../src/ports/store.ts';
import { promote, takeBack, type PromotionParts } from '../../src/app/promotion/promotion.ts';
import { readSourceMark } from '../../src/app/promotion/source-mark.ts';
import type { PostgresStore } from '../../src/store/postgres/postgres-store.ts';
import { SqliteStore } from '../../src/store/sqlite/sqlite-store.ts';
import {
  callbackOffer,
  callRow,
  cancelOffer,
  checkpointOf,
  effectStep,
  endState,
  idOf,
  newExecution,
  showStep,
  start,
  stepRow,
  summaryOf,
  waitingState,
} from '../contract/fixtures/executions.ts';
import { trama } from '../e2e/trama-process.ts';
import { PostgresServer } from '../servers/postgres.ts';
import { emptyDatabase, openStore } from '../servers/postgres-stores.ts';

let server: PostgresServer;
let database: string;
let target: PostgresStore;
let source: SqliteStore;
let dataDir: string;

beforeAll(async () => {
  server = await PostgresServer.create();
  ({ store: target, database } = await openStore(server, { applicationName: 'trama-promote-test' }));
});
afterAll(async () => {
  await target.close();
  await server.remove();
});
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'trama-promotion-'));
  source = new SqliteStore({ dataDir, showStep });
  await source.open();
  await emptyDatabase(server, database);
});
afterEach(async () => {
  await source.close();
  await rm(dataDir, { recursive: true });
});

/** Ends a promotion as a kill does. */
class Killed extends Error {}

/** Lets `steps` requests through; the next one ends the promotion, before or after it was done. */
function mortal<T extends object>(of: T, life: { steps: number; isDone: boolean }): T {
  return new Proxy(of, {
    get(object, name) {
      const method = Reflect.get(object, name) as (...args: unknown[]) => Promise<unknown>;
      return async (...args: unknown[]): Promise<unknown> => {
        life.steps -= 1;
        if (life.steps >= 0) return method.apply(object, args);
        if (life.isDone) await method.apply(object, args);
        throw new Killed();
      };
    },
  });
}

function partsOf(life: { steps: number; isDone: boolean } = { steps: Number.MAX_SAFE_INTEGER, isDone: false }) {
  const parts: PromotionParts = {
    source: mortal<PromotionSource>(source.promotionSource, life),
    settings: mortal<PromotionParts['settings']>(source, life),
    dataDir,
    target: mortal<PromotionTarget>(target.promotionTarget, life),
    targetName: 'postgres://target/db',
    openTarget: () => Promise.resolve(),
    newId: () => 'promotion-1',
    now: () => Date.now(),
    pause: () => Promise.resolve(),
    progress: () => undefined,
  };
  return parts;
}

const odd = '\u0000 \\u0000 "ö" \u{1F600} \n';
const big = '{"big":9007199254740993,"amount":10.10,"odd":"\\u0000\\ud800"}';

/** The third execution is a child of the first one. */
const child: FamilyPlace = {
  parent: { id: idOf(1), round: 1, nodeId: odd, visit: 2, item: [0, 7] },
  root: idOf(1),
  depth: 2,
};

const largeResponse = { status: 200, headers: {}, body: odd.repeat(10_000) };

/** Three executions: one waits with events and has a child, one is over and was changed then, one will begin. A fourth was removed. */
async function fill(): Promise<void> {
  await source.putDefinition({
    id: 'd-1',
    name: odd,
    version: '1',
    hash: 'h',
    definition: '{ "n" : 1.0e3 }',
    createdAt: start,
    updatedAt: start + 1,
  });
  await source.initSetting('callback.key', '{"kid":"own","secret":"s"}');
  await source.submit([
    newExecution(1, {
      claim: 'old',
      payload: big,
      labels: { team: 'a', [odd]: odd },
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      startKey: { caller: odd, key: 'k-1', fingerprint: 'f' },
    }),
    newExecution(2, { claim: 'old', name: odd, definitionHash: 'h2' }),
    newExecution(3, { dueAt: Date.now() + 3_600_000, summary: summaryOf('SLEEPING'), ...child }),
  ]);
  const key = { caller: 'c', key: 'k-4', fingerprint: 'f' };
  await source.submit([
    newExecution(4, { summary: summaryOf('SUCCEEDED'), state: endState('SUCCEEDED'), startKey: key }),
  ]);
  await source.deleteCompleted(start + 3_600_000, 10);
  await source.checkpoint([
    checkpointOf(1, 'old', 0, {
      state: waitingState('a', 'nonce-1'),
      summary: summaryOf('WAITING_CALLBACK'),
      dueAt: start + 60_000,
      // The second keeps its output, and what lists show of it, beside its row.
      steps: [effectStep(1, { nodeId: odd }), stepRow(2, { output: { response: largeResponse } })],
      calls: [callRow(3), callRow(4)],
    }),
    checkpointOf(2, 'old', 0, {
      state: endState('FAILED', { ord: 1 }),
      summary: summaryOf('FAILED', {
        failureDescription: odd,
        reason: 'status_4xx',
        failedNodeId: odd,
        callbackWarning: odd,
      }),
      dueAt: null,
      steps: [effectStep(1, { effect: 'unknown' })],
    }),
  ]);
  await source.offer(callbackOffer(1, 'e-1', 'hash-1', { pending: true }), start);
  await source.offer(cancelOffer(1, 'e-2'), start);
  await source.changeTerminal({
    id: idOf(2),
    seq: 1,
    writeId: 'w-1',
    state: endState('FAILED', { ord: 2 }),
    summary: summaryOf('FAILED'),
    dueAt: null,
    steps: [stepRow(2)],
    undo: [{ kind: 'set', ord: 1, undo: 'accepted' }],
  });
}

/** What a store answers about everything in it, but for due times. */
async function contentOf(store: SqliteStore | PostgresStore): Promise<unknown> {
  const page = { limit: 100, order: 'asc' } as const;
  const executions = await Promise.all(
    [1, 2, 3].map(async (n) => [
      await store.getExecution(idOf(n)),
      (await store.listSteps(idOf(n), page)).items,
      await store.readOutputs(idOf(n), 1, [{ nodeId: 'a' }]),
      (await store.listCalls(idOf(n), page)).items,
      await store.readInbox(idOf(n)),
      await store.listEffects(idOf(n), 100),
    ]),
  );
  return [
    executions,
    (await store.listDefinitions(page)).items,
    (await store.listExecutions({ labels: { [odd]: odd } }, page)).items,
    (await store.listExecutions({ standing: true }, page)).items,
    await store.countActive(wholeShardSet),
    (await store.listExecutions({ parent: idOf(1) }, page)).items,
    await store.countChildren(idOf(1)),
    await store.getDefinitionBody('h1'),
    await store.getSetting('callback.key'),
  ];
}

describe('a promotion', () => {
  it('carries everything, odd texts and digits included', async () => {
    await fill();
    const before = await contentOf(source);
    await promote(partsOf());
    expect(await contentOf(target)).toEqual(before);
    expect((await target.getExecution(idOf(1)))!.payload).toBe(big);
    // The same callback is answered as before, and a used start key gives the execution that it began.
    const now = Date.now();
    expect(await target.offer(callbackOffer(1, 'e-3', 'hash-1', { pending: true }), now)).toMatchObject({
      kind: 'duplicate',
      pending: true,
    });
    const again = newExecution(9, { startKey: { caller: odd, key: 'k-1', fingerprint: 'f' } });
    const removed = newExecution(9, { startKey: { caller: 'c', key: 'k-4', fingerprint: 'f' } });
    expect(await target.submit([again])).toEqual([{ kind: 'existing', id: idOf(1) }]);
    expect(await target.submit([removed])).toEqual([{ kind: 'existing', id: idOf(4) }]);
    // What the change of the ended one wrote is not written again.
    const change = {
      id: idOf(2),
      seq: 1,
      writeId: 'w-1',
      state: endState('FAILED'),
      summary: summaryOf('FAILED'),
      dueAt: null,
      steps: [],
      undo: [],
    };
    expect(await target.changeTerminal(change)).toBe(true);
  });

  it('leaves everything due at its time, and so in its place', async () => {
    await fill();
    const now = Date.now();
    await promote(partsOf());
    const due = await target.findDue(wholeShardSet, Number.MAX_SAFE_INTEGER, 10);
    expect(due.map(({ id }) => id)).toEqual([idOf(1), idOf(3)]);
    expect(due[0]!.dueAt).toBe(start);
    expect(due[1]!.dueAt).toBeGreaterThan(now + 3_000_000);
  });

  it('voids the claims of workers that are gone', async () => {
    await fill();
    await promote(partsOf());
    const stale = checkpointOf(1, 'old', 1);
    expect(await target.checkpoint([stale])).toEqual([{ kind: 'fenced' }]);
    const [taken] = await target.takeOver([{ id: idOf(1), claim: 'new' }], Date.now());
    expect(taken).toMatchObject({ seq: 2, inboxSeq: 2, inbox: [{ id: 'e-1' }, { id: 'e-2' }] });
  });

  it('of nothing is a promotion, too', async () => {
    expect(await promote(partsOf())).toMatchObject({ counts: { execution: 0, body: 0 } });
    expect((await readSourceMark(source))?.phase).toBe('promoted');
  });

  it('waits for a target that is away for a moment', async () => {
    await fill();
    const parts = partsOf();
    const { target: real } = parts;
    let failures = 0;
    const moody = new Proxy(real, {
      get: (object, name) => {
        const method = Reflect.get(object, name) as (...args: unknown[]) => Promise<unknown>;
        const isCopying = name === 'write' || name === 'read';
        return isCopying && failures++ % 3 < 2
          ? () => Promise.reject(new StoreUnavailable('unreachable', 'Away.'))
          : method.bind(object);
      },
    });
    await promote({ ...parts, target: moody });
    expect(failures).toBeGreaterThan(10);
    expect((await target.listExecutions({}, { limit: 10 })).items).toHaveLength(3);
  });

  it('gives executions of earlier months partitions of their months', async () => {
    await fill();
    await source.close();
    const url = server.url(await server.createDatabase());
    expect(await trama(['promote', '--data-dir', dataDir, '--to', url])).toMatchObject({ code: 0 });
    const inMonth = await server.query('SELECT count(*)::int AS n FROM execution_2026_05', url.split('/').at(-1));
    expect(inMonth).toEqual([{ n: 3 }]);
  });

  it('activates nothing when the target differs', async () => {
    await fill();
    const parts = partsOf();
    const { target: real } = parts;
    const changed: PromotionTarget = {
      look: () => real.look(),
      begin: (id) => real.begin(id),
      conflicts: (records) => real.conflicts(records),
      write: async (kind, rows) => {
        await real.write(kind, rows);
        await server.query("UPDATE step SET undo = 'done' WHERE undo = 'pending'", database);
      },
      read: (kind, after) => real.read(kind, after),
      activate: (id, activation) => real.activate(id, activation),
      takeBack: (id) => real.takeBack(id),
    };
    await expect(promote({ ...parts, target: changed })).rejects.toThrow(
      /step: the number is equal, but the content differs/,
    );
    expect(await target.findDue(wholeShardSet, Number.MAX_SAFE_INTEGER, 10)).toEqual([]);
    await takeBack(parts, true);
    expect((await target.listExecutions({}, { limit: 10 })).items).toEqual([]);
    await promote(partsOf());
    expect(await target.findDue(wholeShardSet, Number.MAX_SAFE_INTEGER, 10)).toHaveLength(2);
  });

  it.each([
    ['before', false],
    ['after', true],
  ])(
    'killed %s any of its requests arrives whole',
    async (_when, isDone) => {
      await fill();
      const before = await contentOf(source);
      let steps = 0;
      for (; ; steps++) {
        const life = { steps, isDone };
        try {
          await promote(partsOf(life));
          break;
        } catch (error) {
          expect(error).toBeInstanceOf(Killed);
        }
        const due = await target.findDue(wholeShardSet, Number.MAX_SAFE_INTEGER, 10);
        // All at once, or nothing yet.
        expect([0, 2]).toContain(due.length);
        // Every second time it goes on from where it was; else from the very beginning.
        if (steps % 2 === 0) continue;
        await promote(partsOf());
        expect([steps, await contentOf(target)]).toEqual([steps, before]);
        expect((await readSourceMark(source))?.phase).toBe('promoted');
        await source.close();
        await rm(dataDir, { recursive: true });
        source = new SqliteStore({ dataDir, showStep });
        await source.open();
        await fill();
        await emptyDatabase(server, database);
      }
      expect(await contentOf(target)).toEqual(before);
      expect(steps).toBeGreaterThan(25);
    },
    240_000,
  );
});
