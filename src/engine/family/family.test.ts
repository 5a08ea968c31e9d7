import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { child, childrenOf as listChildren, parent, storeDefinition, workflow } from '../../../test/family-fixture.ts';
import { graph, RuntimeFixture, task } from '../../../test/runtime-fixture.ts';
import type { JsonObject } from '../../core/value/json.ts';
import type { Span } from '../../ports/tracer.ts';
import { type Queue, QueueUnavailable } from '../../ports/queue.ts';
import type { Engine } from '../engine.ts';

/** A queue that a process cannot reach any more while `isCut` says so. */
function cut(queue: Queue, isCut: () => boolean): Queue {
  return new Proxy(queue, {
    get(target, name: keyof Queue) {
      const method = target[name] as (...args: unknown[]) => unknown;
      if (typeof method !== 'function' || name === 'toRefill' || name === 'owns') return method;
      return (...args: unknown[]) =>
        isCut() ? Promise.reject(new QueueUnavailable('Cut.')) : method.apply(target, args);
    },
  });
}

describe('children', () => {
  let fixture: RuntimeFixture;
  let engine: Engine;

  beforeEach(async () => {
    fixture = new RuntimeFixture();
    engine = await fixture.engine();
  });

  afterEach(async () => {
    await fixture.close();
    expect(fixture.clock.pending).toBe(0);
  });

  const store = (definition: JsonObject): Promise<void> => storeDefinition(fixture, definition);
  const childrenOf = (id: string): ReturnType<typeof listChildren> => listChildren(fixture, id);

  it('are started, awaited, and give their result', async () => {
    await store(child(task('pay')));
    fixture.http.reply = (path) => (path === 'pay' ? { body: { receipt: 7 }, afterMillis: 500 } : {});
    const ship = task('ship', {
      action: {
        request: {
          url: 'http://mock/ship',
          verb: 'POST',
          body: { of: '{{nodes.sub.response.body.receipt}}', c: '{{nodes.sub.child.status}}' },
        },
      },
    });
    const id = await fixture.submit(
      engine,
      parent(workflow('sub', { payload: { order: '{{payload.order}}' }, next: 'ship' }), ship),
      { payload: { order: 12 } },
    );
    const waiting = await fixture.until(id, 'WAITING_CALLBACK');
    expect(waiting.state.tokens).toMatchObject([{ stage: { kind: 'child', part: 'running' } }]);
    const ended = await fixture.until(id);
    expect(ended.status).toBe('SUCCEEDED');
    expect(await fixture.rows(id)).toEqual(['WORKFLOW:sub:succeeded', 'WORKFLOW:sub:succeeded', 'UP:ship:succeeded']);
    expect(fixture.http.paths()).toEqual(['pay', 'ship']);
    expect(fixture.http.calls[1]!.request.body).toBe('{"of":7,"c":"SUCCEEDED"}');
    const [sub, ...others] = await childrenOf(id);
    expect(others).toEqual([]);
    expect(sub).toMatchObject({
      name: 'child',
      status: 'SUCCEEDED',
      parent: { id, round: 1, nodeId: 'sub', visit: 1 },
      root: id,
      depth: 2,
    });
    expect((await fixture.detail(sub!.id)).payload).toBe('{"order":12}');
  });

  it('that fail, fail the parent, whose other work is compensated', async () => {
    await store(child(task('pay')));
    fixture.http.reply = (path) => (path === 'pay' ? { status: 422 } : {});
    const id = await fixture.submit(engine, parent(task('reserve', { next: 'sub' }), workflow('sub')));
    const ended = await fixture.until(id);
    expect(ended).toMatchObject({ status: 'FAILED', reason: 'child', failedNodeId: 'sub' });
    const [sub] = await childrenOf(id);
    expect(sub).toMatchObject({ status: 'FAILED' });
    expect(ended.failureDescription).toContain(sub!.id);
    expect(fixture.http.paths()).toEqual(['reserve', 'pay', 'undo-reserve']);
    expect(await fixture.rows(id)).toEqual([
      'UP:reserve:succeeded',
      'WORKFLOW:sub:succeeded',
      'WORKFLOW:sub:rejected',
      'DOWN:reserve:succeeded',
    ]);
  });

  it('that cannot be started leave the node unsent', async () => {
    const id = await fixture.submit(engine, parent(workflow('sub')));
    const ended = await fixture.until(id);
    expect(ended).toMatchObject({ status: 'FAILED', reason: 'unsent' });
    expect(ended.failureDescription).toBe('There is no definition "child" with version "latest".');
    expect(await childrenOf(id)).toEqual([]);
  });

  it('that have succeeded are taken back when the parent fails', async () => {
    await store(child(task('pay', { next: 'box' }), task('box')));
    fixture.http.reply = (path) => (path === 'ship' ? { status: 422 } : {});
    const id = await fixture.submit(engine, parent(workflow('sub', { next: 'ship' }), task('ship')));
    const ended = await fixture.until(id);
    const [sub] = await childrenOf(id);
    expect(sub).toMatchObject({ status: 'CANCELLED', reason: 'undone' });
    expect(ended).toMatchObject({ status: 'FAILED', failedNodeId: 'ship' });
    expect(fixture.http.paths()).toEqual(['pay', 'box', 'ship', 'undo-box', 'undo-pay']);
    expect((await fixture.rows(id)).at(-1)).toBe('DOWN:sub:succeeded');
  });

  it('that run are cancelled and awaited when the parent is cancelled', async () => {
    await store(child(task('pay', { next: 'box' }), task('box')));
    fixture.http.reply = (path) => (path === 'box' ? { afterMillis: 5_000 } : {});
    const id = await fixture.submit(engine, parent(workflow('sub')));
    await fixture.until(id, 'WAITING_CALLBACK');
    await fixture.clock.advance(100);
    expect(await fixture.offer(engine, id, { type: 'cancelled', inboxId: 'c1' })).toBe('accepted');
    await fixture.clock.advance(100);
    expect((await fixture.detail(id)).status).toBe('COMPENSATING');
    expect((await childrenOf(id))[0]).toMatchObject({ status: 'IN_PROGRESS' });
    const ended = await fixture.until(id);
    expect(ended).toMatchObject({ status: 'CANCELLED', reason: 'cancelled' });
    expect((await childrenOf(id))[0]).toMatchObject({ status: 'CANCELLED', reason: 'cancelled' });
    expect(fixture.http.paths()).toEqual(['pay', 'box', 'undo-box', 'undo-pay']);
  });

  it('are terminated with their parent, at every depth, and also if they are not awaited', async () => {
    await store(graph([{ kind: 'sleep', id: 'nap', durationMillis: 3_600_000 }], { name: 'leaf' }));
    const leaf = { definition: { name: 'leaf', version: '1' } };
    await store(child(workflow('below', leaf)));
    const id = await fixture.submit(
      engine,
      parent(workflow('aside', { ...leaf, wait: false, next: 'sub' }), workflow('sub')),
    );
    await fixture.until(id, 'WAITING_CALLBACK');
    await fixture.clock.advance(100);
    expect(await fixture.offer(engine, id, { type: 'terminated', inboxId: 't1' })).toBe('accepted');
    expect((await fixture.until(id)).status).toBe('TERMINATED');
    await fixture.clock.advance(100);
    const children = await childrenOf(id);
    const [aside, sub] = ['aside', 'sub'].map((node) => children.find(({ parent }) => parent?.nodeId === node));
    const [below] = await childrenOf(sub!.id);
    expect([aside!.status, sub!.status, below!.status]).toEqual(['TERMINATED', 'TERMINATED', 'TERMINATED']);
    expect(below).toMatchObject({ root: id, depth: 3 });
    expect((await fixture.detail(id)).state.tellsChildren).toBeUndefined();
    expect(await fixture.rows(id)).toEqual([
      'WORKFLOW:aside:succeeded',
      'WORKFLOW:sub:succeeded',
      'WORKFLOW:sub:unknown',
    ]);
  });

  it('are all terminated, however many there are', async () => {
    await store(child({ kind: 'sleep', id: 'nap', durationMillis: 3_600_000 }));
    const list = {
      kind: 'forEach',
      id: 'all',
      items: { $logic: { range: [0, 130] } },
      entry: 'sub',
      maxConcurrency: 130,
    };
    const id = await fixture.submit(engine, parent(list, workflow('sub')));
    await fixture.until(id, 'WAITING_CALLBACK');
    expect(await fixture.offer(engine, id, { type: 'terminated', inboxId: 't1' })).toBe('accepted');
    await fixture.until(id);
    await fixture.clock.advance(1_000);
    const counts = await fixture.store.countChildren(id);
    expect(counts).toMatchObject({ count: 130, running: 0 });
  });

  describe('that are not awaited', () => {
    const definition = (last: JsonObject) => parent(workflow('sub', { wait: false, next: 'last' }), task('last', last));

    it('give their id, and go on when the parent succeeds', async () => {
      await store(child({ kind: 'sleep', id: 'nap', durationMillis: 60_000, next: 'pay' }, task('pay')));
      const body = { request: { url: 'http://mock/last', verb: 'POST', body: '{{nodes.sub.response.body.id}}' } };
      const id = await fixture.submit(engine, definition({ action: body }));
      expect((await fixture.until(id)).status).toBe('SUCCEEDED');
      const [sub] = await childrenOf(id);
      expect(sub!.status).toBe('SLEEPING');
      expect(fixture.http.calls[0]!.request.body).toBe(sub!.id);
      expect((await fixture.until(sub!.id)).status).toBe('SUCCEEDED');
    });

    it('are ended and awaited when the parent fails', async () => {
      await store(child(task('pay', { next: 'nap' }), { kind: 'sleep', id: 'nap', durationMillis: 60_000 }));
      fixture.http.reply = (path) => (path === 'last' ? { status: 400, afterMillis: 50 } : { afterMillis: 5 });
      const id = await fixture.submit(engine, definition({}));
      expect(await fixture.until(id)).toMatchObject({ status: 'FAILED', failedNodeId: 'last' });
      expect((await childrenOf(id))[0]).toMatchObject({ status: 'CANCELLED' });
      // The child and its parent go on side by side.
      expect(fixture.http.paths()).toEqual(['last', 'pay', 'undo-pay']);
    });

    it('stay when they have succeeded and the node compensates nothing', async () => {
      await store(child(task('pay')));
      fixture.http.reply = (path) => (path === 'last' ? { status: 400, afterMillis: 50 } : { afterMillis: 5 });
      const none = parent(workflow('sub', { wait: false, compensation: 'none', next: 'last' }), task('last'));
      const id = await fixture.submit(engine, none);
      expect(await fixture.until(id)).toMatchObject({ status: 'FAILED' });
      expect((await childrenOf(id))[0]).toMatchObject({ status: 'SUCCEEDED' });
      expect(fixture.http.paths()).toEqual(['last', 'pay']);
    });
  });

  it('are cancelled when their time is over, which fails the node', async () => {
    await store(child(task('pay', { next: 'nap' }), { kind: 'sleep', id: 'nap', durationMillis: 60_000 }));
    const id = await fixture.submit(engine, parent(workflow('sub', { timeoutMillis: 1_000 })));
    const ended = await fixture.until(id);
    expect(ended).toMatchObject({ status: 'FAILED', reason: 'timeout' });
    expect((await childrenOf(id))[0]).toMatchObject({ status: 'CANCELLED' });
    expect(ended.completedAt! - ended.startedAt).toBeLessThan(2_000);
    expect(fixture.http.paths()).toEqual(['pay', 'undo-pay']);
  });

  it('that succeed although their time is over have succeeded', async () => {
    await store(child(task('pay')));
    fixture.http.reply = () => ({ afterMillis: 1_000 });
    const id = await fixture.submit(engine, parent(workflow('sub', { timeoutMillis: 1_000 })));
    const ended = await fixture.until(id);
    const [sub] = await childrenOf(id);
    expect([sub!.status, ended.status]).toEqual(
      sub!.status === 'SUCCEEDED' ? ['SUCCEEDED', 'SUCCEEDED'] : ['CANCELLED', 'FAILED'],
    );
  });

  it('are compensated by a call of the node instead', async () => {
    await store(child(task('pay')));
    fixture.http.reply = (path) => (path === 'last' ? { status: 400 } : {});
    const call = { url: 'http://mock/refund', verb: 'POST', body: { of: '{{nodes.sub.child.id}}' } };
    const id = await fixture.submit(
      engine,
      parent(workflow('sub', { compensation: call, next: 'last' }), task('last')),
    );
    expect(await fixture.until(id)).toMatchObject({ status: 'FAILED' });
    const [sub] = await childrenOf(id);
    expect(sub).toMatchObject({ status: 'SUCCEEDED' });
    expect(fixture.http.paths()).toEqual(['pay', 'last', 'refund']);
    expect(fixture.http.calls.at(-1)!.request.body).toBe(JSON.stringify({ of: sub!.id }));
    expect(fixture.http.calls.at(-1)!.request.headers['trama-compensates']).toBe(`${id}:1:sub:1:UP`);
  });

  it('of unknown outcome have their compensations run again', async () => {
    await store(child(task('pay', { next: 'box' }), task('box')));
    fixture.http.reply = (path, _request, nth) => {
      if (path === 'box') return { status: 400 };
      return path === 'undo-pay' && nth <= 1 ? { status: 400 } : {};
    };
    const id = await fixture.submit(engine, parent(workflow('sub')));
    const ended = await fixture.until(id);
    const [sub] = await childrenOf(id);
    expect(sub).toMatchObject({ status: 'FAILED' });
    expect(ended).toMatchObject({ status: 'FAILED', reason: 'child' });
    expect(await fixture.rows(id)).toEqual(['WORKFLOW:sub:succeeded', 'WORKFLOW:sub:unknown', 'DOWN:sub:succeeded']);
    expect(fixture.http.paths()).toEqual(['pay', 'box', 'undo-pay', 'undo-pay']);
  });

  it('that cannot be taken back leave the parent CORRUPTED; its retry tries again', async () => {
    await store(child(task('pay', { next: 'box' }), task('box')));
    fixture.http.reply = (path, _request, nth) => {
      if (path === 'box') return { status: 400 };
      return path === 'undo-pay' && nth <= 2 ? { status: 400 } : {};
    };
    const id = await fixture.submit(engine, parent(workflow('sub')));
    const ended = await fixture.until(id);
    expect(ended).toMatchObject({ status: 'CORRUPTED', reason: 'compensation' });
    expect((await childrenOf(id))[0]).toMatchObject({ status: 'CORRUPTED' });
    expect(fixture.http.paths()).toEqual(['pay', 'box', 'undo-pay', 'undo-pay']);
    await fixture.retry(engine, id);
    expect(await fixture.until(id)).toMatchObject({ status: 'FAILED' });
    expect((await childrenOf(id))[0]).toMatchObject({ status: 'FAILED' });
    expect(fixture.http.paths().slice(4)).toEqual(['undo-pay']);
  });

  it('deeper than ten are not started', async () => {
    await store(graph([workflow('sub', { definition: { name: 'self', version: 'latest' } })], { name: 'self' }));
    const id = await fixture.submit(
      engine,
      parent(workflow('sub', { definition: { name: 'self', version: 'latest' } })),
    );
    expect(await fixture.until(id)).toMatchObject({ status: 'FAILED', reason: 'child' });
    let depth = 1;
    for (let at: string | undefined = id; at !== undefined; depth++) at = (await childrenOf(at))[0]?.id;
    expect(depth - 1).toBe(10);
  });

  it('are started once and their ends are not lost, whatever the store does not answer', async () => {
    await store(child(task('pay', { next: 'box' }), task('box')));
    fixture.http.reply = (path) => (path === 'last' ? { status: 400 } : {});
    const definition = parent(workflow('sub', { next: 'last' }), task('last'));
    for (const fault of ['silent', 'away'] as const) {
      for (let nth = 1; nth <= 40; nth++) {
        const before = fixture.store.seen.length;
        fixture.store.fault = (operation) =>
          operation !== 'beat' && operation !== 'findDue' && fixture.store.seen.length - before === nth
            ? fault
            : undefined;
        const from = fixture.http.calls.length;
        const id = await fixture.submit(engine, definition).catch(() => undefined);
        if (id === undefined) continue;
        expect(await fixture.until(id)).toMatchObject({ status: 'FAILED' });
        const children = await childrenOf(id);
        expect(
          children.map(({ status }) => status),
          `${fault} ${String(nth)}`,
        ).toEqual(['CANCELLED']);
        const made = new Set(fixture.http.keys().slice(from));
        expect(made.size).toBe(5);
      }
    }
  });

  it('continue the trace of their parent below the visit that started them', async () => {
    const spans: Span[] = [];
    fixture.telemetry.tracer = { samples: () => true, record: (span) => spans.push(span) };
    await store(child(task('pay')));
    const id = await fixture.submit(engine, parent(workflow('sub')));
    await fixture.until(id);
    const of = (name: string, node?: string) =>
      spans.find((span) => span.name === name && (node === undefined || span.attributes['node.id'] === node));
    const roots = spans.filter(({ name }) => name === 'saga.execute');
    const root = roots.find(({ attributes }) => attributes['saga.id'] === id);
    const below = roots.find(({ attributes }) => attributes['saga.id'] !== id);
    const visit = of('node.execute', 'sub');
    expect(visit).toMatchObject({ parentSpanId: root!.spanId, attributes: { visit: 1, outcome: 'succeeded' } });
    expect(below).toMatchObject({ parentSpanId: visit!.spanId, traceId: root!.traceId });
    expect(of('node.execute', 'pay')).toMatchObject({ parentSpanId: below!.spanId, traceId: root!.traceId });
    expect(fixture.http.calls[0]!.request.headers['traceparent']).toContain(root!.traceId);
  });

  it(
    'are stored once, taken back once and awaited, whichever operation of the store the process dies in',
    { timeout: 180_000 },
    async () => {
      await fixture.close();
      let deaths = 0;
      for (const survives of [false, true]) {
        for (let nth = 1; nth <= 24; nth++) {
          fixture = new RuntimeFixture();
          const process = { isDead: false };
          const dying = await fixture.engine({}, true, (queue) => cut(queue, () => process.isDead));
          await store(child(task('pay')));
          fixture.http.reply = (path) => (path === 'last' ? { status: 400 } : {});
          const id = await fixture.submit(dying, parent(workflow('sub', { next: 'last' }), task('last')));
          const before = fixture.store.seen.length;
          const never = new Promise<void>(() => undefined);
          fixture.store.fault = (operation) => {
            if (process.isDead || operation === 'beat' || fixture.store.seen.length - before < nth) return undefined;
            process.isDead = true;
            deaths++;
            return survives ? 'silent' : never;
          };
          for (let waited = 0; waited < 500 && !process.isDead; waited++) await fixture.clock.advance(1);
          // It was over before so many operations.
          if (!process.isDead) fixture.store.fault = () => undefined;
          const second = await fixture.engine();
          const ended = await fixture.until(id, 'over', 120_000);
          fixture.store.fault = () => undefined;
          expect([nth, ended.status]).toEqual([nth, 'FAILED']);
          expect((await childrenOf(id)).map(({ status }) => status)).toEqual(['CANCELLED']);
          // A failing call that was interrupted is of unknown outcome, and is undone.
          const paths = fixture.http.paths();
          const keys = fixture.http.keys().filter((_, i) => paths[i] !== 'undo-last');
          expect(new Set(keys).size).toBe(3);
          expect(second.load().held).toBe(0);
          await fixture.clock.advance(1_000);
          process.isDead = false;
          await fixture.close();
        }
      }
      expect(deaths).toBeGreaterThan(30);
      fixture = new RuntimeFixture();
    },
  );
});
