import { connect } from 'node:net';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiFixture, response } from '../../../test/api-fixture.ts';
import { maxPendingCallbacks } from '../../core/admission.ts';
import { CallbackTokens } from '../../security/callback-token.ts';

const definition = {
  name: 'approval',
  version: '1',
  entrypoint: 'ask me',
  nodes: [
    {
      kind: 'task',
      id: 'ask me',
      action: {
        mode: 'async',
        request: {
          url: 'http://shop.example/ask?{{payload.q}}',
          verb: 'POST',
          headers: { 'X-T': '{{runtime.callback.token}}' },
        },
        callback: { timeoutMillis: 60_000, pendingWhen: { '==': [{ var: 'callback.body.state' }, 'pending'] } },
      },
    },
  ],
};

let api: ApiFixture;
let id: string;
let token: string;
beforeEach(async () => {
  api = await new ApiFixture().open();
  id = await api.run(definition);
  await api.drive(id);
  token = await api.tokenFor(id, 'ask me');
});
afterEach(() => api.close());

interface Sent {
  readonly token?: string | undefined;
  readonly type?: string;
  readonly id?: string;
  readonly node?: string;
  readonly coding?: string;
}

const send = (body: string | Buffer | undefined, sent: Sent = {}) => {
  const given = 'token' in sent ? sent.token : token;
  return api.server.inject({
    method: 'POST',
    url: `/workflows/${sent.id ?? id}/node/${encodeURIComponent(sent.node ?? 'ask me')}/callback`,
    ...(body !== undefined && { payload: body }),
    headers: {
      ...(given !== undefined && { 'x-callback-token': given }),
      ...(body !== undefined && { 'content-type': sent.type ?? 'application/json' }),
      ...(sent.coding !== undefined && { 'content-encoding': sent.coding }),
      // A callback may come from any host, through any proxy.
      host: 'trama.example',
      'x-forwarded-for': '192.0.2.1',
    },
  });
};

describe('a callback', () => {
  it('finishes the node', async () => {
    const answer = await send('{"sum":10.10}');
    expect([answer.statusCode, answer.json()]).toEqual([202, { id, status: 'ACCEPTED' }]);
    expect(api.rings).toEqual([id]);
    await api.drive(id);
    const document = await api.server.inject(`/workflows/${id}`);
    expect(document.json().status).toBe('SUCCEEDED');
    expect(document.body).toContain('"result":{"sum":10.10}');
  });

  it('is refused once very many were judged pending, unless it decides', async () => {
    const report = (n: number) => send(JSON.stringify({ state: 'pending', n }));
    for (let n = 0; n < maxPendingCallbacks; n++) expect((await report(n)).statusCode).toBe(202);
    const refused = await report(-1);
    expect([refused.statusCode, refused.json().code]).toEqual([429, 'callback_rate_limited']);
    expect(api.rejected).toEqual(['rate_limited']);
    expect((await report(5)).statusCode).toBe(202);
    expect((await send('{"state":"done"}')).statusCode).toBe(202);
  });

  it.each(['json', 'text', '/', ' ', 'text/plain, text/html', 'text/plain', 'application/octet-stream'])(
    'keeps its body as text under the Content-Type %j',
    async (type) => {
      expect((await send('{"a":1}', { type })).statusCode).toBe(202);
      await api.drive(id);
      const document = await api.server.inject(`/workflows/${id}`);
      expect(document.json()).toMatchObject({ status: 'SUCCEEDED', result: '{"a":1}' });
    },
  );

  it('comes by the signed URL too', async () => {
    const answer = await api.server.inject({
      method: 'POST',
      url: new URL(api.tokens.signedUrl('http://t.example', id, 'ask me', token)).pathname,
      payload: { a: 1 },
    });
    expect(answer.statusCode).toBe(202);
  });

  it.each<[string, Buffer, Sent, unknown]>([
    ['JSON in gzip', gzipSync('{"a":1}'), { coding: 'gzip' }, { a: 1 }],
    ['text in brotli', brotliCompressSync('é'), { coding: 'br', type: 'text/plain' }, 'é'],
    ['JSON in Latin-1', Buffer.from('"é"', 'latin1'), { type: 'application/json; charset=latin1' }, 'é'],
    ['text in UTF-16', Buffer.from('é', 'utf16le'), { type: 'text/plain; charset=utf-16le' }, 'é'],
    ['an image', Buffer.from([0x89, 0xff]), { type: 'image/png' }, 'if8='],
  ])('decodes %s', async (_case, body, sent, kept) => {
    expect((await send(body, sent)).statusCode).toBe(202);
    // A repeated body is a duplicate, whatever its coding.
    expect((await send(body, sent)).statusCode).toBe(200);
    await api.drive(id);
    expect((await api.server.inject(`/workflows/${id}`)).json().result).toEqual(kept);
  });

  it.each<[string, Buffer, Sent, number, string]>([
    ['a bomb', gzipSync(Buffer.alloc(2 ** 26)), { coding: 'gzip' }, 413, 'too_large'],
    ['an unknown coding', Buffer.from('{}'), { coding: 'compress' }, 415, 'unsupported_content_coding'],
    ['what is no gzip', Buffer.from('{}'), { coding: 'gzip' }, 400, 'callback_malformed'],
    ['JSON that is not UTF-8', Buffer.from('"é"', 'latin1'), {}, 400, 'callback_malformed'],
    ['text that is not UTF-8', Buffer.from('é', 'latin1'), { type: 'text/plain' }, 400, 'callback_malformed'],
    ['an unknown charset', Buffer.from('{}'), { type: 'application/json; charset=x' }, 400, 'callback_malformed'],
  ])('does not take %s for content', async (_case, body, sent, status, code) => {
    const refused = await send(body, sent);
    expect([refused.statusCode, refused.json().code]).toEqual([status, code]);
    expect(api.rejected).toEqual(code === 'too_large' ? [] : ['malformed']);
    // The refused body did not bind the token.
    expect((await send('{}')).statusCode).toBe(202);
  });

  it('is refused where the header has another token than the URL', async () => {
    const url = new URL(api.tokens.signedUrl('http://t.example', id, 'ask me', token)).pathname;
    const post = (header: string) =>
      api.server.inject({ method: 'POST', url, payload: { a: 1 }, headers: { 'x-callback-token': header } });
    const refused = await post(`${token}x`);
    expect([refused.statusCode, refused.json().code]).toEqual([400, 'callback_malformed']);
    expect((await post(token)).statusCode).toBe(202);
  });

  it.each([
    ['text', 'hello', 'text/plain', 'hello'],
    ['JSON that is called text', '{"a":1}', 'text/plain', '{"a":1}'],
    ['JSON of a kind', '{"a":1}', 'application/problem+json; charset=utf-8', { a: 1 }],
    ['nothing', undefined, '', null],
  ])('keeps %s', async (_case, body, type, kept) => {
    expect((await send(body, { type })).statusCode).toBe(202);
    await api.drive(id);
    expect((await api.server.inject(`/workflows/${id}`)).json().result).toEqual(kept);
  });

  it('is answered alike when it comes again, also after the end', async () => {
    await send('{"a":1}');
    expect((await send('{"a":1}')).statusCode).toBe(200);
    await api.drive(id);
    expect((await send('{"a":1}')).statusCode).toBe(200);
    const other = await send('{"a": 1}');
    expect([other.statusCode, other.json().code]).toEqual([409, 'callback_other_body']);
    expect(api.rejected).toEqual(['other_body']);
  });

  it('may say that it is pending, and again, and then decide', async () => {
    expect((await send('{"state":"pending"}')).json().status).toBe('PENDING');
    await api.drive(id);
    expect((await send('{"state":"pending"}')).statusCode).toBe(202);
    expect((await api.server.inject(`/workflows/${id}`)).json().status).toBe('WAITING_CALLBACK');
    expect((await send('{"state":"done"}')).json().status).toBe('ACCEPTED');
    await api.drive(id);
    expect((await api.server.inject(`/workflows/${id}`)).json().status).toBe('SUCCEEDED');
  });

  it('that comes before the node has parked is kept', async () => {
    const early = await api.run(definition);
    let sent: Promise<{ statusCode: number }> | undefined;
    await api.drive(early, () => {
      sent ??= api.tokenFor(early, 'ask me').then((given) => send('{}', { id: early, token: given }));
      return response(202);
    });
    expect((await sent)?.statusCode).toBe(202);
    await api.drive(early);
    expect((await api.server.inject(`/workflows/${early}`)).json().status).toBe('SUCCEEDED');
  });
});

describe('a callback is refused', () => {
  const other = '00000000-0000-7000-8000-000000000000';

  it.each<[string, string, Sent, number, string, string]>([
    ['without a token', '{}', { token: undefined }, 400, 'callback_malformed', 'The callback has no token.'],
    ['with an empty token', '{}', { token: '' }, 400, 'callback_malformed', 'The callback has no token.'],
    ['with a malformed token', '{}', { token: 'abc' }, 400, 'callback_malformed', 'The callback token is malformed.'],
    ['with malformed JSON', '{"a":', {}, 400, 'callback_malformed', 'The body is not valid JSON.'],
    [
      'with a key that stands twice',
      '{"ok":true,"why":{"ok":1,"ok":2}}',
      {},
      400,
      'callback_malformed',
      'why.ok: This key stands twice in its object, the second time at line 1, column 26.',
    ],
    ['on a path without UUID', '{}', { id: 'x' }, 400, 'invalid_request', 'id: Must be a UUID.'],
    [
      'of another node',
      '{}',
      { node: 'b' },
      401,
      'callback_signature',
      'The callback token is not for this execution and node.',
    ],
    [
      'of another execution',
      '{}',
      { id: other },
      401,
      'callback_signature',
      'The callback token is not for this execution and node.',
    ],
  ])('%s', async (_case, body, sent, status, code, sentence) => {
    const answer = await send(body, sent);
    expect([answer.statusCode, answer.json().code, answer.json().errors]).toEqual([status, code, [sentence]]);
    expect((await api.server.inject(`/workflows/${id}`)).json().status).toBe('WAITING_CALLBACK');
  });

  it('with a forged signature, or a key that is unknown', async () => {
    const claims = { executionId: id, round: 1, nodeId: 'ask me', visit: 1, operation: 1, nonce: 'n' };
    const forged = new CallbackTokens([{ kid: 'default', secret: 'guessed' }]).issue(claims);
    const unknown = new CallbackTokens([{ kid: 'other', secret: 'guessed' }]).issue(claims);
    const answers = [await send('{}', { token: forged }), await send('{}', { token: unknown })];
    const refused = [401, ['The signature of the callback token does not hold.']];
    expect(answers.map((answer) => [answer.statusCode, answer.json().errors])).toEqual([refused, refused]);
    expect(api.rejected).toEqual(['signature', 'unknown_kid']);
  });

  it('when malformed before its signature is looked at', async () => {
    const forged = new CallbackTokens([{ kid: 'default', secret: 'guessed' }]).issue({
      executionId: id,
      round: 1,
      nodeId: 'ask me',
      visit: 1,
      operation: 1,
      nonce: 'n',
    });
    expect((await send('{', { token: forged })).statusCode).toBe(400);
  });

  /** The server's answer after the headers of a callback, and after the body if the server reads it. */
  const answerBefore = async (body: string, headers: Readonly<Record<string, string>>): Promise<string> => {
    const { port } = new URL(await api.server.listen({ port: 0, host: '127.0.0.1' }));
    const socket = connect(Number(port), '127.0.0.1').setEncoding('latin1');
    const lines = Object.entries({ host: 'localhost', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`POST /workflows/${id}/node/ask%20me/callback HTTP/1.1\r\n${lines.join('')}\r\n${body}`);
    let text = '';
    for await (const part of socket as AsyncIterable<string>) {
      text += part;
      if (/\r\n\r\n.*"requestId"/s.test(text)) break;
    }
    return `${/ (\d+) /.exec(text)?.[1] ?? ''} ${/"code":"(\w+)"/.exec(text)?.[1] ?? ''}`;
  };

  it.each<[string, string, string, Readonly<Record<string, string>>, string]>([
    ['its token is malformed', 'nonsense', '', { 'content-length': '10' }, '400 callback_malformed'],
    [
      'it is forged and text',
      'forged',
      '',
      { 'content-length': '10', 'content-type': 'text/plain' },
      '401 callback_signature',
    ],
    [
      'it is forged and coded',
      'forged',
      '',
      { 'content-length': '10', 'content-type': 'application/json', 'content-encoding': 'gzip' },
      '401 callback_signature',
    ],
    ['it is forged and long', 'forged', '', { 'content-length': '65537' }, '401 callback_signature'],
    ['it is forged and of unknown length', 'forged', '', { 'transfer-encoding': 'chunked' }, '401 callback_signature'],
    ['its body is too large', 'good', '', { 'content-length': '1048577' }, '413 too_large'],
    [
      'its body of unknown length becomes too large',
      'good',
      `100001\r\n${'x'.repeat(0x100001)}\r\n`,
      { 'transfer-encoding': 'chunked' },
      '413 too_large',
    ],
  ])('before its body is there when %s', async (_case, kind, body, headers, answer) => {
    const claims = { executionId: id, round: 1, nodeId: 'ask me', visit: 1, operation: 1, nonce: 'n' };
    const forged = new CallbackTokens([{ kid: 'default', secret: 'guessed' }]).issue(claims);
    const given = kind === 'forged' ? forged : kind === 'good' ? token : kind;
    api.breakStore();
    const type = { 'content-type': 'application/json' };
    expect(await answerBefore(body, { 'x-callback-token': given, ...type, ...headers })).toBe(answer);
  });

  it('by its path before its token', async () => {
    const answer = await send('{}', { id: 'x', token: 'nonsense' });
    expect([answer.statusCode, answer.json().code]).toEqual([400, 'invalid_request']);
  });

  it('of an execution that is gone', async () => {
    const gone = api.tokens.issue({
      executionId: other,
      round: 1,
      nodeId: 'ask me',
      visit: 1,
      operation: 1,
      nonce: 'n',
    });
    expect((await send('{}', { token: gone, id: other })).statusCode).toBe(404);
  });

  it('once no node waits', async () => {
    await api.server.inject({ method: 'POST', url: `/workflows/${id}/terminate` });
    await api.drive(id);
    const answer = await send('{}');
    expect([answer.statusCode, answer.json().code]).toEqual([410, 'callback_not_waiting']);
  });

  it('while the store is away, and may come again', async () => {
    api.breakStore();
    const answer = await send('{}');
    expect([answer.statusCode, answer.headers['retry-after']]).toEqual([503, '1']);
    expect(answer.body).not.toContain('hunter2');
  });
});
