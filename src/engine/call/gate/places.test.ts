/** Places at hosts: who gets them, in what order, and what becomes of the executions that wait for one. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { graph, RuntimeFixture, task } from '../../../../test/runtime-fixture.ts';
import type { JsonObject } from '../../../core/value/json.ts';
import { blockedOf } from '../../../core/call/attempting.ts';
import type { Engine } from '../../engine.ts';
import { Pulse } from '../../service.ts';
import { Gatekeeper, type GatekeeperParts } from './gatekeeper.ts';

let fixture: RuntimeFixture;
let gate: Gatekeeper;
beforeEach(() => {
  fixture = new RuntimeFixture();
});
afterEach(() => fixture.close());

/** An engine with that many places, of which one host gets half. */
async function start(workerCount: number, more: Partial<GatekeeperParts> = {}): Promise<Engine> {
  await fixture.store.open();
  const { clock, entropy, telemetry, store } = fixture;
  const maxConcurrency = Math.max(1, Math.floor(workerCount / 2));
  const parts = { clock, entropy, telemetry, store, mask: (text: string) => text, overrides: {} };
  gate = new Gatekeeper({ ...parts, maxConcurrency, workerCount, ...more });
  fixture.gate = gate;
  const engine = await fixture.engine({ workerCount, prefetch: workerCount });
  await fixture.clock.advance(0);
  return engine;
}

/** One call to a host, or several in a row. */
const calling = (host: string, ...paths: readonly string[]): JsonObject =>
  graph(
    paths.map((path, i) =>
      task(path, {
        action: { request: { url: `http://${host}/${path}`, verb: 'POST' } },
        compensation: false,
        ...(paths[i + 1] === undefined ? {} : { next: paths[i + 1]! }),
      }),
    ),
  );

/** Executions loaded so far. */
function loads(): number {
  const takeOvers = fixture.store.seen.filter(({ operation }) => operation === 'takeOver');
  return takeOvers.reduce((sum, { args }) => sum + (args[0] as readonly unknown[]).length, 0);
}

const statusOf = async (id: string): Promise<string> => (await fixture.detail(id)).status;

describe('a host that never answers', () => {
  it.each([
    [2, 10],
    [4, 5],
    [4, 200],
    [16, 100],
    [64, 500],
  ])('leaves places to the others: %i places, %i calls to it before', async (places, silent) => {
    const engine = await start(places);
    fixture.http.reply = (_path, { url }) => (url.startsWith('http://silent') ? 'hold' : {});
    for (let i = 0; i < silent; i++) await fixture.submit(engine, calling('silent', 'a'));
    const others: string[] = [];
    for (let i = 0; i < 20; i++) others.push(await fixture.submit(engine, calling('quick', 'b', 'c')));
    await fixture.clock.advance(2_000);
    expect(await Promise.all(others.map(statusOf))).toEqual(others.map(() => 'SUCCEEDED'));
    const out = fixture.http.calls.filter(({ request }) => request.url.startsWith('http://silent'));
    expect(out).toHaveLength(places / 2);
    // What waits for a place holds none.
    expect(engine.load().held).toBe(places / 2);
    expect(engine.load().places).toEqual({
      calling: places / 2,
      host: 0,
      loading: 0,
      store: 0,
      other: 0,
      free: places / 2,
    });
    expect(gate.blocked).toEqual({ hold: 0, circuit: 0, slots: silent - places / 2 });
    expect(gate.fullHosts()).toEqual([{ host: 'http://silent:80', calls: places / 2, waiting: silent - places / 2 }]);
    expect(engine.health()).toEqual({ alive: true, unready: [], stalled: [] });
  });

  it('costs little while many wait for it', async () => {
    const engine = await start(8);
    fixture.http.reply = () => 'hold';
    for (let i = 0; i < 1_000; i++) await fixture.submit(engine, calling('silent', 'a'));
    await fixture.clock.advance(20_000);
    const before = loads();
    await fixture.clock.advance(10_000);
    // Together they look a hundred times in a second; by themselves each would look every five seconds.
    expect(loads() - before).toBeLessThanOrEqual(1_250);
    expect(engine.load().held).toBe(4);
  });
});

describe('a token endpoint that never answers', () => {
  const withToken = (host: string): JsonObject => {
    const auth = {
      type: 'oauth2ClientCredentials',
      tokenUrl: 'https://login.example/token',
      clientIdSecret: 'ID',
      clientSecretSecret: 'SECRET',
    };
    const action = { request: { url: `http://${host}/a`, verb: 'POST', auth } };
    return graph([task('a', { action, compensation: false })]);
  };
  beforeEach(() => {
    fixture.secrets.set('ID', 'x').set('SECRET', 'y');
  });

  it.each([4, 16])('leaves places to the others, whatever hosts the calls are for: %i places', async (places) => {
    const engine = await start(places);
    let isSilent = true;
    fixture.http.reply = (path) => {
      if (path === 'token') return isSilent ? 'hold' : { body: { access_token: 'token', token_type: 'Bearer' } };
      return {};
    };
    const ids: string[] = [];
    for (let i = 0; i < 40; i++) ids.push(await fixture.submit(engine, withToken(`host-${String(i % 10)}`)));
    const others: string[] = [];
    for (let i = 0; i < 20; i++) others.push(await fixture.submit(engine, calling('quick', 'b', 'c')));
    await fixture.clock.advance(2_000);
    expect(await Promise.all(others.map(statusOf))).toEqual(others.map(() => 'SUCCEEDED'));
    expect(gate.fullHosts()).toMatchObject([{ host: 'https://login.example:443', calls: places / 2 }]);
    expect(gate.blocked.slots).toBe(40 - places / 2);
    // It takes a place until the token is there, and no longer.
    isSilent = false;
    fixture.http.calls
      .find(({ request }) => request.url.endsWith('/token'))!
      .answer({
        body: { access_token: 'token', token_type: 'Bearer' },
      });
    await fixture.clock.advance(5_000);
    expect(await Promise.all(ids.map(statusOf))).toEqual(ids.map(() => 'SUCCEEDED'));
    expect(gate.blocked.slots).toBe(0);
    expect(engine.load().held).toBe(0);
  });

  it('needs no second place at a host that is that of the call, too', async () => {
    const engine = await start(2);
    fixture.http.reply = (path) => (path === 'token' ? { body: { access_token: 'token', token_type: 'Bearer' } } : {});
    const action = {
      request: {
        url: 'http://same/a',
        verb: 'POST',
        auth: {
          type: 'oauth2ClientCredentials',
          tokenUrl: 'http://same/token',
          clientIdSecret: 'ID',
          clientSecretSecret: 'SECRET',
        },
      },
    };
    const id = await fixture.submit(engine, graph([task('a', { action, compensation: false })]));
    expect((await fixture.until(id)).status).toBe('SUCCEEDED');
  });

  it('holds no place for a call that finds none at its own host', async () => {
    const engine = await start(4, { overrides: { busy: 1 } });
    fixture.http.reply = (path) => {
      if (path === 'token') return { body: { access_token: 'token', token_type: 'Bearer', expires_in: 0 } };
      return path === 'first' ? 'hold' : {};
    };
    await fixture.submit(engine, calling('busy', 'first'));
    for (let i = 0; i < 6; i++) await fixture.submit(engine, withToken('busy'));
    await fixture.clock.advance(3_000);
    expect(gate.fullHosts()).toMatchObject([{ host: 'http://busy:80', calls: 1 }]);
    const id = await fixture.submit(engine, withToken('quick'));
    expect((await fixture.until(id)).status).toBe('SUCCEEDED');
    fixture.http.calls[0]!.answer({});
    await fixture.clock.advance(10_000);
    expect(engine.load().held).toBe(0);
    expect(gate.blocked.slots).toBe(0);
  });
});

describe('places that become free', () => {
  it('go to those that have waited longest, whatever calls come meanwhile', async () => {
    const engine = await start(4);
    fixture.http.reply = () => ({ afterMillis: 400 });
    const waiting: string[] = [];
    for (let i = 0; i < 12; i++) waiting.push(await fixture.submit(engine, calling('busy', `w${String(i)}`)));
    // A stream of newcomers that asks for more than the host has to give.
    for (let i = 0; i < 40; i++) {
      await fixture.submit(engine, calling('busy', `n${String(i)}`));
      await fixture.clock.advance(100);
    }
    const order = fixture.http.paths();
    const positions = waiting.map((_, i) => order.indexOf(`w${String(i)}`));
    expect(positions.every((position) => position >= 0 && position < 20)).toBe(true);
    for (let i = 0; i < 40; i++) await fixture.clock.advance(400);
    expect(fixture.http.calls).toHaveLength(52);
    const newcomers = fixture.http
      .paths()
      .filter((path) => path.startsWith('n'))
      .map((path) => Number(path.slice(1)));
    // No call is overtaken by many.
    for (const [at, nth] of newcomers.entries()) expect(Math.abs(at - nth)).toBeLessThanOrEqual(8);
    expect(gate.blocked).toEqual({ hold: 0, circuit: 0, slots: 0 });
  });

  it('go first to those that have waited longest, also where another process took over those that wait', async () => {
    const first = await start(4);
    fixture.http.reply = () => 'hold';
    for (let i = 0; i < 2; i++) await fixture.submit(first, calling('busy', 'x'));
    const old: string[] = [];
    for (let i = 0; i < 6; i++) {
      old.push(await fixture.submit(first, calling('busy', `old${String(i)}`)));
      await fixture.clock.advance(1_500);
    }
    await fixture.close();
    fixture.http.calls.length = 0;
    // The two that were under way go out again; those that wait look again by themselves, after newcomers have come.
    const second = await start(4);
    await fixture.clock.advance(100);
    for (let i = 0; i < 6; i++) {
      await fixture.submit(second, calling('busy', `new${String(i)}`));
      await fixture.clock.advance(1_500);
    }
    await fixture.clock.advance(30_000);
    for (let i = 0; i < fixture.http.calls.length; i++) {
      fixture.http.calls[i]!.answer({});
      await fixture.clock.advance(1_500);
    }
    const order = fixture.http.paths().filter((path) => path !== 'x');
    expect(order).toHaveLength(12);
    expect(order.slice(0, 6).toSorted()).toEqual(old.map((_, i) => `old${String(i)}`));
  });

  it('are kept busy by those that were parked', async () => {
    const engine = await start(8);
    fixture.http.reply = () => ({ afterMillis: 100 });
    for (let i = 0; i < 200; i++) await fixture.submit(engine, calling('busy', 'a'));
    const begun = fixture.clock.now();
    while (fixture.http.calls.length < 200) await fixture.clock.advance(50);
    // Four places with calls of 100 ms: 200 calls take 5 s where no place is ever idle.
    expect(fixture.clock.now() - begun).toBeLessThan(7_000);
  });

  it('let what has begun go on before what has not', async () => {
    const engine = await start(4);
    fixture.http.reply = () => ({ afterMillis: 100 });
    const ids: string[] = [];
    for (let i = 0; i < 60; i++) ids.push(await fixture.submit(engine, calling('busy', 'a', 'b', 'c')));
    let most = 0;
    while (fixture.http.calls.length < 180) {
      await fixture.clock.advance(100);
      const over = (await Promise.all(ids.map(statusOf))).filter((status) => status === 'SUCCEEDED').length;
      const begun = new Set(fixture.http.keys().map((key) => key.split(':')[0])).size;
      most = Math.max(most, begun - over);
    }
    // Not all sixty are half done at once.
    expect(most).toBeLessThan(30);
  });

  it('do not let a loop keep the others waiting for ever', async () => {
    const engine = await start(4);
    fixture.http.reply = () => ({ afterMillis: 50 });
    const loop = graph(
      [
        task('a', { action: { request: { url: 'http://busy/loop', verb: 'GET' } }, compensation: false, next: 'z' }),
        { kind: 'switch', id: 'z', cases: [{ when: { '==': [1, 1] }, target: 'a' }], default: 'end' },
        { kind: 'fail', id: 'end', reason: 'x' },
      ],
      { maxNodeVisits: 100_000 },
    );
    for (let i = 0; i < 6; i++) await fixture.submit(engine, loop);
    await fixture.clock.advance(1_000);
    const id = await fixture.submit(engine, calling('busy', 'one'));
    await fixture.clock.advance(10_000);
    expect(await statusOf(id)).toBe('SUCCEEDED');
  });

  it('are not lost with executions that end while they are called', async () => {
    const engine = await start(4);
    fixture.http.reply = (path) => (path === 'first' ? 'hold' : {});
    await fixture.submit(engine, calling('busy', 'first'));
    await fixture.submit(engine, calling('busy', 'first'));
    const ids: string[] = [];
    for (let i = 0; i < 10; i++) ids.push(await fixture.submit(engine, calling('busy', 'a')));
    await fixture.clock.advance(30_000);
    for (const [i, id] of ids.slice(0, 9).entries()) {
      await fixture.offer(engine, id, { type: 'terminated', inboxId: String(i) });
    }
    fixture.http.calls[0]!.answer({});
    await fixture.clock.advance(200);
    expect(await statusOf(ids[9]!)).toBe('SUCCEEDED');
    expect(gate.blocked.slots).toBe(0);
  });
});

describe('an execution that waits', () => {
  it('says for what', async () => {
    const engine = await start(4, { maxConcurrency: 1, mask: (text) => text.replaceAll('tenant', '***') });
    fixture.http.reply = () => 'hold';
    const details: (string | undefined)[] = [];
    for (const host of ['bank.example', 'bank.example:8443', 'tenant.example']) {
      for (let i = 0; i < 3; i++) await fixture.submit(engine, calling(host, 'a'));
      const id = await fixture.submit(engine, calling(host, 'a'));
      await fixture.clock.advance(2_000);
      const { state, status, round } = await fixture.detail(id);
      expect([status, round]).toEqual(['IN_PROGRESS', 1]);
      details.push(...state.tokens.map(({ stage }) => blockedOf(stage)?.detail));
    }
    expect(details).toEqual([
      'waits for a free place at bank.example:80: all 1 are taken',
      'waits for a free place at bank.example:8443: all 1 are taken',
      'waits for a free place at ***.example:80: all 1 are taken',
    ]);
  });

  it('counts under one cause, whatever its branches wait for', async () => {
    const engine = await start(8, { overrides: { slow: 1 } });
    const now = fixture.clock.now();
    const holds = JSON.stringify([{ id: 'h', host: 'held', reason: 'x', createdAt: now }]);
    await fixture.store.initSetting('operator.holds', holds);
    gate.holdsChanged();
    await fixture.clock.advance(100);
    fixture.http.reply = () => 'hold';
    await fixture.submit(engine, calling('slow', 'a'));
    const to = (host: string): JsonObject => ({ request: { url: `http://${host}/x`, verb: 'POST' } });
    const id = await fixture.submit(
      engine,
      graph([
        { kind: 'split', id: 's', branches: ['b', 'c', 'd'], join: 'j' },
        task('b', { next: 'j', action: to('held') }),
        task('c', { next: 'j', action: to('slow') }),
        task('d', { next: 'j', action: to('slow') }),
        { kind: 'join', id: 'j' },
      ]),
    );
    await fixture.clock.advance(5_000);
    expect(gate.blocked).toEqual({ hold: 1, circuit: 0, slots: 0 });
    await fixture.offer(engine, id, { type: 'terminated', inboxId: '1' });
    await fixture.clock.advance(1_000);
    expect(gate.blocked).toEqual({ hold: 0, circuit: 0, slots: 0 });
  });
});

it('a hook is tried once more at the end of its time, however late the gate would have it look again', async () => {
  await fixture.store.open();
  let tries = 0;
  fixture.gate = {
    pulse: new Pulse('gate', fixture.clock),
    start: () => Promise.resolve(),
    stop: () => Promise.resolve(),
    ended: () => undefined,
    keepOnly: () => undefined,
    enter: ({ url }) =>
      url?.startsWith('http://hooks') === true && tries++ === 0
        ? { kind: 'blocked', cause: 'slots', until: fixture.clock.now() + 300_000, detail: 'crowded' }
        : { kind: 'open', done: () => undefined },
  };
  const engine = await fixture.engine();
  const hook = { url: 'http://hooks/done', verb: 'POST' };
  const id = await fixture.submit(engine, graph([task('a')], { onSuccessCallback: hook }));
  const begun = fixture.clock.now();
  const over = await fixture.until(id, 'over', 70_000);
  expect([over.status, over.callbackWarning]).toEqual(['SUCCEEDED', undefined]);
  expect(fixture.http.paths()).toEqual(['a', 'done']);
  expect(fixture.clock.now() - begun).toBeGreaterThan(59_000);
});

it('hosts beyond those that are remembered share the places of one', async () => {
  await start(8);
  // One call to each of a thousand hosts, which are remembered while they are busy.
  for (let i = 0; i < 1_000; i++) {
    expect(
      gate.enter({ executionId: 'x', tokenId: i, name: 'n', version: '1', url: `http://h${String(i)}/` }).kind,
    ).toBe('open');
  }
  const kinds: string[] = [];
  for (let i = 0; i < 6; i++) {
    kinds.push(
      gate.enter({ executionId: 'y', tokenId: i, name: 'n', version: '1', url: `http://more${String(i)}/` }).kind,
    );
  }
  expect(kinds.filter((kind) => kind === 'open')).toHaveLength(4);
  expect(gate.fullHosts().map(({ host }) => host)).toContain('other hosts');
});

it('a host that is quick costs no loads, and leaves places to others as soon as it is silent', async () => {
  const engine = await start(32, { maxConcurrency: 8 });
  let isSilent = false;
  fixture.http.reply = (path) => (path === 'quick' ? {} : isSilent ? 'hold' : { afterMillis: 40 });
  // More than places and the lobby have room for, as they come from a busy process.
  const submit = (): void => {
    for (let i = 0; i < 30; i++) fixture.submitting(engine, calling('busy', 'a', 'b', 'c'));
  };
  for (let i = 0; i < 3; i++) await fixture.until(await fixture.submit(engine, calling('busy', 'a', 'b', 'c')));
  for (let i = 0; i < 5; i++) {
    for (let j = 0; j < 8; j++) fixture.submitting(engine, calling('busy', 'a'));
    await fixture.clock.advance(50);
  }
  await fixture.clock.advance(1_000);
  const before = loads();
  for (let j = 0; j < 28; j++) fixture.submitting(engine, calling('busy', 'a', 'b'));
  await fixture.clock.advance(1_000);
  expect(loads() - before).toBe(0);
  isSilent = true;
  submit();
  await fixture.clock.advance(1_500);
  const id = await fixture.submit(engine, calling('other', 'quick'));
  expect((await fixture.until(id, 'over', 500)).status).toBe('SUCCEEDED');
  expect(engine.load().held).toBe(8);
});
