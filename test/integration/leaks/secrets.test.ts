/**
 * A secret in every place that has one, everything happening that can, and nothing that anybody can read afterwards telling
 * one of them: logs, metrics, spans, answers of the API, errors, Redis, the store, the command line.
 */
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { trama } from '../../e2e/trama-process.ts';
import { until } from '../../chaos/cluster-stage.ts';
import { freePorts } from '../../servers/free-ports.ts';
import type { Kind } from './canaries.ts';
import { Estate, sharp } from './estate.ts';
import {
  corruptedSaga,
  echoing,
  literalHostsSaga,
  loaded,
  longSaga,
  oddSaga,
  quietSaga,
  troubledSaga,
  waitingSaga,
} from './sagas.ts';

const estate = new Estate();
const { canaries, downstream } = estate;
/** Executions whose downstream told back what it was told. */
const echoed: string[] = [];
const payload = {
  card: canaries.plant('Card', 'data'),
  session: canaries.plant('Session', 'data', (core) => `${core}=`),
  login: canaries.plant('Login', 'data', (core) => `${core}:${core}@127.0.0.1:1`),
  url: `http://user:${canaries.plant('UrlPassword', 'data')}@127.0.0.1:1/`,
  dots: '..',
};

const show = async (id: string): Promise<{ status: string; completedAt?: string }> =>
  JSON.parse((await estate.ask('status', `/workflows/${id}`)).text) as { status: string };
const statusOf = async (id: string): Promise<string> => (await show(id)).status;
const reach = (id: string, status: string): Promise<void> => until(async () => (await statusOf(id)) === status);
const ended = (id: string): Promise<void> => until(async () => (await show(id)).completedAt !== undefined);

/** The token of an async node's n-th request, which must not show from now on. */
async function tokenOf(path: string, n = 1): Promise<{ readonly to: string; readonly token: string }> {
  const told = JSON.parse((await downstream.arrival(path, n)).body) as { to: string; token: string };
  canaries.adopt('CallbackToken', told.token.split('.').at(-1) ?? '');
  return told;
}

const pathOf = (name: string, task: string): string => `/${name}/${task}/${encodeURIComponent(estate.secrets.ENV_KEY)}`;

async function playCalls(): Promise<void> {
  const [closedPort = 0] = await freePorts(1);
  downstream.answer(pathOf('echo-troubled', 'slow'), () => ({ after: new Promise(() => undefined) }));
  downstream.answer(pathOf('echo-troubled', 'cut'), () => ({ cut: true }));
  downstream.answer(pathOf('echo-troubled', 'huge'), ({ body }) => ({ body: body.repeat(1000) }));
  downstream.answer(pathOf('echo-troubled', 'unread'), ({ body }) => ({
    body,
    headers: { 'content-encoding': 'gzip' },
  }));
  downstream.answer(pathOf('echo-troubled', 'moved'), ({ path }) => ({ status: 302, headers: { location: path } }));
  downstream.answer(pathOf('echo-troubled', 'unauthorized'), ({ headers }) => ({ status: 401, body: { headers } }));
  await estate.run(quietSaga(estate), { payload });
  echoed.push(await estate.run(longSaga(estate, 'echo-good', 'good'), { payload, labels: { note: payload.card } }));
  echoed.push(await estate.run(longSaga(estate, 'echo-bad', 'bad'), { payload }));
  echoed.push(await estate.run(troubledSaga(estate, 'echo-troubled', closedPort), { payload }));
  echoed.push(await estate.run(oddSaga(estate, 'echo-odd'), { payload }));
  const corrupted = await estate.run(corruptedSaga(estate, 'echo-corrupted'), { payload });
  echoed.push(corrupted);
  expect(await statusOf(corrupted)).toBe('CORRUPTED');
  await estate.ask('preview', `/workflows/${corrupted}/retry-preview`);
  const resolve = { nodeId: 'first', phase: 'DOWN', outcome: 'succeeded', reason: `by ${estate.secrets.ENV_KEY}` };
  await estate.ask('resolve', `/workflows/${corrupted}/resolve`, { method: 'POST', body: resolve });
  await estate.ask('retry', `/workflows/${echoed[1] ?? ''}/retry`, { method: 'POST' });
  await ended(echoed[1] ?? '');
}

async function playCallbacks(): Promise<void> {
  const id = await estate.start(waitingSaga(estate, 'echo-called'), { payload });
  const { to, token } = await tokenOf(pathOf('echo-called', 'ask'));
  const path = `/workflows/${id}/node/ask/callback`;
  const calledBack = (name: string, body: unknown, headers: Readonly<Record<string, string>>): Promise<unknown> =>
    estate.ask(name, path, { method: 'POST', other: true, authorization: '', body, headers });
  await calledBack('no token', { echo: token }, {});
  await calledBack('malformed token', {}, { 'x-callback-token': `${token}${token}` });
  await calledBack('forged token', {}, { 'x-callback-token': `${token.slice(0, -3)}AAA` });
  await calledBack('malformed body', `{"echo": ${estate.secrets.ENV_KEY}`, { 'x-callback-token': token });
  await estate.ask('unknown execution', to.replace(id, '01a21519-0db2-75fd-baf0-9f8427323a0e'), { method: 'POST' });
  await reach(id, 'WAITING_CALLBACK');
  const body = { echo: `${estate.secrets.ENV_KEY} ${token}`, fetched: estate.tokens.given, secrets: estate.secrets };
  await calledBack('callback', body, { 'x-callback-token': token });
  await calledBack('other body', { other: true }, { 'x-callback-token': token });
  await ended(id);
  const failed = await estate.start(waitingSaga(estate, 'echo-failed'), { payload });
  const next = await tokenOf(pathOf('echo-failed', 'ask'));
  await reach(failed, 'WAITING_CALLBACK');
  await estate.ask('failing callback', next.to, { method: 'POST', authorization: '', body: { ...body, failed: true } });
  await ended(failed);
  echoed.push(id, failed, await estate.run(waitingSaga(estate, 'echo-late', 100), { payload }));
  await tokenOf(pathOf('echo-late', 'ask'));
  const cancelled = await estate.start(waitingSaga(estate, 'echo-cancelled'), { payload });
  await tokenOf(pathOf('echo-cancelled', 'ask'));
  await reach(cancelled, 'WAITING_CALLBACK');
  await estate.ask('preview', `/workflows/${cancelled}/cancel-preview`);
  const reason = `since ${estate.secrets.ENV_KEY} ${estate.secrets.BEARER}`;
  await estate.ask('cancel', `/workflows/${cancelled}/cancel`, { method: 'POST', body: { reason } });
  await ended(cancelled);
  echoed.push(cancelled);
}

/** Requests that are wrong, with secrets in them. */
async function playErrors(): Promise<void> {
  const { ENV_KEY, BEARER } = estate.secrets;
  const inUrl = encodeURIComponent(ENV_KEY);
  const post = (name: string, path: string, body: unknown, headers = {}): Promise<unknown> =>
    estate.ask(name, path, { method: 'POST', body, headers });
  await post('no JSON', '/workflows/run', `{"payload": ${ENV_KEY}`);
  await post('no type', '/workflows/run', ENV_KEY, { 'content-type': BEARER.replaceAll(/\W/g, '') });
  await post('unknown field', '/workflows/run', { [ENV_KEY]: 1, definition: 1, payload: ENV_KEY });
  await post('no definition', `/workflows/definitions/${inUrl}/${inUrl}/run`, {});
  for (const query of ['status', 'limit', 'cursor', 'label', 'startedAfter', inUrl]) {
    await estate.ask(`query ${query}`, `/workflows?${query}=${inUrl}`);
  }
  for (const path of [inUrl, `workflows/${inUrl}`, `workflows/x?token=${inUrl}`, `holds/${inUrl}`]) {
    await estate.ask('unknown', `/${path}`);
  }
  const saga = echoing(estate, 'echo-wrong');
  const wrong = saga.graph([
    saga.task(ENV_KEY, { next: `${ENV_KEY}?` }, { url: `http://${ENV_KEY}@{{${ENV_KEY}}}`, verb: ENV_KEY }),
    { kind: ENV_KEY, id: ENV_KEY },
  ]);
  await post('wrong definition', '/workflows/definitions', { ...wrong, [ENV_KEY]: 1 });
  await post('validate', '/workflows/definitions/validate', { ...wrong, [ENV_KEY]: 1 });
  for (const authorization of [
    `Bearer ${canaries.plant('WrongKey')}`,
    `Basic ${Buffer.from(canaries.plant('WrongBasic', 'secret', (core) => `${core}:${core}`)).toString('base64')}`,
    `Bearer eyJhbGciOiJub25lIn0.${Buffer.from(JSON.stringify({ sub: canaries.plant('ForgedJwt') })).toString('base64url')}.x`,
  ]) {
    await estate.ask('unauthenticated', '/workflows', { authorization });
    await estate.ask('unauthenticated', '/workflows', { authorization: '', headers: { 'x-api-key': authorization } });
  }
  await estate.ask('with a token', '/workflows', { authorization: `Bearer ${await estate.jwt()}` });
  await sendRaw(`GET /${BEARER} HTTP/1.1\r\nHost: x\r\nX-A${BEARER}: \u0000\r\n\r\n`);
}

/** What a client that speaks no HTTP is answered. */
async function sendRaw(text: string): Promise<void> {
  const socket = connect(Number(estate.configuration['PORT']), '127.0.0.1', () => socket.end(text));
  const parts: string[] = [];
  for await (const part of socket.setEncoding('utf8')) parts.push(String(part));
  estate.say('error raw', parts.join(''));
}

/** Secrets that people wrote where they should not be: definitions, reasons, holds. */
async function playOperators(): Promise<void> {
  const { ENV_KEY, BEARER, HOST } = estate.secrets;
  const saga = echoing(estate, 'echo-literal');
  const literal = saga.graph([saga.task('a', {}, { headers: { 'X-Key': BEARER }, body: { key: ENV_KEY } })]);
  const stored = await estate.ask('definition', '/workflows/definitions', { method: 'POST', body: literal });
  const { id } = JSON.parse(stored.text) as { id: string };
  await estate.ask('definition', `/workflows/definitions/${id}`);
  await estate.ask('definition', '/workflows/definitions/echo-literal/1');
  await estate.ask('definition', '/workflows/definitions');
  echoed.push(await estate.run(literal, { payload: { plain: true } }));
  echoed.push(await estate.run(literalHostsSaga(estate, 'echo-literal-hosts', HOST), { payload }));
  const hold = { name: 'absent', reason: `for ${sharp(ENV_KEY)}` };
  await estate.ask('hold', '/holds/one', { method: 'PUT', body: hold });
  await estate.ask('holds', '/holds');
  await estate.ask('no hold', '/holds/two', { method: 'PUT', body: { reason: ENV_KEY } });
  await estate.interruptRedis();
  echoed.push(
    await estate.run(
      echoing(estate, 'echo-later').graph([
        echoing(estate, 'echo-later').task('a', { action: { request: loaded(echoing(estate, 'echo-later'), 'a') } }),
      ]),
      { payload },
    ),
  );
}

/** All that can be read of everything that has happened, from both processes. */
async function readAll(): Promise<void> {
  const ids = echoed.flatMap((id) =>
    ['', '/steps', '/steps/calls', '/events', '/definition', '/retry-preview'].map((way) => `${id}${way}`),
  );
  for (const other of [false, true]) {
    for (const way of ids) await estate.ask('history', `/workflows/${way}`, { other });
    for (const way of ['/workflows', '/cluster', '/audit', '/holds', '/workflows/definitions', '/openapi.json']) {
      await estate.ask('list', way, { other });
    }
    const { text } = await estate.ask('metrics', '/metrics', { other });
    estate.say('metrics', text);
  }
  for (const json of [[], ['--json']]) {
    const { code, out, notes } = await trama(['config', ...json], estate.configuration);
    expect([code, notes]).toEqual([0, expect.not.stringContaining('problem')]);
    estate.say('cli config', out + notes);
  }
}

beforeAll(async () => {
  await estate.open();
  await playCalls();
  await playCallbacks();
  await playErrors();
  await playOperators();
  await readAll();
  for (const key of await estate.keys()) estate.say('redis key', key);
  await estate.stop();
  const spans = JSON.stringify(estate.receiver.spans, (_, value: unknown) => (typeof value === 'bigint' ? 0 : value));
  estate.say('spans', spans);
}, 600_000);
afterAll(() => estate.close());

/** What stands in places of a kind and should not, each once. */
function leaks(place: string, ...kinds: readonly Kind[]): readonly string[] {
  const found = estate.said
    .filter(([where]) => where.startsWith(place))
    .flatMap(([where, text]) =>
      canaries.find(text, ...kinds).map((find) => `${where}: ${find.canary.name}: ${find.around}`),
    );
  return [...new Set(found)];
}

describe('secrets and what runs are given', () => {
  it.each([
    ['logs', 'log pod', /"msg":"saga finished"/],
    ['metrics', 'metrics', /saga_http_call_seconds/],
    ['spans', 'spans', /node\.execute/],
    ['commands to Redis', 'redis command', /eval/i],
    ['keys of Redis', 'redis key', /trama:/],
  ])('stand in no %s', (_, place, sign) => {
    expect(estate.texts(place).join('\n')).toMatch(sign);
    expect(leaks(place, 'secret', 'data')).toEqual([]);
  });
});

describe('secrets', () => {
  it.each([
    ['answers', 'api', /"status"/],
    ['error', 'error', /"errors"/],
    ['configuration that is shown', 'cli config', /\*\*\*/],
  ])('stand in no %s', (_, place, sign) => {
    expect(estate.texts(place).join('\n')).toMatch(sign);
    expect(leaks(place, 'secret')).toEqual([]);
  });

  it('stand in no row of the store, but for what templates need of an answer and what people wrote', async () => {
    const rows = await estate.rows(echoed);
    expect(rows.length).toBeGreaterThan(50);
    // A definition and a reason are kept as they were given.
    const found = rows
      .filter(([, row]) => !row.includes('echo-literal'))
      .flatMap(([table, row]) =>
        canaries.find(row, 'secret').map((find) => `${table}: ${find.canary.name}: ${find.around}`),
      );
    expect([...new Set(found)]).toEqual([]);
  });
});

describe('lines of the log', () => {
  it('name the execution and its trace wherever they are about one', () => {
    const lines = estate
      .texts('log pod-0')
      .flatMap((text) => text.split('\n'))
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const about = lines.filter((line) => 'sagaId' in line || 'nodeId' in line || /saga|call/.test(String(line['msg'])));
    expect(new Set(about.map(({ msg }) => msg))).toEqual(
      new Set([
        'saga finished',
        'saga failing',
        'call failed',
        'call failed, will retry',
        'The operator "+" needs a number and was given something else.',
        'callback did not come in time',
      ]),
    );
    expect(
      about.filter(
        ({ sagaId, traceId }) => !/^[\da-f]{32}$/.test(String(traceId)) || !/^[\da-f-]{36}$/.test(String(sagaId)),
      ),
    ).toEqual([]);
  });
});
