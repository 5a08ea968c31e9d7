/** The callback route over a real socket: every status code, in the order of its checks. */
import { beforeAll, describe, expect, it } from 'vitest';
import { openStage } from '../stage/stage.ts';

const stage = openStage();
const missing = '0190a5a0-0000-7000-8000-000000000000';
let id: string;
let token: string;
let to: string;

beforeAll(async () => {
  const saga = stage.saga('callbacks');
  id = await stage.run(saga.graph([saga.asyncTask('ask', {}, { failureWhen: { var: 'callback.body.no' } })]));
  await stage.untilStatus(id, 'WAITING_CALLBACK');
  ({ to, token } = await stage.callbackOf('/callbacks/ask'));
});

/** A character of the signature changed. */
const forged = (): string => `${token.slice(0, -2)}${token.at(-2) === 'A' ? 'B' : 'A'}${token.slice(-1)}`;

const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  stage.ask('POST', path, body, headers);
const route = (execution = id, node = 'ask'): string => `/workflows/${execution}/node/${node}/callback`;
const withToken = (value: string): Record<string, string> => ({ 'x-callback-token': value });

describe('a callback', () => {
  it('has a signed URL: the URL with the token as its last segment', () => {
    expect(to).toBe(`${stage.url}${route()}/${token}`);
  });

  it('is refused in the order of the checks', async () => {
    // 400 before 401: the body is read before the signature is looked at, a malformed token before both.
    expect(await post(route(), '{}')).toMatchObject({ status: 400, body: { code: 'callback_malformed' } });
    expect(await post(route(), '{', withToken('x'))).toMatchObject({ status: 400 });
    expect(await post(route(), '{', withToken(forged()))).toMatchObject({
      status: 400,
      body: { code: 'callback_malformed' },
    });
    expect(await post(route('x'), '{}', withToken(token))).toMatchObject({
      status: 400,
      body: { code: 'invalid_request' },
    });
    // 401 before 404: who has no good token learns nothing of what exists.
    expect(await post(route(), '{}', withToken(forged()))).toMatchObject({
      status: 401,
      body: { code: 'callback_signature' },
    });
    expect(await post(route(missing), '{}', withToken(forged()))).toMatchObject({ status: 401 });
    expect(await post(route(missing), '{}', withToken(token))).toMatchObject({ status: 401 });
    expect(await post(route(id, 'other'), '{}', withToken(token))).toMatchObject({ status: 401 });
    expect(await post(`${route()}/${forged()}`, '{}')).toMatchObject({ status: 401 });
    // Nothing of it touched the execution.
    expect((await stage.show(id)).status).toBe('WAITING_CALLBACK');
  });

  it('never quotes a token', async () => {
    for (const answer of [await post(route(), '{}', withToken(forged())), await post(`${route()}/${forged()}`, '{}')]) {
      expect(answer.text).not.toContain(forged());
    }
  });

  it('is accepted once, then answered alike: 202, 200, and 409 for another body, also after the end', async () => {
    expect(await post(to, '{"yes":1}')).toMatchObject({ status: 202, body: { id, status: 'ACCEPTED' } });
    await stage.untilEnd(id);
    expect(await post(to, '{"yes":1}')).toMatchObject({ status: 200, body: { id, status: 'ACCEPTED' } });
    expect(await post(route().replace('/workflows', '/sagas'), '{"yes":1}', withToken(token))).toMatchObject({
      status: 200,
    });
    // The same value in other bytes is another body.
    expect(await post(to, '{"yes": 1}')).toMatchObject({ status: 409, body: { code: 'callback_other_body' } });
    // A body that cannot be read comes before what is known of the token.
    expect(await post(to, '{"yes"')).toMatchObject({ status: 400 });
  });

  it('is counted under its definition, and under none where its token is forged', async () => {
    const { text } = await stage.ask('GET', '/metrics');
    const of = 'saga_name="callbacks",saga_version="1"';
    expect(text).toContain(`\nsaga_callback_received_total{${of}} 1\n`);
    expect(text).toContain(`\nsaga_callback_rejected_total{${of},reason="other_body"} 1\n`);
    expect(text).toMatch(/\nsaga_callback_rejected_total\{saga_name="",saga_version="",reason="signature"\} \d/);
    expect(text).toMatch(new RegExp(`\nsaga_node_duration_seconds_count\\{${of},node_kind="task",mode="async"\\} 1\n`));
  });

  it('is 410 when the node no longer waits', async () => {
    const saga = stage.saga('gone');
    const gone = await stage.run(saga.graph([saga.asyncTask('ask')]));
    await stage.untilStatus(gone, 'WAITING_CALLBACK');
    await stage.control(gone, 'terminate');
    await stage.untilEnd(gone);
    const answer = await post((await stage.callbackOf('/gone/ask')).to, '{}');
    expect(answer).toMatchObject({ status: 410, body: { code: 'callback_not_waiting' } });
  });

  it.each([
    ['application/json', '{"a":[1]}', { a: [1] }],
    ['application/vnd.x+json; charset=utf-8', '7', 7],
    ['text/plain', '{"a":1}', '{"a":1}'],
    ['application/x-www-form-urlencoded', 'a=1', 'a=1'],
    ['application/octet-stream', '', null],
    ['application/json', '', null],
  ])('of type %s takes %j as %j', async (type, body, value) => {
    const saga = stage.saga(`typed-${type.replaceAll(/\W/g, '-')}-${body.length}`);
    const one = await stage.run(saga.graph([saga.asyncTask('ask')]));
    await stage.untilStatus(one, 'WAITING_CALLBACK');
    const address = (await stage.callbackOf(`/${saga.name}/ask`)).to;
    expect(await post(address, body, { 'content-type': type })).toMatchObject({ status: 202 });
    expect((await stage.untilEnd(one)).result).toEqual(value);
  });

  it('is open to anybody who has its token, also behind a proxy', async () => {
    const saga = stage.saga('proxied');
    const one = await stage.run(saga.graph([saga.asyncTask('ask')]));
    await stage.untilStatus(one, 'WAITING_CALLBACK');
    const proxied = { 'x-forwarded-for': '203.0.113.9', forwarded: 'for=203.0.113.9' };
    expect(await stage.ask('GET', `/workflows/${one}`, undefined, proxied)).toMatchObject({ status: 403 });
    expect(await post((await stage.callbackOf('/proxied/ask')).to, '{}', proxied)).toMatchObject({ status: 202 });
    expect(await stage.untilEnd(one)).toMatchObject({ status: 'SUCCEEDED' });
  });
});
