import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ApiFixture } from '../../../test/api-fixture.ts';

const steps = [{ name: 'a', up: { url: 'http://a.example/', verb: 'GET' } }];
const body = Buffer.from(JSON.stringify({ definition: { name: 'a', version: '1', steps }, payload: { text: '→é🎈' } }));

let api: ApiFixture;
beforeEach(async () => {
  api = await new ApiFixture({ limits: { maxRequestBytes: body.length } }).open();
  await api.server.listen({ port: 0, host: '127.0.0.1' });
});
afterEach(() => api.close());

/** Posts chunks of a body, each in a write of its own. */
async function post(chunks: readonly Buffer[], headers: Record<string, string>): Promise<[number, string]> {
  const { port } = api.server.server.address() as AddressInfo;
  const { promise, resolve, reject } = Promise.withResolvers<[number, string]>();
  const sent = request({
    port,
    host: '127.0.0.1',
    path: '/workflows/run',
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
  });
  sent.on('error', reject).on('response', (answer) => {
    let text = '';
    answer.setEncoding('utf8').on('data', (part: string) => (text += part));
    answer.on('end', () => resolve([answer.statusCode ?? 0, text]));
  });
  sent.setNoDelay(true);
  for (const chunk of chunks) {
    sent.write(chunk);
    await turn();
  }
  sent.end();
  return promise;
}

const inBytes = (bytes: Buffer): readonly Buffer[] => Array.from(bytes, (byte) => Buffer.of(byte));

it.each<[string, Record<string, string>]>([
  ['of a known length', { 'content-length': String(body.length) }],
  ['of an unknown length', { 'transfer-encoding': 'chunked' }],
])('puts a body %s together that comes byte by byte', async (_what, headers) => {
  const [status, text] = await post(inBytes(body), headers);
  expect(status).toBe(200);
  const document = await api.server.inject(`/workflows/${(JSON.parse(text) as { id: string }).id}`);
  expect(document.json().payload).toEqual({ text: '→é🎈' });
});

it('refuses a body of one byte too many, announced or not', async () => {
  const longer = Buffer.concat([body, Buffer.from(' ')]);
  for (const headers of [{ 'content-length': String(longer.length) }, { 'transfer-encoding': 'chunked' }]) {
    const [status, text] = await post([longer], headers);
    expect([status, (JSON.parse(text) as { code: string }).code]).toEqual([413, 'too_large']);
  }
});
