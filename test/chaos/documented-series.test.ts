/**
 * Everything that the page on metrics documents appears, with samples, in real processes under real traffic and real faults; and
 * nothing else does. Names, types, labels and label values come from the page.
 */
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CallbackTokens } from '../../src/security/callback-token.ts';
import { retries, SagaBuilder } from '../e2e/stage/definitions.ts';
import { type Answer, ScriptedDownstream } from '../e2e/stage/downstream.ts';
import { OtlpReceiver } from '../otlp-receiver.ts';
import { freePorts } from '../servers/free-ports.ts';
import { AuthorityFile } from './authority-file.ts';
import { openClusterStage, shortTimes, until } from './cluster-stage.ts';
import { expectDocumentedSeries } from './documented-samples.ts';
import { endHooks } from './hook-endings.ts';
import type { Pod } from './pod.ts';
import { SeenSeries } from './seen-series.ts';

const key = { kid: '2026', secret: 'a secret of many characters, and more' };
const viewerKey = 'the-key-of-a-viewer';
const collector = new OtlpReceiver();
const downstream = new ScriptedDownstream();
/** Fails all the time, so that its circuit opens. */
const ill = new ScriptedDownstream(() => ({ status: 500 }));
const authorities = new AuthorityFile();
const settings: Record<string, string> = {
  ...shortTimes,
  // Longer than what a busy machine keeps a process waiting.
  REDIS_QUEUE_CONSUMER_PROCESSINGTIMEOUTMILLIS: '8000',
  RUNTIME_CALLBACK_KEYS: JSON.stringify([key, { kid: 'older', secret: 'another secret of many characters' }]),
  SECURITY_LIMITS_CALLBACKSPEREXECUTION: '2',
  CIRCUITBREAKER_FAILURETHRESHOLD: '8',
  TELEMETRY_ENABLED: 'true',
  HTTP_EGRESS_TLS_CAFILE: authorities.path,
};
const stage = openClusterStage({ redis: 'standalone', env: settings });
const seen = new SeenSeries();
let pods: readonly Pod[] = [];
let api: Pod;

beforeAll(async () => {
  await Promise.all([collector.open(), downstream.open(), ill.open()]);
  settings['TELEMETRY_OTLPENDPOINT'] = collector.url;
  await authorities.put();
  pods = await stage.start('a', 'b');
  api = await stage.pod('api', {
    ...settings,
    RUNTIME_ENABLED: 'false',
    SECURITY_AUTH_ENABLED: 'true',
    SECURITY_AUTH_APIKEYS: JSON.stringify([
      { id: 'ops', sha256: createHash('sha256').update(viewerKey).digest('hex'), roles: ['viewer'] },
    ]),
    SECURITY_LIMITS_FAILEDAUTHPERMINUTE: '2',
  });
  await api.start();
  // It measures nothing.
  for (const pod of [...pods, api]) pod.answersWithinMillis = 60_000;
});
afterAll(async () => {
  await Promise.all([downstream.close(), ill.close(), collector.close(), authorities.remove()]);
});

/** A downstream that waits for it answers no request. */
const never = new Promise<void>(() => undefined);

const look = (): Promise<void> => seen.look([...pods, api]);
let turn = 0;
/** One worker after the other. */
const next = (): Pod => pods[turn++ % pods.length]!;

/** Starts a run; its id. `answers` are those of its nodes. */
async function run(
  saga: SagaBuilder,
  definition: object,
  answers: Readonly<Record<string, Answer | readonly Answer[]>> = {},
  pod: Pod = next(),
): Promise<string> {
  for (const [node, scripted] of Object.entries(answers)) {
    downstream.script(
      `/${saga.name}/${node}`,
      ...(Array.isArray(scripted) ? (scripted as Answer[]) : [scripted as Answer]),
    );
  }
  const { status, body } = await pod.ask('POST', '/workflows/run', { definition, payload: { n: 1 } });
  expect([saga.name, status]).toEqual([saga.name, 200]);
  return body.id as string;
}

/** Starts a run of one task that is answered so; its id. */
const answered = (name: string, a: Answer): Promise<string> => run(sagaOf(name), sagaOf(name).linear(['a']), { a });

const sagaOf = (name: string, url = downstream.url): SagaBuilder => new SagaBuilder(url, name);

async function untilStatus(id: string, ...statuses: readonly string[]): Promise<Record<string, unknown>> {
  let document: Record<string, unknown> = {};
  await until(async () => {
    document = (await pods[0]!.ask('GET', `/workflows/${id}`)).body as Record<string, unknown>;
    return statuses.includes(document['status'] as string);
  });
  return document;
}

async function order(name: string): Promise<string> {
  const { body } = await downstream.arrival(`/${name}/ask`);
  return (JSON.parse(body) as { token: string }).token;
}

async function callBack(id: string, token: string | undefined, body: unknown = {}): Promise<number> {
  const headers = token === undefined ? {} : { 'x-callback-token': token };
  return (await pods[0]!.ask('POST', `/workflows/${id}/node/ask/callback`, body, headers)).status;
}

describe('traffic', () => {
  it('ends in every way that an execution can end', async () => {
    const end = (status: string, reason?: string) => ({ status, ...(reason === undefined ? undefined : { reason }) });
    const ways: readonly (readonly [name: string, run: () => Promise<string>, end: object])[] = [
      ['succeeded', () => run(sagaOf('fine'), sagaOf('fine').linear(['a', 'b'])), end('SUCCEEDED')],
      [
        'retried forward, back and in a hook',
        () => {
          const saga = sagaOf('again');
          const policies = { failureHandling: retries(2), compensationHandling: retries(2) };
          return run(
            saga,
            { ...saga.linear(['a', 'b'], policies), onFailureCallback: saga.call('hook') },
            {
              a: [{ status: 500 }, {}],
              b: { status: 404 },
              'undo-a': [{ status: 500 }, {}],
              hook: [{ status: 500 }, {}],
            },
          );
        },
        end('FAILED', 'status_4xx'),
      ],
      ['status_5xx', () => answered('s5', { status: 500 }), end('FAILED', 'status_5xx')],
      [
        'timeout',
        () => {
          const saga = sagaOf('late');
          return run(saga, saga.graph([saga.task('a', {}, { timeoutMillis: 2_000 })]), { a: { after: never } });
        },
        end('FAILED', 'timeout'),
      ],
      ['connect', () => answered('cut', { cut: true }), end('FAILED', 'connect')],
      ['body', () => answered('large', { body: 'x'.repeat(2 * 1024 * 1024) }), end('FAILED', 'body')],
      [
        'unsent',
        () => {
          const saga = sagaOf('unsent');
          return run(saga, saga.graph([saga.task('a', {}, { url: `${downstream.url}/{{payload.missing}}/x` })]));
        },
        end('FAILED', 'unsent'),
      ],
      [
        'callback_timeout',
        () => {
          const saga = sagaOf('silent');
          return run(saga, saga.graph([saga.asyncTask('ask', {}, { timeoutMillis: 300 })]), { ask: { status: 202 } });
        },
        end('FAILED', 'callback_timeout'),
      ],
      [
        'execution_timeout',
        () => {
          const saga = sagaOf('overdue');
          return run(saga, saga.graph([{ kind: 'sleep', id: 'a', durationMillis: 600_000 }], { timeoutMillis: 300 }));
        },
        end('FAILED', 'execution_timeout'),
      ],
      [
        'visits',
        () => {
          const saga = sagaOf('endless');
          return run(saga, saga.graph([saga.task('a', { next: 'a' })], { maxNodeVisits: 3 }));
        },
        end('FAILED', 'visits'),
      ],
      [
        'fail_node',
        () => run(sagaOf('no'), sagaOf('no').graph([{ kind: 'fail', id: 'a', reason: 'no' }])),
        end('FAILED', 'fail_node'),
      ],
      [
        'compensation',
        () =>
          run(sagaOf('stuck'), sagaOf('stuck').linear(['a', 'b']), { b: { status: 404 }, 'undo-a': { status: 500 } }),
        end('CORRUPTED', 'compensation'),
      ],
      [
        'every kind of node',
        () => {
          const saga = sagaOf('kinds');
          return run(
            saga,
            saga.graph([
              {
                kind: 'switch',
                id: 'first',
                cases: [{ when: { '+': [{ var: 'payload' }] }, target: 'a' }],
                default: 'second',
              },
              { kind: 'switch', id: 'second', cases: [{ when: true, target: 'third' }], default: 'a' },
              { kind: 'switch', id: 'third', cases: [{ when: false, target: 'a' }], default: 'sleep' },
              { kind: 'sleep', id: 'sleep', durationMillis: 1, next: 'split' },
              { kind: 'split', id: 'split', branches: ['b', 'c'], join: 'join' },
              saga.task('b', { next: 'join' }),
              saga.task('c', { next: 'join' }),
              { kind: 'join', id: 'join', next: 'a' },
              saga.task('a'),
            ]),
          );
        },
        end('SUCCEEDED'),
      ],
    ];
    await Promise.all(
      ways.map(async ([name, begin, expected]) => {
        const document = await untilStatus(await begin(), 'SUCCEEDED', 'FAILED', 'CORRUPTED');
        const { status, reason, failureDescription } = document;
        expect({ name, status, reason, failureDescription }).toMatchObject({ name, ...expected });
      }),
    );
    await look();
  });

  it('is cancelled, terminated, and given up after claims without progress', async () => {
    const asleep = async (name: string): Promise<string> => {
      const saga = sagaOf(name);
      const id = await run(saga, saga.graph([{ kind: 'sleep', id: 'a', durationMillis: 600_000 }]));
      await untilStatus(id, 'SLEEPING');
      return id;
    };
    const [cancelled, terminated, poison] = await Promise.all([
      asleep('cancelled'),
      asleep('terminated'),
      asleep('poison'),
    ]);
    const [pod] = pods;
    expect((await pod!.ask('POST', `/workflows/${cancelled}/cancel`, {})).status).toBe(202);
    expect((await pod!.ask('POST', `/workflows/${terminated}/terminate`)).status).toBe(202);
    await stage.sql(`UPDATE execution SET claims = 6 WHERE id = '${poison}'`);
    expect((await pod!.ask('POST', `/workflows/${poison}/wake`)).status).toBe(202);
    expect(await untilStatus(cancelled, 'CANCELLED')).toMatchObject({ reason: 'cancelled' });
    expect(await untilStatus(terminated, 'TERMINATED')).toMatchObject({ reason: 'terminated' });
    expect(await untilStatus(poison, 'CORRUPTED')).toMatchObject({ reason: 'engine' });
  });

  it('loops over items, starts another, and is undone', async () => {
    const loop = sagaOf('loop');
    const each = { kind: 'forEach', id: 'each', items: [1, 2, 3], entry: 'a', onItemFailure: 'continue', next: 'set' };
    const of = (id: string): object => ({ url: `${downstream.url}/loop/${id}-{{item}}` });
    const looped = await run(
      loop,
      loop.graph([
        each,
        loop.task('a', { next: 'b' }, of('a')),
        loop.task('b', {}, of('b')),
        { kind: 'set', id: 'set', body: 1 },
      ]),
      { 'a-2': { status: 404 }, 'b-3': { status: 404 }, 'undo-a': { status: 500 } },
    );
    expect(await untilStatus(looped, 'CORRUPTED')).toMatchObject({ reason: 'compensation' });

    const [inner, outer] = [sagaOf('inner'), sagaOf('outer')];
    expect((await next().ask('POST', '/workflows/definitions', inner.linear(['a']))).status).toBe(200);
    const start = { kind: 'workflow', id: 'start', definition: { name: 'inner', version: 'latest' } };
    await untilStatus(await run(outer, outer.graph([start])), 'SUCCEEDED');
    downstream.script('/inner/a', { status: 404 });
    expect(await untilStatus(await run(outer, outer.graph([start])), 'FAILED')).toMatchObject({ reason: 'child' });

    const undone = async (name: string, answers: Readonly<Record<string, Answer>>): Promise<string> => {
      const id = await run(sagaOf(name), sagaOf(name).linear(['a']), answers);
      await untilStatus(id, 'SUCCEEDED');
      expect((await next().ask('POST', `/workflows/${id}/undo`, { reason: 'sent back' })).status).toBe(202);
      return id;
    };
    const [back, stuck, given] = await Promise.all([
      undone('back', {}),
      undone('stuck-back', { 'undo-a': { status: 500 } }),
      undone('given-up', { 'undo-a': { after: never } }),
    ]);
    await downstream.arrival('/given-up/undo-a');
    expect((await next().ask('POST', `/workflows/${given}/terminate`)).status).toBe(202);
    await untilStatus(back, 'CANCELLED');
    await untilStatus(stuck, 'CORRUPTED');
    await untilStatus(given, 'TERMINATED');
    await look();
  });

  it('is called back in time, late, twice and by strangers', async () => {
    const asking = (name: string, callback: object = {}, changes: object = {}): Promise<string> => {
      const saga = sagaOf(name);
      const node = saga.asyncTask('ask', {}, callback);
      return run(saga, saga.graph([node], changes), { ask: { status: 202 } });
    };
    const failing = { failureWhen: { '==': [{ var: 'callback.body.ok' }, false] } };
    const refused = await asking('refused', failing);
    await untilStatus(refused, 'WAITING_CALLBACK');
    expect(await callBack(refused, await order('refused'), { ok: false })).toBe(202);
    expect(await untilStatus(refused, 'FAILED')).toMatchObject({ reason: 'callback_failure' });

    const policy = { failureHandling: retries(3, { retryOn: { errors: ['callback_failure'] } }) };
    const second = await asking('second', failing, policy);
    await untilStatus(second, 'WAITING_CALLBACK');
    const token = await order('second');
    expect(await callBack(second, token, { ok: false })).toBe(202);
    await downstream.arrival('/second/ask', 2);
    await untilStatus(second, 'WAITING_CALLBACK');
    expect(await callBack(second, token, { ok: true })).toBe(409);

    const earlier = await asking('earlier', failing, policy);
    await untilStatus(earlier, 'WAITING_CALLBACK');
    expect(await callBack(earlier, await order('earlier'), { ok: false })).toBe(202);
    await downstream.arrival('/earlier/ask', 2);
    await untilStatus(earlier, 'WAITING_CALLBACK');
    const own = new CallbackTokens([key]);
    const first = { executionId: earlier, round: 1, nodeId: 'ask', visit: 1, operation: 1, nonce: 'never used' };
    expect(await callBack(earlier, own.issue(first), { ok: true })).toBe(409);

    const early = await asking('early', failing, policy);
    await untilStatus(early, 'WAITING_CALLBACK');
    const claims = { executionId: early, round: 1, nodeId: 'ask', visit: 1, operation: 1, nonce: 'x' };
    expect(await callBack(early, undefined)).toBe(400);
    const forged = new CallbackTokens([{ kid: key.kid, secret: 'guessed' }]).issue(claims);
    expect(await callBack(early, forged)).toBe(401);
    expect(await callBack(early, new CallbackTokens([{ kid: 'gone', secret: 'x' }]).issue(claims))).toBe(401);
    const missing = randomUUID();
    expect(await callBack(missing, own.issue({ ...claims, executionId: missing }))).toBe(404);
    const answers = await Promise.all(Array.from({ length: 40 }, () => callBack(early, own.issue(claims))));
    expect(answers).toEqual(expect.arrayContaining([410, 429]));

    const twice = await asking('twice');
    await untilStatus(twice, 'WAITING_CALLBACK');
    expect(await callBack(twice, await order('twice'))).toBe(202);
    await untilStatus(twice, 'SUCCEEDED');
    expect(await callBack(twice, await order('twice'), { other: true })).toBe(409);
    await look();
  });

  it('is told of late, in vain, and never', async () => {
    await endHooks(pods[0]!, downstream);
    await look();
  });

  it('is held, and kept from a host that fails', async () => {
    expect((await pods[0]!.ask('PUT', '/holds/x', { name: 'held', reason: 'maintenance' })).status).toBe(200);
    const saga = sagaOf('ill', ill.url);
    const failing = await run(saga, saga.linear(['a'], { failureHandling: retries(20) }));
    await until(async () => {
      await look();
      return seen.has('saga_circuit_open', 1);
    });
    await until(() => look().then(() => seen.has('saga_holds', 1)));
    expect((await pods[0]!.ask('POST', `/workflows/${failing}/terminate`)).status).toBe(202);
    expect((await pods[0]!.ask('DELETE', '/holds/x')).status).toBe(204);
  });

  it('is refused to callers without rights', async () => {
    const ask = (given: string | undefined, method = 'GET', path = '/workflows'): Promise<number> =>
      api
        .ask(method, path, undefined, given === undefined ? {} : { authorization: `Bearer ${given}` })
        .then(({ status }) => status);
    expect(await ask(undefined)).toBe(401);
    expect(await ask(viewerKey)).toBe(200);
    expect(await ask(viewerKey, 'DELETE', '/holds/x')).toBe(403);
    const wrong = [await ask('wrong-1'), await ask('wrong-2'), await ask('wrong-3'), await ask('wrong-4')];
    expect(wrong).toContain(401);
    expect(wrong).toContain(429);
    await look();
  });

  it('is refused to pages and proxies where the server asks for no credentials', async () => {
    const signs = [{ via: '1.1 cache' }, { host: 'evil.example' }, { origin: 'https://evil.example' }];
    for (const headers of signs) {
      // `fetch` does not let its caller choose a Host.
      const [response] = await once(get(`${pods[0]!.url}/workflows`, { headers }), 'response');
      expect((response as IncomingMessage).resume().statusCode).toBe(403);
    }
    await look();
  });
});

describe('faults', () => {
  it('a call that finds no listener is unsent', async () => {
    const saga = sagaOf('nowhere');
    const [port] = await freePorts(1);
    const url = `http://127.0.0.1:${String(port)}/x`;
    await untilStatus(await run(saga, saga.graph([saga.task('a', {}, { url })])), 'FAILED');
    await look();
    expect(seen.values('saga_http_call_seconds', 'outcome').has('unsent')).toBe(true);
  });

  it('a worker that pauses past its lease is fenced', async () => {
    const [slow, other] = pods;
    const saga = sagaOf('paused');
    let answer: () => void = () => undefined;
    let release: () => void = () => undefined;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    const released = new Promise<void>((resolve) => (release = resolve));
    const answers = { a: [{ after: answered }, {}], b: [{ after: released }] };
    const id = await run(saga, saga.linear(['a', 'b']), answers, slow);
    await downstream.arrival('/paused/a');
    slow!.freeze();
    // The other one holds it until its second node is answered: a renewal of an id that no pod holds would take it back.
    await downstream.arrival('/paused/b');
    slow!.thaw();
    // To the process it looks as if something had blocked its event loop.
    await until(() => look().then(() => seen.values('saga_long_turn_total', 'kind').has('other')));
    // The renewal says that the lease is lost; the answer is offered all the same, and the store refuses it.
    await until(() => look().then(() => seen.values('saga_fenced_total', 'reason').has('lease')));
    answer();
    await until(() => look().then(() => seen.values('saga_fenced_total', 'reason').has('checkpoint')));
    release();
    await until(async () => (await other!.ask('GET', `/workflows/${id}`)).body.status === 'SUCCEEDED');
  });

  it('a worker that pauses while another one ends its execution asks the store', async () => {
    const [slow, other] = pods;
    const saga = sagaOf('ended');
    let answer: () => void = () => undefined;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    const id = await run(saga, saga.linear(['a', 'b']), { a: [{ after: answered }, {}] }, slow);
    await downstream.arrival('/ended/a');
    slow!.freeze();
    await until(async () => (await other!.ask('GET', `/workflows/${id}`)).body.status === 'SUCCEEDED');
    // Redis knows nothing of the execution by now, and takes the renewal for the assertion of a claim that it lost.
    slow!.thaw();
    await until(() => look().then(() => seen.values('saga_fenced_total', 'reason').has('lapse')));
    answer();
  });

  it('Redis that comes back empty is filled again', async () => {
    const saga = sagaOf('nap');
    const ids = await Promise.all(
      Array.from({ length: 6 }, () => run(saga, saga.graph([{ kind: 'sleep', id: 'a', durationMillis: 60_000 }]))),
    );
    for (const id of ids) await untilStatus(id, 'SLEEPING');
    await stage.redis.kill();
    await until(() => look().then(() => seen.has('saga_redis_errors_total')));
    await stage.redis.run();
    const has = (series: string, label: string, value: string): boolean => seen.values(series, label).has(value);
    await until(() => look().then(() => has('saga_redis_rebuilds_total', 'reason', 'lost')));
    await until(() => look().then(() => has('saga_reconciled_total', 'status', 'SLEEPING')));
    for (const id of ids) expect((await next().ask('POST', `/workflows/${id}/wake`)).status).toBe(202);
    for (const id of ids) await untilStatus(id, 'SUCCEEDED');
  });

  it('certificate files that cannot be used are noticed', async () => {
    await authorities.spoil();
    await until(() => look().then(() => seen.has('saga_tls_files_stale', 1)));
    await authorities.put();
  });

  it('Postgres that goes away is noticed', async () => {
    await stage.postgres.stop('immediate');
    try {
      await until(() => look().then(() => seen.has('saga_database_up', 0) && seen.has('saga_store_errors_total')));
    } finally {
      await stage.postgres.start();
    }
    await until(async () => (await pods[0]!.unready()) === '' && (await pods[1]!.unready()) === '');
    await until(() => look().then(() => seen.has('saga_trace_spans_total')));
    await look();
  });
});

describe('what was seen', () => {
  expectDocumentedSeries(seen, [key.kid, 'older']);
});
