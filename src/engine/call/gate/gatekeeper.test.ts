import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chain, graph, RuntimeFixture, task } from '../../../../test/runtime-fixture.ts';
import type { JsonObject } from '../../../core/value/json.ts';
import { currentNodes } from '../../../core/summary.ts';
import type { CurrentNode } from '../../../core/summary.ts';
import { waitsOf } from '../../../core/waits.ts';
import { StoreUnavailable } from '../../../ports/store.ts';
import type { Engine } from '../../engine.ts';
import { Pulse } from '../../service.ts';
import type { GatedCall } from './call-gate.ts';
import { type CallHold, changeHolds } from './call-holds.ts';
import { Gatekeeper, type GatekeeperParts } from './gatekeeper.ts';

let fixture: RuntimeFixture;
let gate: Gatekeeper;
beforeEach(() => {
  fixture = new RuntimeFixture();
});
afterEach(() => fixture.close());

async function start(more: Partial<GatekeeperParts> = {}): Promise<Engine> {
  await fixture.store.open();
  const { clock, entropy, telemetry, store } = fixture;
  gate = new Gatekeeper({
    clock,
    entropy,
    telemetry,
    store,
    mask: (text) => text,
    circuits: { failureThreshold: 3, openMillis: 10_000 },
    maxConcurrency: 256,
    workerCount: 256,
    overrides: {},
    ...more,
  });
  fixture.gate = gate;
  const engine = await fixture.engine(more.workerCount === undefined ? {} : { workerCount: more.workerCount });
  await fixture.clock.advance(0);
  return engine;
}

async function hold(...holds: readonly Omit<CallHold, 'reason' | 'createdAt'>[]): Promise<void> {
  const now = fixture.clock.now();
  await changeHolds(fixture.store, now, () =>
    holds.map((each) => ({ reason: 'bank closed', createdAt: now, ...each })),
  );
  gate.holdsChanged();
  await fixture.clock.advance(0);
}

async function waiting(id: string): Promise<readonly CurrentNode[]> {
  const { state, definitionHash } = await fixture.detail(id);
  return currentNodes(fixture.plans.peek(definitionHash)!, state);
}

function settings(): GatekeeperParts['store'] {
  const { store } = fixture;
  return {
    getSetting: (key) => store.getSetting(key),
    initSetting: (key, value) => store.initSetting(key, value),
    changeSetting: (key, from, to) => store.changeSetting(key, from, to),
  };
}

const retrying = (maxAttempts: number): JsonObject => ({
  failureHandling: { type: 'retry', maxAttempts, delayMillis: 100 },
});

describe('a hold', () => {
  it('lets calls of its definition wait and spends no attempt; lifted, they go on', async () => {
    const engine = await start();
    await hold({ id: 'h', name: 'test' });
    const id = await fixture.submit(engine, chain('a', 'b'));
    await fixture.clock.advance(3_600_000);
    expect(fixture.http.calls).toEqual([]);
    const [node] = await waiting(id);
    expect(node).toMatchObject({ nodeId: 'a', state: 'BLOCKED', attempt: 1, detail: 'held: bank closed' });
    expect(node!.until! - fixture.clock.now()).toBeLessThanOrEqual(30_000);
    expect(fixture.clock.now() - node!.since).toBeGreaterThan(3_500_000);
    expect(engine.load().held).toBe(0);
    // With authentication a hold says who placed it.
    await hold({ id: 'h', name: 'test', actor: 'key:alice' });
    await fixture.clock.advance(60_000);
    expect((await waiting(id))[0]?.detail).toBe('held by key:alice: bank closed');
    expect(waitsOf((await fixture.detail(id)).state)).toEqual([{ nodeId: 'a', state: 'BLOCKED', host: 'mock:80' }]);
    await hold();
    await fixture.clock.advance(1_000);
    expect((await fixture.detail(id)).status).toBe('SUCCEEDED');
    expect(fixture.http.calls.map(({ request }) => request.headers['trama-attempt'])).toEqual(['1', '1']);
    const { items } = await fixture.store.listCalls(id, { limit: 10 });
    expect(items.map(({ attempt }) => attempt)).toEqual([1, 1]);
    // The attempt that ended the wait tells of it.
    expect(items.map(({ waited }) => waited)).toEqual([
      { since: node!.since, cause: 'hold', host: 'mock:80', holdId: 'h' },
      undefined,
    ]);
  });

  it('of one version leaves the others alone, as one of another host or port does', async () => {
    const engine = await start();
    await hold({ id: 'v', name: 'test', version: '2' }, { id: 'h', host: 'other' }, { id: 'p', host: 'mock:81' });
    expect((await fixture.until(await fixture.submit(engine, chain('a')))).status).toBe('SUCCEEDED');
  });

  it.each(['mock', 'mock:80'])('on the host %s ends by itself at its time', async (host) => {
    const engine = await start();
    const end = fixture.clock.now() + 60_000;
    await hold({ id: 'h', host, until: end });
    const id = await fixture.submit(engine, chain('a'));
    await fixture.clock.advance(59_000);
    expect((await waiting(id))[0]?.state).toBe('BLOCKED');
    await fixture.clock.advance(3_000);
    expect((await fixture.detail(id)).status).toBe('SUCCEEDED');
  });

  it('is heard of within three seconds when another process placed it, and survives a restart', async () => {
    const engine = await start();
    const now = fixture.clock.now();
    await changeHolds(fixture.store, now, () => [{ id: 'h', host: 'mock', reason: 'x', createdAt: now }]);
    await fixture.clock.advance(3_100);
    const id = await fixture.submit(engine, chain('a'));
    await fixture.clock.advance(1_000);
    await fixture.close();
    const next = await start();
    await fixture.clock.advance(120_000);
    expect(next.load().held).toBe(0);
    expect(fixture.http.calls).toEqual([]);
    await hold();
    expect((await fixture.until(id, 'over', 2_000)).status).toBe('SUCCEEDED');
  });

  it('is not slipped past by a call that comes before the holds could be read', async () => {
    await fixture.store.open();
    const now = fixture.clock.now();
    await changeHolds(fixture.store, now, () => [{ id: 'h', host: 'mock', reason: 'x', createdAt: now }]);
    let isAway = true;
    const getSetting = (key: string): Promise<string | undefined> =>
      isAway ? Promise.reject(new StoreUnavailable('unreachable', 'gone')) : fixture.store.getSetting(key);
    const engine = await start({ store: { ...settings(), getSetting } });
    const id = await fixture.submit(engine, chain('a'));
    await fixture.clock.advance(5_000);
    expect((await waiting(id))[0]?.detail).toBe('held: until the holds have been read');
    isAway = false;
    await fixture.clock.advance(5_000);
    expect((await waiting(id))[0]?.detail).toBe('held: x');
    expect(fixture.http.calls).toEqual([]);
  });

  it('has nothing to compensate when the execution is cancelled, terminated or out of time', async () => {
    const engine = await start();
    await hold({ id: 'h', host: 'mock' });
    const [cancelled, terminated, late] = [
      await fixture.submit(engine, chain('a')),
      await fixture.submit(engine, chain('a')),
      await fixture.submit(engine, graph([task('a')], { timeoutMillis: 5_000 })),
    ];
    await fixture.clock.advance(1_000);
    await fixture.offer(engine, cancelled, { type: 'cancelled', inboxId: '1' });
    await fixture.offer(engine, terminated, { type: 'terminated', inboxId: '2' });
    expect((await fixture.until(cancelled)).status).toBe('CANCELLED');
    expect((await fixture.until(terminated)).status).toBe('TERMINATED');
    expect(await fixture.until(late)).toMatchObject({ status: 'FAILED', reason: 'execution_timeout' });
    expect(fixture.http.calls).toEqual([]);
    for (const id of [cancelled, terminated, late]) {
      expect(await fixture.rows(id)).toEqual(['UP:a:unsent']);
      expect(await fixture.store.listEffects(id, 10)).toEqual([]);
    }
  });

  it('keeps what is known of earlier attempts', async () => {
    const engine = await start();
    fixture.http.reply = (path) => (path === 'a' ? { status: 500 } : {});
    const definition = graph([task('a', { compensateWhen: 'attempted' })], retrying(5));
    const id = await fixture.submit(engine, definition);
    await fixture.clock.advance(20);
    await hold({ id: 'h', host: 'mock' });
    await fixture.clock.advance(5_000);
    expect((await waiting(id))[0]).toMatchObject({ state: 'BLOCKED', attempt: 2 });
    await fixture.offer(engine, id, { type: 'cancelled', inboxId: '1' });
    await fixture.clock.advance(100);
    expect((await waiting(id))[0]).toMatchObject({ state: 'BLOCKED', nodeId: 'a', detail: 'held: bank closed' });
    await hold();
    expect((await fixture.until(id)).status).toBe('CANCELLED');
    expect(fixture.http.paths()).toEqual(['a', 'undo-a']);
    expect(await fixture.rows(id)).toEqual(['UP:a:rejected', 'DOWN:a:succeeded']);
  });

  it('can be worked around by settling the node by hand', async () => {
    const engine = await start();
    await hold({ id: 'h', host: 'mock' });
    const id = await fixture.submit(engine, chain('a'));
    await fixture.clock.advance(1_000);
    const settled = {
      type: 'resolved',
      inboxId: '1',
      nodeId: 'a',
      phase: 'UP',
      outcome: 'succeeded',
      reason: 'x',
    } as const;
    expect(await fixture.offer(engine, id, settled)).toBe('accepted');
    expect((await fixture.until(id)).status).toBe('SUCCEEDED');
    expect(fixture.http.calls).toEqual([]);
    expect(await fixture.rows(id)).toEqual(['RESOLVE:a:succeeded', 'UP:a:succeeded']);
  });

  it('lets a branch wait while the others go on', async () => {
    const engine = await start();
    await hold({ id: 'h', host: 'closed' });
    const closed = { request: { url: 'http://closed/b', verb: 'POST' } };
    const id = await fixture.submit(
      engine,
      graph([
        { kind: 'split', id: 's', branches: ['a', 'b'], join: 'j' },
        task('a', { next: 'j' }),
        task('b', { next: 'j', action: closed }),
        { kind: 'join', id: 'j' },
      ]),
    );
    await fixture.clock.advance(10_000);
    expect((await waiting(id)).map(({ nodeId, state }) => `${nodeId} ${state}`)).toEqual(['j JOINING', 'b BLOCKED']);
    await hold();
    expect((await fixture.until(id)).status).toBe('SUCCEEDED');
  });

  it('lets a hook wait as long as it stands, and then gives it all of its time', async () => {
    const engine = await start();
    await hold({ id: 'h', host: 'hooks' });
    fixture.http.reply = (path, _request, nth) => ({ status: path === 'done' && nth === 1 ? 500 : 200 });
    const hook = { url: 'http://hooks/done', verb: 'POST' };
    const id = await fixture.submit(engine, graph([task('a')], { onSuccessCallback: hook, ...retrying(1) }));
    await fixture.clock.advance(600_000);
    expect((await waiting(id))[0]).toMatchObject({ nodeId: 'onSuccessCallback', state: 'BLOCKED', attempt: 1 });
    await hold();
    const over = await fixture.until(id);
    expect([over.status, over.callbackWarning]).toEqual(['SUCCEEDED', undefined]);
    expect(fixture.http.paths()).toEqual(['a', 'done', 'done']);
  });
});

describe('a circuit', () => {
  it('opens after failures in a row, lets one probe through, and closes; waiting spends no attempt', async () => {
    const engine = await start();
    let isDown = true;
    fixture.http.reply = () => ({ status: isDown ? 503 : 200 });
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) ids.push(await fixture.submit(engine, graph([task('a')], retrying(3))));
    await fixture.clock.advance(5_000);
    // Three calls opened it; calls that were out by then came to their end.
    const calls = fixture.http.calls.length;
    expect(calls).toBeLessThanOrEqual(5);
    for (const id of ids) {
      expect((await waiting(id))[0]).toMatchObject({ state: 'BLOCKED', detail: 'circuit of http://mock:80 open' });
    }
    expect(gate.circuits()).toMatchObject([{ host: 'http://mock:80', isOpen: true }]);
    await fixture.clock.advance(10_000);
    expect(fixture.http.calls.length).toBe(calls + 1);
    isDown = false;
    // The probe failed, so that it is open for twice as long.
    await fixture.clock.advance(10_000);
    expect(fixture.http.calls.length).toBe(calls + 1);
    for (const id of ids) {
      const over = await fixture.until(id, 'over', 15_000);
      expect(over.status).toBe('SUCCEEDED');
    }
    expect(gate.circuits()).toEqual([{ host: 'http://mock:80', isOpen: false }]);
    expect(fixture.logs.map(({ message }) => message).filter((text) => text.startsWith('circuit'))).toEqual([
      'circuit opened',
      'circuit opened',
      'circuit closed',
    ]);
    const attempts = await Promise.all(ids.map((id) => fixture.store.listCalls(id, { limit: 100 })));
    expect(attempts.flatMap(({ items }) => items)).toHaveLength(fixture.http.calls.length);
  });

  it('names no host that comes from data, until a definition names it', async () => {
    const engine = await start({ circuits: { failureThreshold: 1, openMillis: 10_000 } });
    fixture.http.reply = () => ({ status: 500 });
    const saga = (url: string): JsonObject =>
      graph([task('a', { compensation: false, action: { request: { url, verb: 'POST' } } })]);
    for (const host of ['canary-1', 'canary-2']) {
      const payload = { url: `http://${host}/a` };
      await fixture.until(await fixture.submit(engine, saga('{{payload.url}}'), { payload }));
    }
    expect(gate.circuits()).toEqual([{ host: '(data)', isOpen: true, waitMillis: expect.any(Number) }]);
    expect(JSON.stringify(fixture.logs)).not.toContain('canary');
    const blocked = await fixture.submit(engine, saga('http://canary-1/a'));
    await fixture.clock.advance(10);
    // Those who may read the execution see it.
    expect((await waiting(blocked))[0]).toMatchObject({ detail: 'circuit of http://canary-1:80 open' });
    expect(gate.circuits().map(({ host }) => host)).toEqual(['http://canary-1:80', '(data)']);
  });

  it('counts what fails at one port only, and not what a healthy host refuses', async () => {
    const engine = await start();
    fixture.http.reply = (path) => ({ status: path === 'no' ? 404 : path === 'bad' ? 500 : 200 });
    const bad = { request: { url: 'http://mock:81/bad', verb: 'POST' } };
    for (let i = 0; i < 4; i++) await fixture.until(await fixture.submit(engine, chain('no')));
    for (let i = 0; i < 3; i++) await fixture.until(await fixture.submit(engine, graph([task('b', { action: bad })])));
    expect(gate.circuits().map(({ host }) => host)).toEqual(['http://mock:81']);
    expect((await fixture.until(await fixture.submit(engine, chain('a')))).status).toBe('SUCCEEDED');
  });

  it.each([
    { error: 'timeout', sent: true },
    { error: 'connect', sent: true },
    { error: 'connect', sent: false },
  ] as const)('opens for $error, sent: $sent', async (reply) => {
    const engine = await start();
    fixture.http.reply = () => reply;
    for (let i = 0; i < 3; i++)
      await fixture.until(await fixture.submit(engine, graph([task('a', { compensation: false })])));
    expect(gate.circuits()).toHaveLength(1);
  });

  it('keeps a hook waiting no longer than hooks may take', async () => {
    const engine = await start({ circuits: { failureThreshold: 1, openMillis: 10_000 } });
    fixture.http.reply = (path) => ({ status: path === 'done' ? 500 : 200 });
    const hook = { url: 'http://hooks/done', verb: 'POST' };
    const id = await fixture.submit(engine, graph([task('a')], { onSuccessCallback: hook, ...retrying(1_000) }));
    await fixture.clock.advance(90_000);
    const over = await fixture.detail(id);
    expect(over.status).toBe('SUCCEEDED');
    expect(over.callbackWarning).toContain('circuit of http://hooks:80 open');
    expect((await fixture.rows(id)).at(-1)).toBe('HOOK:onSuccessCallback:unsent');
  });
});

describe('a blocked call', () => {
  it('is tried again at a whole millisecond, which every store can keep', async () => {
    fixture.gate = {
      pulse: new Pulse('gate', fixture.clock),
      start: () => Promise.resolve(),
      stop: () => Promise.resolve(),
      ended: () => undefined,
      keepOnly: () => undefined,
      enter: () => ({ kind: 'blocked', cause: 'circuit', until: fixture.clock.now() + 10.25, detail: 'x' }),
    };
    const engine = await fixture.engine();
    const id = await fixture.submit(engine, chain('a'));
    const [node] = await waiting(id);
    expect(node?.state).toBe('BLOCKED');
    expect(Number.isInteger(node?.until)).toBe(true);
  });
});

describe('places at a host', () => {
  it('are waited for, first in memory and then parked, without an attempt', async () => {
    const engine = await start({ maxConcurrency: 5, overrides: { mock: 3, 'mock:80': 1 } });
    fixture.http.reply = () => 'hold';
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.push(await fixture.submit(engine, chain('a')));
    await fixture.clock.advance(500);
    expect(fixture.http.calls).toHaveLength(1);
    expect((await waiting(ids[1]!))[0]?.state).toBe('CALLING');
    await fixture.clock.advance(700);
    expect((await waiting(ids[1]!))[0]).toMatchObject({
      state: 'BLOCKED',
      attempt: 1,
      detail: 'waits for a free place at mock:80: all 1 are taken',
    });
    for (let i = 0; i < 3; i++) {
      fixture.http.calls[i]!.answer({});
      await fixture.clock.advance(2_000);
    }
    for (const id of ids) expect((await fixture.detail(id)).status).toBe('SUCCEEDED');
    expect(fixture.http.calls.map(({ request }) => request.headers['trama-attempt'])).toEqual(['1', '1', '1']);
  });

  it('go to no call whose execution has begun to fail while waiting', async () => {
    const engine = await start({ maxConcurrency: 1 });
    fixture.http.reply = (path) => (path === 'no' ? { status: 422, afterMillis: 200 } : 'hold');
    const first = await fixture.submit(engine, chain('a'));
    const no = { request: { url: 'http://other/no', verb: 'POST' } };
    const second = await fixture.submit(
      engine,
      graph([
        { kind: 'split', id: 's', branches: ['b', 'c'], join: 'j' },
        task('b', { next: 'j', action: no }),
        task('c', { next: 'j' }),
        { kind: 'join', id: 'j' },
      ]),
    );
    await fixture.clock.advance(500);
    fixture.http.calls[0]!.answer({});
    expect((await fixture.until(first)).status).toBe('SUCCEEDED');
    expect((await fixture.until(second)).status).toBe('FAILED');
    expect(fixture.http.paths()).toEqual(['a', 'no']);
    expect(await fixture.rows(second)).toEqual(['SPLIT:s:succeeded', 'UP:b:rejected', 'UP:c:unsent']);
  });

  it('go to no call of an execution that was terminated while waiting', async () => {
    const engine = await start({ maxConcurrency: 1 });
    fixture.http.reply = () => 'hold';
    const first = await fixture.submit(engine, chain('a'));
    const second = await fixture.submit(engine, chain('a'));
    await fixture.clock.advance(100);
    await fixture.offer(engine, second, { type: 'terminated', inboxId: '1' });
    expect((await fixture.until(second)).status).toBe('TERMINATED');
    fixture.http.calls[0]!.answer({});
    expect((await fixture.until(first)).status).toBe('SUCCEEDED');
    const third = await fixture.submit(engine, chain('a'));
    await fixture.clock.advance(100);
    fixture.http.calls[1]!.answer({});
    expect((await fixture.until(third)).status).toBe('SUCCEEDED');
    expect(fixture.http.calls).toHaveLength(2);
  });
});

describe('hosts from data', () => {
  const call = (url: string): GatedCall => ({ executionId: 'e', tokenId: 0, name: 'n', version: '1', url });
  const ask = (url: string, outcome: 'answered' | 'failed'): string => {
    const answer = gate.enter(call(url));
    if (answer.kind === 'open') answer.done(outcome);
    return answer.kind;
  };

  it.each(['answered', 'failed'] as const)(
    'that %s and are never called again do not keep others out',
    async (outcome) => {
      await start();
      for (let i = 0; i < 3000; i++) ask(`http://made-up-${String(i)}.example/`, outcome);
      // The circuit of a host that comes after them works.
      for (let i = 0; i < 3; i++) expect(ask('http://bank.example/', 'failed')).toBe('open');
      expect(ask('http://bank.example/', 'failed')).toBe('blocked');
    },
  );

  it('whose circuit is open are not forgotten for others', async () => {
    await start();
    for (let i = 0; i < 3; i++) ask('http://bank.example/', 'failed');
    for (let i = 0; i < 3000; i++) ask(`http://made-up-${String(i)}.example/`, 'failed');
    expect(ask('http://bank.example/', 'failed')).toBe('blocked');
  });

  it('too long for a name are not remembered', async () => {
    await start();
    const url = `http://${'x.'.repeat(500)}example/`;
    for (let i = 0; i < 4; i++) expect(ask(url, 'failed')).toBe('open');
  });
});
