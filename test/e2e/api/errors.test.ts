/** The error model, over a real socket: one shape, the right status, and nothing of the inside. */
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { openStage } from '../stage/stage.ts';

const stage = openStage({ SECURITY_LIMITS_MAXREQUESTBYTES: '20000' });
const missing = '0190a5a0-0000-7000-8000-000000000000';
const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;

const cases: readonly (readonly [string, string, string, unknown, Record<string, string>, number, string])[] = [
  ['no such route', 'GET', '/nope', undefined, {}, 404, 'unknown_route'],
  ['no such method', 'PATCH', '/workflows/run', {}, {}, 404, 'unknown_route'],
  ['malformed JSON', 'POST', '/workflows/run', '{"definition":', {}, 400, 'malformed_json'],
  ['no body', 'POST', '/workflows/run', undefined, {}, 400, 'invalid_request'],
  ['a list as the body', 'POST', '/workflows/run', '[]', {}, 400, 'invalid_request'],
  ['an unknown field', 'POST', '/workflows/run', { definition: {}, extra: 1 }, {}, 400, 'invalid_request'],
  ['an unknown query parameter', 'POST', '/workflows/run?x=1', { definition: {} }, {}, 400, 'invalid_request'],
  [
    'a payload that is no object',
    'POST',
    '/workflows/run',
    { definition: {}, payload: [] },
    {},
    400,
    'invalid_request',
  ],
  ['JSON that is too deep', 'POST', '/workflows/run', `{"definition":${nested(64)}}`, {}, 400, 'invalid_request'],
  [
    'another type',
    'POST',
    '/workflows/run',
    'a=1',
    { 'content-type': 'application/x-www-form-urlencoded' },
    415,
    'unsupported_media_type',
  ],
  ['a body that is too large', 'POST', '/workflows/run', `{"a":"${'x'.repeat(20_000)}"}`, {}, 413, 'too_large'],
  ['a definition that is none', 'POST', '/workflows/run', { definition: {} }, {}, 400, 'invalid_definition'],
  ['no UUID', 'GET', '/workflows/12345', undefined, {}, 400, 'invalid_request'],
  ['no UUID, deeper', 'POST', '/workflows/12345/retry', {}, {}, 400, 'invalid_request'],
  ['an unknown execution', 'GET', `/workflows/${missing}`, undefined, {}, 404, 'unknown_execution'],
  ['the steps of an unknown execution', 'GET', `/workflows/${missing}/steps`, undefined, {}, 404, 'unknown_execution'],
  [
    'the calls of an unknown execution',
    'GET',
    `/workflows/${missing}/steps/calls`,
    undefined,
    {},
    404,
    'unknown_execution',
  ],
  [
    'the definition of an unknown execution',
    'GET',
    `/workflows/${missing}/definition`,
    undefined,
    {},
    404,
    'unknown_execution',
  ],
  [
    'a preview of an unknown execution',
    'GET',
    `/sagas/${missing}/cancel-preview`,
    undefined,
    {},
    404,
    'unknown_execution',
  ],
  ['an unknown definition', 'GET', `/workflows/definitions/${missing}`, undefined, {}, 404, 'unknown_definition'],
  ['an unknown field in a control', 'POST', `/workflows/${missing}/cancel`, { why: 'x' }, {}, 400, 'invalid_request'],
  ['an incomplete resolve', 'POST', `/workflows/${missing}/resolve`, { nodeId: 'a' }, {}, 400, 'invalid_request'],
  [
    'a name that is not this machine',
    'GET',
    '/workflows',
    undefined,
    { 'x-forwarded-host': 'x' },
    403,
    'loopback_only',
  ],
  [
    'a page of another origin',
    'GET',
    '/workflows',
    undefined,
    { origin: 'https://evil.example' },
    403,
    'loopback_only',
  ],
];

describe('an error', () => {
  it.each(cases)('%s', async (_what, method, path, body, headers, status, code) => {
    const answer = await stage.ask(method, path, body, headers);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect(Object.keys(answer.body).toSorted()).toEqual(['code', 'errors', 'requestId']);
    expect(answer.body.errors.length).toBeGreaterThan(0);
    for (const error of answer.body.errors) expect(error).toMatch(/^[A-Zw"a-z].+[.]$/);
    expect(answer.body.requestId).toBe(answer.headers.get('x-request-id'));
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(answer.text).not.toMatch(/node_modules|\.ts:\d|at \w+ \(/);
  });

  it('takes the id of a client', async () => {
    const answer = await stage.ask('GET', '/nope', undefined, { 'x-request-id': 'mine-7' });
    expect(answer.body.requestId).toBe('mine-7');
  });

  it('is answered to what is no HTTP at all', async () => {
    const { port } = new URL(stage.url);
    const text = await new Promise<string>((resolve, reject) => {
      let got = '';
      connect(Number(port), '127.0.0.1')
        .on('data', (chunk: Buffer) => (got += chunk.toString()))
        .on('close', () => resolve(got))
        .on('error', reject)
        .end('HELLO\r\n\r\n');
    });
    expect(text).toMatch(/^HTTP\/1.1 400 /);
    expect(text).toContain('"code":"malformed_http"');
  });
});
