/** What goes out: bodies, types, escapes, and the calls that never go out. */
import { describe, expect, it } from 'vitest';
import { openStage } from '../stage/stage.ts';

const stage = openStage();
const { downstream } = stage;
const payload = { name: 'Zoë "Z" <&>', list: [1, 'x'], no: null, n: 1, empty: '', dots: '..', line: 'a\r\nb' };

describe('a request', () => {
  it.concurrent.each([
    [
      'a JSON value',
      { a: '{{payload.n}}', b: 'n: {{payload.n}}', c: '{{payload.gone}}', d: '{{payload.list}}' },
      'application/json',
      '{"a":1,"b":"n: 1","c":null,"d":[1,"x"]}',
    ],
    [
      'JSON in a text',
      '{"name":"{{payload.name}}","list":{{payload.list}},"no":{{payload.gone}},"e":"{{payload.gone}}"}',
      'application/json',
      '{"name":"Zoë \\"Z\\" <&>","list":[1,"x"],"no":null,"e":""}',
    ],
    ['text', 'Dear {{payload.name}}', 'text/plain', 'Dear Zoë "Z" <&>'],
    ['a wrapped template', { value: '{"n":{{payload.n}}}' }, 'application/json', '{"n":1}'],
    [
      'sections',
      '[{{#payload.list}}"{{.}}",{{/payload.list}}{{^payload.gone}}0{{/payload.gone}}]',
      'application/json',
      '["1","x",0]',
    ],
  ])('with %s has its type and its escapes', async (what, body, type, sent) => {
    const saga = stage.saga(`body-${what.replaceAll(' ', '-')}`);
    expect(await stage.finish(saga.graph([saga.task('a', {}, { body })]), { payload })).toMatchObject({
      status: 'SUCCEEDED',
    });
    const [got] = downstream.calls(`/${saga.name}/a`);
    expect(got!.body).toBe(sent);
    expect(got!.headers['content-type']).toMatch(new RegExp(`^${type}`));
  });

  it.concurrent.each([
    ['application/x-www-form-urlencoded', 'name={{payload.name}}', 'name=Zo%C3%AB+%22Z%22+%3C%26%3E'],
    ['application/xml', '<n>{{payload.name}}</n>', '<n>Zoë &quot;Z&quot; &lt;&amp;&gt;</n>'],
    [
      'application/x-www-form-urlencoded; charset=utf-8',
      {
        name: '{{payload.name}}',
        'n m': '{{payload.n}}',
        gone: '{{payload.gone}}',
        no: null,
        list: ['{{payload.list}}'],
      },
      'name=Zo%C3%AB+%22Z%22+%3C%26%3E&n+m=1&gone=&list=%5B%5B1%2C%22x%22%5D%5D',
    ],
  ])('of type %s is escaped for it: %j', async (type, body, sent) => {
    const saga = stage.saga(`type-${type.replaceAll(/\W/g, '-')}-${typeof body}`);
    await stage.finish(saga.graph([saga.task('a', {}, { body, headers: { 'Content-Type': type } })]), { payload });
    expect(downstream.calls(`/${saga.name}/a`)[0]!.body).toBe(sent);
  });

  it.concurrent('is refused with its definition where its body cannot be of its type', async () => {
    const saga = stage.saga('type-that-cannot-be');
    const definition = saga.graph([saga.task('a', {}, { body: { a: 1 }, headers: { 'Content-Type': 'text/xml' } })]);
    const answer = await stage.ask('POST', '/workflows/definitions', definition);
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_definition']);
    expect(answer.body.errors).toEqual([
      expect.stringContaining(
        'A body given as JSON is sent as JSON, which is not text/xml; write the body as a string.',
      ),
    ]);
  });

  it.concurrent('escapes what comes into its URL', async () => {
    const saga = stage.saga('url');
    const url = `${downstream.url}/url/a?q={{payload.name}}&gone={{payload.gone}}`;
    await stage.finish(saga.graph([saga.task('a', {}, { url })]), { payload });
    expect(downstream.calls('/url/a')[0]!.path).toBe('/url/a?q=Zo%C3%AB%20%22Z%22%20%3C%26%3E&gone=');
  });

  it.concurrent.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'])('may be %s', async (verb) => {
    const saga = stage.saga(`verb-${verb}`);
    expect(await stage.finish(saga.graph([saga.task('a', {}, { verb })]))).toMatchObject({ status: 'SUCCEEDED' });
    expect(downstream.calls(`/${saga.name}/a`)[0]!.verb).toBe(verb);
  });
});

describe('a call is unsent, without retry, and says why', () => {
  it.concurrent.each([
    ['a missing value in the path', { url: '/{{payload.gone}}/x' }, 'payload.gone'],
    ['a null in the path', { url: '/x/{{payload.no}}' }, 'payload.no'],
    ['an empty text in the path', { url: '/x/{{payload.empty}}/y' }, 'payload.empty'],
    ['a dot segment', { url: '/x/{{payload.dots}}/y' }, '..'],
    ['a line break in a header', { url: '/x', headers: { 'X-Line': '{{{payload.line}}}' } }, 'payload.line'],
  ])('for %s', async (what, request, said) => {
    const saga = stage.saga(`unsent-${what.replaceAll(' ', '-')}`);
    const patient = { type: 'retry', maxAttempts: 3, delayMillis: 1 };
    const changes = { ...request, url: `${downstream.url}/${saga.name}${request.url}` };
    const document = await stage.finish(saga.graph([saga.task('a', { failureHandling: patient }, changes)]), {
      payload,
    });
    expect(document).toMatchObject({ status: 'FAILED', reason: 'unsent', standing: [] });
    expect(document.failureDescription).toContain(said);
    expect(await stage.calls(document.id)).toMatchObject([{ attempt: 1, outcome: 'unsent', success: false }]);
    expect(downstream.order(`/${saga.name}/`)).toEqual([]);
  });
});
