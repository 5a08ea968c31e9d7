import { describe, expect, it } from 'vitest';
import type { NodeView, RenderContext } from '../context/context.ts';
import { type Json, type JsonObject, parseJson } from '../value/json.ts';
import type { RenderLimits } from '../template/run.ts';
import type { TemplateOptions } from '../template/template.ts';
import { type RenderedRequest, renderRequest, renderStable, type UnsentRequest } from './render.ts';
import { compileRequest, type RequestPlan } from './request.ts';

const options: TemplateOptions = { nodeIds: new Set(['pay']), allow: { callback: true, failure: false } };

const pay: NodeView = {
  nodeId: 'pay',
  visit: 1,
  round: 1,
  idempotencyKey: 'key-1',
  response: { status: 200, headers: { location: 'http://moved/1' }, body: { host: 'answer' } },
};

function contextOf(payload: JsonObject, more: Partial<RenderContext> = {}): RenderContext {
  const vars: Record<string, string> = {
    BASE: 'https://api.example.com/v1',
    HOST: 'h.example.com',
    S: 'https',
    EMPTY: '',
  };
  return {
    payload,
    labels: { host: 'label' },
    sagaId: 'e1',
    sagaName: 'order',
    sagaVersion: '3',
    stepName: 'pay',
    phase: 'UP',
    attempt: 1,
    round: 1,
    variable: (name) => vars[name],
    secret: (name) => (name.startsWith('NO') ? undefined : `secret-${name}`),
    node: (id) => (id === 'pay' ? pay : undefined),
    completed: ['pay'],
    prev: pay,
    callback: { url: 'https://trama/cb', token: 'tok', signedUrl: 'https://trama/cb/tok' },
    ...more,
  };
}

function compiled(call: Json): RequestPlan {
  const result = compileRequest(call, options);
  if ('errors' in result) throw new Error(JSON.stringify(result.errors));
  return result.request;
}

function problemsOf(call: Json): string[] {
  const result = compileRequest(call, options);
  return 'errors' in result ? result.errors.map(({ path, message }) => `${path}: ${message}`) : [];
}

function send(call: JsonObject, payload: JsonObject = {}, limits?: RenderLimits): RenderedRequest | UnsentRequest {
  return renderRequest(compiled({ verb: 'POST', url: 'http://h/', ...call }), contextOf(payload), limits);
}

function sent(call: JsonObject, payload: JsonObject = {}): RenderedRequest {
  const result = send(call, payload);
  if (result.kind === 'unsent') throw new Error(result.reason);
  return result;
}

function unsent(call: JsonObject, payload: JsonObject = {}, limits?: RenderLimits): string {
  const result = send(call, payload, limits);
  return result.kind === 'unsent' ? result.reason : `sent ${result.url}`;
}

describe('URLs', () => {
  const odd = {
    id: 'a/b c?d#é',
    big: parseJson('9007199254740993'),
    empty: '',
    nil: null,
    list: ['x', 'y'],
    dots: '..',
    no: false,
  };
  it.each([
    ['http://h/o/{{payload.id}}', 'http://h/o/a%2Fb%20c%3Fd%23%C3%A9'],
    ['http://h/o/{{payload.big}}', 'http://h/o/9007199254740993'],
    ['http://h/o/{{payload.no}}', 'http://h/o/false'],
    [
      'http://h/o?q={{payload.id}}&r={{payload.nil}}&s={{payload.x}}&t={{payload.empty}}',
      'http://h/o?q=a%2Fb%20c%3Fd%23%C3%A9&r=&s=&t=',
    ],
    ['http://h/o#{{payload.nil}}', 'http://h/o#'],
    ['http://h?{{payload.nil}}', 'http://h?'],
    ['{{vars.BASE}}/orders/{{payload.big}}', 'https://api.example.com/v1/orders/9007199254740993'],
    ['{{vars.BASE}}', 'https://api.example.com/v1'],
    ['{{vars.BASE}}?x={{payload.nil}}', 'https://api.example.com/v1?x='],
    ['{{vars.S}}://{{vars.HOST}}:81/x', 'https://h.example.com:81/x'],
    ['http{{#payload.list}}{{/payload.list}}s://{{vars.HOST}}/', 'https://h.example.com/'],
    [
      '{{#payload.nil}}http://a{{/payload.nil}}{{^payload.nil}}http://b{{/payload.nil}}/{{payload.big}}',
      'http://b/9007199254740993',
    ],
    ['http://h/{{{payload.list.0}}}/{{#payload.list}}{{.}}-{{/payload.list}}', 'http://h/x/x-y-'],
    ['http://h/x{{payload.dots}}', 'http://h/x..'],
  ])('renders %s', (url, text) => {
    expect(sent({ url }, odd).url).toBe(text);
  });

  it.each([
    ['http://h/o/{{payload.x}}', `"payload.x" is missing, null or empty in the URL's path.`],
    ['http://h/o/{{payload.nil}}', `"payload.nil" is missing, null or empty in the URL's path.`],
    ['http://h/o/{{{payload.empty}}}', `"payload.empty" is missing, null or empty in the URL's path.`],
    [
      'http://h/o/{{nodes.pay.response.body.id}}',
      `"nodes.pay.response.body.id" is missing, null or empty in the URL's path.`,
    ],
    ['{{vars.BASE}}/o/{{payload.x}}?q={{payload.y}}', `"payload.x" is missing, null or empty in the URL's path.`],
    ['http://{{payload.x}}/', `"payload.x" is missing, null or empty in the URL's authority.`],
    ['http://{{vars.EMPTY}}.com/', `"vars.EMPTY" is missing, null or empty in the URL's authority.`],
    ['http://h{{payload.x}}', `"payload.x" is missing, null or empty in the URL's authority.`],
    ['{{payload.x}}/o', `"payload.x" is missing, null or empty in the URL's beginning.`],
    ['http://h/{{vars.NONE}}', '"vars.NONE" is not configured.'],
    ['http://h/?k={{secrets.NONE}}', '"secrets.NONE" is not configured.'],
    ['http://h/{{payload.dots}}/x', "The URL's path /../x has a dot segment."],
    ['http://h/{{{payload.enc}}}', "The URL's path /%2e%2E has a dot segment."],
    ['http://h/.{{payload.dot}}/x', "The URL's path /../x has a dot segment."],
    ['http://{{payload.at}}/', "The URL's host holds a character that no host has."],
    ['http://{{{payload.at}}}/', "The URL's authority holds user information."],
    ['http://{{payload.port}}/', "The URL's host holds a character that no host has."],
    ['{{payload.ftp}}', 'The URL does not begin with http:// or https://.'],
    ['http://h/{{{payload.line}}}', 'The URL holds a blank or a control character.'],
  ])('leaves %s unsent', (url, reason) => {
    const payload = {
      nil: null,
      empty: '',
      dots: '..',
      dot: '.',
      enc: '%2e%2E',
      at: 'a@b',
      port: 'h:80',
      ftp: 'ftp://x',
      line: 'a\r\nb',
    };
    expect(unsent({ url }, payload)).toBe(reason);
  });

  it.each([
    ['http://h/{{payload.x}}', false],
    ['http://h?{{payload.x}}', false],
    ['{{vars.BASE}}/{{payload.x}}', false],
    ['https://{{vars.HOST}}/{{payload.x}}', false],
    ['https://{{sagaName}}/', false],
    ['{{runtime.callback.url}}', false],
    ['https://{{#payload.x}}a{{/payload.x}}{{^payload.x}}b{{/payload.x}}/', false],
    ['https://{{#payload.x}}{{vars.HOST}}{{/payload.x}}{{^payload.x}}b{{/payload.x}}/', false],
    ['{{payload.url}}', true],
    ['{{{payload.url}}}/x', true],
    ['https://{{payload.x}}/', true],
    ['https://{{input.x}}/', true],
    ['https://h:{{payload.x}}/', true],
    ['https://h{{{payload.x}}}', true],
    ['https://{{labels.host}}/', true],
    ['https://{{nodes.pay.response.body.host}}/', true],
    ['{{nodes.pay.response.headers.location}}', true],
    ['https://{{step.pay.body.host}}/', true],
    ['https://{{prev.body.host}}/', true],
    ['https://{{#steps}}{{name}}{{/steps}}/', true],
    ['https://{{#payload.x}}{{.}}{{/payload.x}}/', true],
    ['{{vars.S}}://{{payload.x}}/', true],
    ['{{vars.BASE}}{{payload.x}}', true],
  ])('knows of %s whether data decides where it goes: %s', (url, fromData) => {
    expect(compiled({ verb: 'GET', url }).authorityFromData).toBe(fromData);
  });
});

describe('a secret in the authority', () => {
  it.each([
    'https://{{secrets.HOST}}/',
    '{{secrets.URL}}',
    '{{{secrets.URL}}}/x',
    'https://h:{{secrets.PORT}}/',
    'https://{{secrets.A}}.h.example/{{secrets.B}}',
    '{{vars.S}}{{secrets.S}}://h/',
    'https://{{runtime.callback.token}}.evil.example/',
  ])('is refused in %s', (url) => {
    const result = compileRequest({ verb: 'GET', url }, options);
    expect('errors' in result ? result.errors.map(({ message }) => message).join() : '').toContain(
      "stands in the URL's scheme, host or port, where no secret may",
    );
  });

  it('is unsent where only the rendering can tell', () => {
    const url = 'https://h{{#payload.s}}/{{/payload.s}}{{secrets.KEY}}';
    expect(sent({ url }, { s: true })).toMatchObject({ kind: 'request' });
    expect(send({ url }, {})).toEqual({
      kind: 'unsent',
      reason: expect.stringContaining('"secrets.KEY" stands in the URL\'s scheme, host or port'),
    });
  });
});

it('has a sentence for logs where the other one holds what was rendered', () => {
  const unsent = send({ url: 'https://h/{{{payload.v}}}' }, { v: 'canary/../x' });
  expect(unsent).toEqual({
    kind: 'unsent',
    reason: "The URL's path /canary/../x has a dot segment.",
    logged: "The URL's path has a dot segment.",
  });
});

describe('a URL with sections', () => {
  const optionalSlash = 'https://h{{#payload.s}}/{{/payload.s}}{{payload.v}}';
  const query = 'https://h/a{{#payload.s}}?q={{payload.q}}{{/payload.s}}{{payload.v}}';

  it('knows that data decides where it goes when the section that ended the host is left out', () => {
    const v = '.evil.example';
    expect(sent({ url: optionalSlash }, { v })).toMatchObject({
      url: 'https://h.evil.example',
      authorityFromData: true,
    });
    expect(sent({ url: optionalSlash }, { v, s: true })).toMatchObject({
      url: 'https://h/.evil.example',
      authorityFromData: false,
    });
  });

  it('asks for values in the path when the section that began the query is left out', () => {
    expect(unsent({ url: query }, { s: false })).toContain('"payload.v" is missing');
    expect(sent({ url: query }, { s: true }).url).toBe('https://h/a?q=');
    expect(sent({ url: query }, { s: false, v: 'b?c' }).url).toBe('https://h/ab%3Fc');
  });

  it('may choose between two beginnings', () => {
    const url = '{{#payload.s}}http://a/{{/payload.s}}{{^payload.s}}{{vars.BASE}}/{{/payload.s}}{{payload.v}}';
    expect(sent({ url }, { s: true, v: 'x y' })).toMatchObject({ url: 'http://a/x%20y', authorityFromData: false });
  });
});

describe('headers', () => {
  it('renders them in order, names as they are spelled', () => {
    const headers = {
      'X-Id': '{{payload.id}}',
      accept: 'text/plain',
      'X-Key': 'k={{secrets.A}}',
      'X-None': '{{payload.x}}',
      'X-Null': null,
    };
    const request = sent({ headers }, { id: parseJson('10.10') });
    expect(Object.entries(request.headers)).toEqual([
      ['X-Id', '10.10'],
      ['accept', 'text/plain'],
      ['X-Key', 'k=secret-A'],
      ['X-None', ''],
    ]);
    expect(request).toMatchObject({ secretsUsed: ['A'], kind: 'request', verb: 'POST' });
    expect('body' in request).toBe(false);
  });

  it.each(['a\r\nX-Evil: 1', 'a\nb', 'a\0'])('leaves a call with %j in a header unsent, naming the path', (v) => {
    expect(unsent({ headers: { 'X-A': 'a {{payload.v}}' } }, { v })).toContain('"payload.v"');
  });

  it.each([
    'Host',
    'content-length',
    'Transfer-Encoding',
    'Connection',
    'Keep-Alive',
    'Upgrade',
    'TE',
    'Trailer',
    'Expect',
    'Proxy-Authorization',
    'proxy-connection',
    '__proto__',
  ])('refuses %s', (name) => {
    const call = parseJson(`{"verb":"GET","url":"http://h/","headers":{"${name}":"x"}}`);
    expect(problemsOf(call)).toEqual([
      `.headers.${name}: The header ${name} belongs to the connection and cannot be set.`,
    ]);
  });

  it.each([
    [{ 'X A': 'x' }, '.headers.X A: "X A" is no name'],
    [{ '': 'x' }, '.headers.: "" is no name'],
    [{ 'X-{{a}}': 'x' }, 'is no name'],
    [{ 'X-A': 'a', 'x-a': 'b' }, '.headers.x-a: The header x-a is set twice.'],
    [{ 'X-A': 5 }, '.headers.X-A: The value'],
    [{ 'X-A': ['a'] }, '.headers.X-A: The value'],
    [{ 'X-A': 'a\nb' }, '.headers.X-A: The value'],
    [{ 'X-A': '{{nope}}' }, '.headers.X-A: The path "nope"'],
    ['x', '.headers: Headers are'],
  ] as [Json, string][])('refuses %j', (headers, why) => {
    const problems = problemsOf({ verb: 'GET', url: 'http://h/', headers });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(why);
  });
});

describe('bodies', () => {
  const payload = parseJson('{"s":"a\\"<&b","n":10.10,"o":{"k":1}}') as JsonObject;
  const json = 'application/json';
  const table: [name: string, call: JsonObject, body: string, contentType: string][] = [
    ['JSON', { body: { a: '{{payload.n}}', b: 'x{{payload.s}}' } }, '{"a":10.10,"b":"xa\\"<&b"}', json],
    ['a JSON array', { body: ['{{payload.o}}'] }, '[{"k":1}]', json],
    ['a number', { body: 5 }, '5', json],
    ['a text', { body: 'hello {{payload.s}}' }, 'hello a"<&b', 'text/plain'],
    ['a JSON text', { body: ' {"a":"{{payload.s}}","b":{{payload.o}}}' }, ' {"a":"a\\"<&b","b":{"k":1}}', json],
    ['a tag that renders JSON', { body: '{{payload.o}}' }, '{"k":1}', json],
    ['a tag that renders text', { body: '{{payload.s}}' }, 'a"<&b', 'text/plain'],
    ['a section before JSON', { body: '{{#payload.o}}[{{k}}]{{/payload.o}}' }, '[1]', json],
    ['a wrapped template', { body: { value: '{"a":{{payload.n}}}' } }, '{"a":10.10}', json],
    ['an object like a wrapped template', { body: { value: 5 } }, '{"value":5}', json],
    ['an object with value and more', { body: { value: '{{payload.n}}', x: 1 } }, '{"value":10.10,"x":1}', json],
    ['an empty text', { body: '' }, '', 'text/plain'],
  ];
  it.each(table)('%s', (_name, call, body, contentType) => {
    const request = sent(call, payload);
    expect(request.body).toBe(body);
    expect(request.headers).toEqual({ 'Content-Type': contentType });
  });

  it.each([
    ['application/json; charset=utf-8', '"{{payload.s}}"', '"a\\"<&b"'],
    ['application/problem+json', '"{{payload.s}}"', '"a\\"<&b"'],
    ['application/xml', '<a>{{payload.s}}</a>', '<a>a&quot;&lt;&amp;b</a>'],
    ['text/html', '{{payload.s}}', 'a&quot;&lt;&amp;b'],
    ['application/soap+xml', '{{{payload.s}}}', 'a"<&b'],
    ['application/x-www-form-urlencoded', 's={{payload.s}}', 's=a%22%3C%26b'],
    ['text/plain', '{"a":"{{payload.s}}"}', '{"a":"a"<&b"}'],
    ['{{payload.type}}', '{"a":"{{payload.s}}"}', '{"a":"a\\"<&b"}'],
  ])('escapes for %s', (contentType, body, text) => {
    const request = sent({ headers: { 'content-type': contentType }, body }, payload);
    expect(request.body).toBe(text);
    expect(Object.keys(request.headers)).toEqual(['content-type']);
  });

  it('has none where the definition has null', () => {
    expect(sent({ body: null })).not.toHaveProperty('body');
  });

  it('warns of a body that is taken for a template', () => {
    const result = compileRequest({ verb: 'POST', url: 'http://h/', body: { value: 'x' } }, options);
    expect(result).toMatchObject({ warnings: [{ path: '.body' }] });
    expect(compileRequest({ verb: 'POST', url: 'http://h/', body: 'x' }, options)).toMatchObject({ warnings: [] });
  });

  it('is left unsent when it needs what is not configured', () => {
    expect(unsent({ body: { a: ['{{secrets.NONE}}'] } })).toBe('"secrets.NONE" is not configured.');
    expect(unsent({ body: '{{vars.NONE}}' })).toBe('"vars.NONE" is not configured.');
  });
});

describe('limits', () => {
  const limits = { maxBytes: 1000, maxSteps: 1000 };
  it('bounds URL, headers and body together, in bytes', () => {
    const call = { url: 'http://h/', body: '{{payload.s}}' };
    expect(unsent(call, { s: 'x'.repeat(991) }, limits)).toBe('sent http://h/');
    expect(unsent(call, { s: 'x'.repeat(992) }, limits)).toBe('The rendered request is larger than 1000 bytes.');
    expect(unsent(call, { s: 'é'.repeat(495) }, limits)).toBe('sent http://h/');
    expect(unsent(call, { s: 'é'.repeat(496) }, limits)).toContain('larger than 1000 bytes');
    expect(unsent(call, { s: '€'.repeat(331) }, limits)).toContain('larger than 1000 bytes');
    expect(unsent(call, { s: '😀'.repeat(247) }, limits)).toBe('sent http://h/');
    expect(unsent(call, { s: '😀'.repeat(248) }, limits)).toContain('larger than 1000 bytes');
    expect(unsent({ headers: { 'X-A': '{{payload.s}}' } }, { s: 'x'.repeat(990) }, limits)).toContain('larger');
    expect(unsent({}, {}, { ...limits, maxBytes: 5 })).toContain('larger than 5 bytes');
  });

  it('bounds the steps of all templates together', () => {
    const body = '{{#payload.l}}x{{/payload.l}}';
    expect(unsent({ body }, { l: Array.from({ length: 400 }, () => 1) }, limits)).toBe('sent http://h/');
    expect(unsent({ body }, { l: Array.from({ length: 600 }, () => 1) }, limits)).toContain('more than 1000 steps');
  });
});

describe('fingerprints', () => {
  const call: JsonObject = {
    verb: 'POST',
    url: 'http://h/{{payload.id}}/{{attempt}}?r={{round}}',
    headers: { 'X-Attempt': '{{attempt}}' },
    body: {
      cb: '{{runtime.callback.signedUrl}}',
      key: '{{nodes.pay.idempotencyKey}}',
      text: '{{#attempt}}n{{/attempt}}{{runtime.callback.token}}',
      s: '{{payload.s}}',
    },
  };
  function fingerprint(json: JsonObject, context: RenderContext): string {
    const plan = compiled(json);
    const rendered = renderRequest(plan, context);
    if (rendered.kind === 'unsent') throw new Error(rendered.reason);
    return renderStable(plan, context, rendered);
  }
  const first = contextOf({ id: '1', s: 'x' });

  it('are equal for what differs only in rounds, attempts, callbacks and keys', () => {
    const later = contextOf(
      { id: '1', s: 'x' },
      {
        attempt: 3,
        round: 2,
        callback: { url: 'https://other', token: 't2', signedUrl: 'https://other/t2' },
        node: () => ({ ...pay, idempotencyKey: 'key-2' }),
      },
    );
    expect(compiled(call).volatile).toBe(true);
    expect(fingerprint(call, later)).toBe(fingerprint(call, first));
  });

  it.each([
    ['the verb', { ...call, verb: 'PUT' }, first],
    ['the URL', { ...call, url: 'http://h/{{payload.id}}/x/{{attempt}}' }, first],
    ['the path', call, contextOf({ id: '2', s: 'x' })],
    ['the body', call, contextOf({ id: '1', s: 'y' })],
    ['no body', { ...call, body: null }, first],
    ['whether there is a key', call, contextOf({ id: '1', s: 'x' }, { node: () => undefined })],
  ] as [string, JsonObject, RenderContext][])('differ with %s', (_name, json, context) => {
    expect(fingerprint(json, context)).not.toBe(fingerprint(call, first));
  });

  it('are those of the plain rendering where nothing is volatile', () => {
    const plain: JsonObject = {
      verb: 'POST',
      url: 'http://h/{{payload.id}}',
      headers: { 'X-A': '{{attempt}}' },
      body: { a: 1 },
    };
    expect(compiled(plain).volatile).toBe(false);
    expect(fingerprint(plain, first)).toBe('POST http://h/1\n{"a":1}');
    expect(fingerprint({ ...plain, body: null }, first)).toBe('POST http://h/1');
  });
});

describe('compiling', () => {
  const call: JsonObject = { verb: 'POST', url: 'http://h/' };
  it('takes every field', () => {
    const request = compiled({
      ...call,
      successStatusCodes: [200, parseJson('2.01e2')],
      unknownStatusCodes: [],
      timeoutMillis: 5,
      headers: { A: { value: '{{payload.a}}' } },
      url: { value: 'http://h/{{payload.u}}' },
    });
    expect(request).toMatchObject({ verb: 'POST', timeoutMillis: 5 });
    expect(request.successStatusCodes).toEqual(new Set([200, 201]));
    expect(request.unknownStatusCodes).toEqual(new Set());
    expect(request.parts.map(({ path, template }) => [path, template.paths[0]?.text])).toEqual([
      ['.url', 'payload.u'],
      ['.headers.A', 'payload.a'],
    ]);
  });

  it.each([
    ['x', ': A call is'],
    [{ verb: 'POST' }, '.url: The URL is a template'],
    [{ ...call, url: ' ' }, '.url: The URL is blank'],
    [{ ...call, url: 5 }, '.url: The URL is a template'],
    [{ ...call, url: '/x' }, '.url: The URL does not begin'],
    [{ ...call, url: 'http://{{payload.x' }, '.url: The tag'],
    [{ ...call, url: 'http://h/../x' }, '.url: The URL'],
    [{ url: 'http://h/' }, '.verb: The verb is missing'],
    [{ ...call, verb: 'post' }, '.verb: The verb is not known'],
    [{ ...call, verb: 'TRACE' }, '.verb: The verb is not known'],
    [{ ...call, body: { a: ['{{nope}}'] } }, '.body.a[0]: The path "nope"'],
    [{ ...call, body: '{{nope}}' }, '.body: The path "nope"'],
    [{ ...call, successStatusCodes: [] }, '.successStatusCodes: '],
    [{ ...call, successStatusCodes: 200 }, '.successStatusCodes: '],
    [{ ...call, successStatusCodes: [200, 99] }, '.successStatusCodes[1]: '],
    [{ ...call, unknownStatusCodes: [600] }, '.unknownStatusCodes[0]: '],
    [{ ...call, unknownStatusCodes: ['500'] }, '.unknownStatusCodes[0]: '],
    [{ ...call, timeoutMillis: 0 }, '.timeoutMillis: '],
    [{ ...call, timeoutMillis: 1.5 }, '.timeoutMillis: '],
    [{ ...call, timeoutMillis: '5' }, '.timeoutMillis: '],
    [{ ...call, retries: 1 }, '.retries: '],
  ] as [Json, string][])('refuses %j', (json, why) => {
    const problems = problemsOf(json);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(why);
    expect(problems[0]).toMatch(/^\S*: [A-Z"].*\.$/);
  });

  it('gives every problem', () => {
    expect(
      problemsOf({ verb: 'X', url: '{{a}}', headers: { Host: 'x' }, body: '{{b}}', timeoutMillis: -1 }),
    ).toHaveLength(5);
  });
});
