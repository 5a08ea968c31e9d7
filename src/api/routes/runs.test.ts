import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { apiKeyOf, authenticatorOf } from '../../../test/credentials.ts';
import { ApiFixture, response } from '../../../test/api-fixture.ts';
import { Overloaded } from '../../engine/settings.ts';

const definition = {
  name: 'order',
  version: '1',
  requiredPayload: ['customer.id'],
  steps: [{ name: 'reserve', up: { url: 'http://shop.example/reserve', verb: 'POST' } }],
};
const payload = { customer: { id: 7 } };

let api: ApiFixture;
beforeEach(async () => {
  api = await new ApiFixture().open();
});
afterEach(() => api.close());

const post = (url: string, body: unknown, headers: Record<string, string> = {}) =>
  api.server.inject({ method: 'POST', url, payload: body as object, headers });

describe('POST /workflows/run', () => {
  it('starts an execution', async () => {
    const answer = await post('/workflows/run', { definition, payload, labels: { team: 'a' } });
    expect(answer.statusCode).toBe(200);
    const { id, status } = answer.json();
    expect(answer.body).toBe(`{"id":"${id}","status":"IN_PROGRESS"}`);
    expect(status).toBe('IN_PROGRESS');
    expect(answer.headers['location']).toBe(`/workflows/${id}`);
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(await api.store.getExecution(id)).toMatchObject({ name: 'order', labels: { team: 'a' } });
  });

  it("adds the definition's labels, which those of the run win over", async () => {
    const labelled = { ...definition, labels: { team: 'shop', tier: 'gold' } };
    const answer = await post('/workflows/run', { definition: labelled, payload, labels: { team: 'a' } });
    expect(await api.store.getExecution(answer.json().id)).toMatchObject({ labels: { team: 'a', tier: 'gold' } });
  });

  it('is the same below /sagas', async () => {
    const answer = await post('/sagas/run', { definition, payload });
    expect(answer.headers['location']).toBe(`/sagas/${answer.json().id}`);
  });

  it('keeps the digits of the payload', async () => {
    const body = `{"definition":${JSON.stringify(definition)},"payload":{"customer":{"id":9007199254740993},"sum":10.10,"__proto__":{"a":1}}}`;
    const started = await api.server.inject({
      method: 'POST',
      url: '/workflows/run',
      payload: body,
      headers: { 'content-type': 'application/json' },
    });
    const document = await api.server.inject(`/workflows/${started.json().id}`);
    expect(document.body).toContain('"payload":{"customer":{"id":9007199254740993},"sum":10.10,"__proto__":{"a":1}}');
  });

  it('refuses a key that stands twice, wherever it is, by its path', async () => {
    const twice = JSON.stringify({ definition, payload }).replace('"verb":', '"url":"http://b.example/","verb":');
    const answer = await api.server.inject({
      method: 'POST',
      url: '/workflows/run',
      payload: twice,
      headers: { 'content-type': 'application/json' },
    });
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({
      code: 'invalid_request',
      errors: [
        'definition.steps[0].up.url: This key stands twice in its object, the second time at line 1, column 148.',
      ],
    });
  });

  describe('in other bytes', () => {
    const body = JSON.stringify({ definition, payload: { ...payload, name: 'é' } });
    const send = (bytes: Buffer, headers: Record<string, string> = {}) =>
      api.server.inject({
        method: 'POST',
        url: '/workflows/run',
        payload: bytes,
        headers: { 'content-type': 'application/json', ...headers },
      });

    it.each<[string, Buffer, Record<string, string>]>([
      ['UTF-8 with a byte order mark', Buffer.from(`\ufeff${body}`), {}],
      ['Latin-1 that says so', Buffer.from(body, 'latin1'), { 'content-type': 'application/json; charset=iso-8859-1' }],
      ['UTF-16 that says so', Buffer.from(body, 'utf16le'), { 'content-type': 'application/json; charset=utf-16le' }],
      ['gzip', gzipSync(body), { 'content-encoding': 'gzip' }],
      ['deflate', deflateSync(body), { 'content-encoding': 'Deflate' }],
      ['br', brotliCompressSync(body), { 'content-encoding': 'br' }],
      ['zstd', zstdCompressSync(body), { 'content-encoding': 'zstd' }],
      ['gzip of deflate', gzipSync(deflateSync(body)), { 'content-encoding': 'deflate, gzip' }],
      ['identity', Buffer.from(body), { 'content-encoding': 'identity' }],
      [
        'gzip of Latin-1',
        gzipSync(Buffer.from(body, 'latin1')),
        { 'content-encoding': 'gzip', 'content-type': 'application/json; charset=iso-8859-1' },
      ],
    ])('takes %s', async (_what, bytes, headers) => {
      const started = await send(bytes, headers);
      expect(started.statusCode).toBe(200);
      const document = await api.server.inject(`/workflows/${started.json().id}`);
      expect(document.json().payload.name).toBe('é');
    });

    it.each<[string, Buffer, Record<string, string>, number, string, string]>([
      [
        'Latin-1 that does not say so',
        Buffer.from(body, 'latin1'),
        {},
        400,
        'malformed_json',
        'The body is not UTF-8, and its Content-Type declares no other charset.',
      ],
      [
        'a charset that is not known',
        Buffer.from(body),
        { 'content-type': 'application/json; charset=utf-7' },
        400,
        'malformed_json',
        'The body has a charset that is not known (utf-7).',
      ],
      [
        'no gzip',
        Buffer.from(body),
        { 'content-encoding': 'gzip' },
        400,
        'malformed_json',
        'The body is not valid gzip: incorrect header check.',
      ],
      [
        'gzip that is cut off',
        gzipSync(body).subarray(0, 40),
        { 'content-encoding': 'gzip' },
        400,
        'malformed_json',
        'The body is not valid gzip: unexpected end of file.',
      ],
      [
        'a gzip bomb',
        gzipSync(Buffer.alloc(2 ** 26)),
        { 'content-encoding': 'gzip' },
        413,
        'too_large',
        'The body is larger than 1048576 bytes when its content coding is undone.',
      ],
      [
        'a coding that is not known',
        Buffer.from(body),
        { 'content-encoding': 'compress' },
        415,
        'unsupported_content_coding',
        'The body has a content coding that is not known (compress); send it in gzip, deflate, br, zstd, or as it is.',
      ],
      [
        'four codings',
        Buffer.from(body),
        { 'content-encoding': 'gzip, gzip, gzip, gzip' },
        415,
        'unsupported_content_coding',
        'The body has more than 3 content codings; send it in gzip, deflate, br, zstd, or as it is.',
      ],
    ])('refuses %s', async (_what, bytes, headers, status, code, sentence) => {
      const refused = await send(bytes, headers);
      expect([refused.statusCode, refused.json().code, refused.json().errors]).toEqual([status, code, [sentence]]);
      const isOfCoding = code === 'unsupported_content_coding';
      expect(refused.headers['accept-encoding']).toBe(isOfCoding ? 'gzip, deflate, br, zstd' : undefined);
    });
  });

  it('sleeps until startAt', async () => {
    const answer = await post('/workflows/run', { definition, payload, startAt: '2031-01-01T00:00:00+02:00' });
    expect(answer.json().status).toBe('SLEEPING');
    const document = (await api.server.inject(`/workflows/${answer.json().id}`)).json();
    expect(document.status).toBe('SLEEPING');
    expect(document.currentNodes).toEqual([
      expect.objectContaining({ nodeId: 'reserve', state: 'SCHEDULED', until: '2030-12-31T22:00:00.000Z' }),
    ]);
  });

  it('takes null for absence', async () => {
    const answer = await post('/workflows/run', {
      definition: { ...definition, requiredPayload: [] },
      payload: null,
      labels: null,
      startAt: null,
    });
    expect(answer.statusCode).toBe(200);
  });

  it('lists every problem of the definition', async () => {
    const answer = await post('/workflows/run', { definition: { name: 'x', version: 'latest' } });
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({ code: 'invalid_definition' });
    expect(answer.json().errors.length).toBeGreaterThan(1);
  });

  it.each([
    ['is missing', { customer: {} }],
    ['is null', { customer: { id: null } }],
    ['lies behind no object', { customer: 'x' }],
  ])('wants the required payload when it %s', async (_case, incomplete) => {
    const answer = await post('/workflows/run', { definition, payload: incomplete });
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({
      code: 'invalid_payload',
      errors: ['payload.customer.id: The definition requires a value here.'],
    });
  });

  it('says to come back when too much waits', async () => {
    api.submitFault = new Overloaded('Too many submissions wait.');
    const answer = await post('/workflows/run', { definition, payload });
    expect(answer.statusCode).toBe(503);
    expect(answer.headers['retry-after']).toBe('1');
    expect(answer.json().code).toBe('overloaded');
  });

  it('hides the details of unexpected errors', async () => {
    api.submitFault = new Error('secret detail');
    const answer = await post('/workflows/run', { definition, payload });
    expect(answer.statusCode).toBe(500);
    expect(answer.json()).toEqual({
      errors: ['Something went wrong inside; the log has more under this request id.'],
      code: 'internal',
      requestId: answer.headers['x-request-id'],
    });
    expect(api.logged).toContain('error request failed');
  });
});

describe('Idempotency-Key', () => {
  const key = { 'idempotency-key': 'k-1' };

  it('gives the same execution to the same request', async () => {
    const first = await post('/workflows/run', { definition, payload, labels: { a: 'x', b: 'y' } }, key);
    const second = await post(
      '/workflows/run',
      { labels: { b: 'y', a: 'x' }, payload, definition, startAt: null },
      key,
    );
    expect(second.statusCode).toBe(200);
    expect(second.json().id).toBe(first.json().id);
    expect(second.headers['location']).toBe(`/workflows/${first.json().id}`);
  });

  it('tells requests apart by the digits of their numbers', async () => {
    const body = (digits: string) =>
      `{"definition":${JSON.stringify(definition)},"payload":{"customer":{"id":1},"sum":${digits}}}`;
    const headers = { ...key, 'content-type': 'application/json' };
    const first = await api.server.inject({ method: 'POST', url: '/workflows/run', payload: body('10.1'), headers });
    const second = await api.server.inject({ method: 'POST', url: '/workflows/run', payload: body('10.10'), headers });
    expect(first.statusCode).toBe(200);
    expect(second.statusCode).toBe(422);
    expect(second.json()).toMatchObject({
      code: 'idempotency_key_reused',
      errors: ['This Idempotency-Key was used before with another request.'],
    });
  });

  it('belongs to a caller', async () => {
    await api.close();
    api = await new ApiFixture({ authenticator: authenticatorOf({ a: ['author'], b: ['author'] }) }).open();
    const ask = (caller: string) =>
      post('/workflows/run', { definition, payload }, { ...key, 'x-api-key': apiKeyOf(caller) });
    const [a, b, again] = [await ask('a'), await ask('b'), await ask('a')];
    expect(a.json().id).not.toBe(b.json().id);
    expect(again.json().id).toBe(a.json().id);
  });
});

describe('POST /workflows/definitions/{name}/{version}/run', () => {
  const stored = { ...definition, requiredPayload: [] };

  it('runs a stored version and the latest', async () => {
    await post('/workflows/definitions', stored);
    api.now += 1000;
    await post('/workflows/definitions', { ...stored, version: '2' });
    const first = await post('/workflows/definitions/order/1/run', { payload });
    const latest = await api.server.inject({ method: 'POST', url: '/workflows/definitions/order/latest/run' });
    expect([first.statusCode, latest.statusCode]).toEqual([200, 200]);
    expect(await api.store.getExecution(first.json().id)).toMatchObject({ version: '1' });
    expect(await api.store.getExecution(latest.json().id)).toMatchObject({ version: '2' });
  });

  it('knows no other', async () => {
    const answer = await post('/workflows/definitions/order/9/run', {});
    expect(answer.statusCode).toBe(404);
    expect(answer.json().errors).toEqual(['There is no definition "order" with version "9".']);
  });
});

describe('waitMillis', () => {
  it('answers with the status document once it is over', async () => {
    api.onSubmitted = (id) => api.drive(id, () => response(200, { done: true }));
    const answer = await post('/workflows/run?waitMillis=5000', { definition, payload });
    expect(answer.json()).toMatchObject({
      status: 'SUCCEEDED',
      result: { done: true },
      currentNodes: [],
      standing: [],
    });
  });

  it('is woken by a checkpoint', async () => {
    const began = performance.now();
    api.onSubmitted = (id) => {
      setTimeout(() => void api.drive(id), 30);
      return Promise.resolve();
    };
    const answer = await post('/workflows/run?waitMillis=999999', { definition, payload });
    expect(answer.json().status).toBe('SUCCEEDED');
    expect(performance.now() - began).toBeLessThan(900);
  });

  it('answers with what there is when the time is up', async () => {
    const answer = await post('/workflows/run?waitMillis=-5', { definition, payload });
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toMatchObject({ status: 'IN_PROGRESS', round: 1, retryable: false });
  });

  it('is refused, before anything is started, when too many wait', async () => {
    await api.close();
    api = await new ApiFixture({ limits: { maxOpenRequests: 1 } }).open();
    const first = post('/workflows/run?waitMillis=300', { definition, payload });
    await new Promise((resolve) => setTimeout(resolve, 50));
    const second = await post('/workflows/run?waitMillis=300', { definition, payload });
    expect(second.statusCode).toBe(429);
    expect(second.headers['retry-after']).toBe('1');
    expect((await first).statusCode).toBe(200);
    expect((await api.store.listExecutions({}, { limit: 10 })).items).toHaveLength(1);
  });
});
