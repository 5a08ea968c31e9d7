import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NodeView, RenderContext } from '../context/context.ts';
import { type Json, type JsonObject, parseJson } from '../value/json.ts';
import type { DestinationKind } from './destination.ts';
import { compileTemplate, type Template, type TemplateOptions } from './template.ts';

const options: TemplateOptions = {
  nodeIds: new Set(['pay', 'a.b', 'a.b.c', '7']),
  allow: { callback: false, failure: false },
};
const everywhere: TemplateOptions = { ...options, allow: { callback: true, failure: true } };

const views: Record<string, NodeView> = {
  pay: {
    nodeId: 'pay',
    visit: 2,
    round: 1,
    idempotencyKey: 'e:1:pay:2:UP',
    response: { status: 201, headers: { 'x-request.id': 'r1', location: '/p/1' }, body: { id: 'p1', total: 10 } },
    accepted: { status: 202, headers: {}, body: 'ok' },
    callback: { body: { state: 'done' } },
    failure: { outcome: 'unknown', statusCode: 504, reason: 'gateway' },
    downBody: { undone: true },
  },
  'a.b': { nodeId: 'a.b', visit: 1, round: 1, response: { status: 200, headers: {}, body: 'short' } },
  'a.b.c': { nodeId: 'a.b.c', visit: 1, round: 1, response: { status: 200, headers: {}, body: 'long' } },
};

function contextOf(payload: JsonObject, more: Partial<RenderContext> = {}): RenderContext {
  return {
    payload,
    labels: { team: 'x', 'app.kubernetes.io/name': 'shop' },
    sagaId: 'e1',
    sagaName: 'order',
    sagaVersion: '3',
    stepName: 'pay',
    phase: 'UP',
    attempt: 4,
    round: 5,
    variable: (name) => ({ BASE: 'https://h', EMPTY: '' })[name],
    secret: (name) => (name === 'KEY' ? 's3cret' : undefined),
    node: (id) => (Object.hasOwn(views, id) ? views[id] : undefined),
    completed: ['a.b', 'pay'],
    prev: views['pay']!,
    ...more,
  };
}

const payload = parseJson(
  `{"name":"Ann \\"A\\" <b>","big":9007199254740993,"price":10.10,"zero":0,"rawZero":0.00,"yes":true,"no":false,
    "nil":null,"empty":"","none":[],"list":[1,2.50,"x"],"people":[{"name":"Bo","tags":["t","u"]},{"name":null}],
    "deep":{"a":{"b":{"c":7}}},"rawJSON":"own","__proto__":{"x":1},"lone":"\\ud800"}`,
) as JsonObject;

function compiled(source: string, destination: DestinationKind = 'text', scope = options): Template {
  const result = compileTemplate(source, scope, destination);
  if ('errors' in result) throw new Error(result.errors.join(' '));
  return result.template;
}

function render(source: string, destination: DestinationKind = 'text', context = contextOf(payload)): string {
  const rendered = compiled(source, destination, everywhere).render(context);
  return rendered.ok ? rendered.text : `!${rendered.error}`;
}

function errorsOf(source: string, scope = options): string[] {
  const result = compileTemplate(source, scope);
  return 'errors' in result ? result.errors : [];
}

describe('paths', () => {
  const table: [path: string, text: string][] = [
    ['payload.name', 'Ann "A" <b>'],
    ['input.name', 'Ann "A" <b>'],
    ['payload.deep.a.b.c', '7'],
    ['payload.deep', '{"a":{"b":{"c":7}}}'],
    ['payload.list.1', '2.50'],
    ['payload.list.length', '3'],
    ['payload.list.9', ''],
    ['payload.big', '9007199254740993'],
    ['payload.price', '10.10'],
    ['payload.nil', ''],
    ['payload.missing.further', ''],
    ['payload.name.length', ''],
    ['labels.team', 'x'],
    ['labels.app.kubernetes.io/name', 'shop'],
    ['labels', '{"team":"x","app.kubernetes.io/name":"shop"}'],
    ['vars.BASE', 'https://h'],
    ['vars.EMPTY', ''],
    ['secrets.KEY', 's3cret'],
    ['sagaId', 'e1'],
    ['sagaName', 'order'],
    ['sagaVersion', '3'],
    ['stepName', 'pay'],
    ['phase', 'UP'],
    ['attempt', '4'],
    ['round', '5'],
    ['nodes.pay.response.body.id', 'p1'],
    ['nodes.pay.response.status', '201'],
    ['nodes.pay.response.headers.location', '/p/1'],
    ['nodes.pay.response.headers.Location', '/p/1'],
    ['nodes.pay.response.headers.x-request.id', 'r1'],
    [
      'nodes.pay.response',
      '{"status":201,"headers":{"x-request.id":"r1","location":"/p/1"},"body":{"id":"p1","total":10}}',
    ],
    ['nodes.pay.visit', '2'],
    ['nodes.pay.idempotencyKey', 'e:1:pay:2:UP'],
    ['nodes.pay.accepted.status', '202'],
    ['nodes.pay.accepted.body', 'ok'],
    ['nodes.pay.callback.body.state', 'done'],
    ['nodes.pay.failure.outcome', 'unknown'],
    ['nodes.pay.failure.statusCode', '504'],
    ['nodes.pay.failure.reason', 'gateway'],
    ['nodes.a.b.response.body', 'short'],
    ['nodes.a.b.c.response.body', 'long'],
    ['nodes.7.response.body', ''],
    ['step.pay.body.id', 'p1'],
    ['step.pay.up.body.id', 'p1'],
    ['step.pay.down.body.undone', 'true'],
    ['step.pay.name', 'pay'],
    ['step.pay.index', '1'],
    ['step.a.b.body', 'short'],
    ['step.0.body', 'short'],
    ['step.1.name', 'pay'],
    ['step.9.name', ''],
    ['steps.1.down.body', '{"undone":true}'],
    ['steps.length', '2'],
    ['prev.body.id', 'p1'],
    ['prev.body', '{"id":"p1","total":10}'],
  ];
  it.each(table)('%s', (path, text) => {
    expect(render(`{{${path}}}`)).toBe(text);
    expect(render(`[{{ ${path} }}]`)).toBe(`[${text}]`);
  });

  it('takes the longest id, also for step, and an id of digits before an index', () => {
    expect(compiled('{{nodes.a.b.c.response.body}}').paths).toMatchObject([{ nodeId: 'a.b.c', field: 'response' }]);
    expect(compiled('{{step.7.body}}').paths).toMatchObject([{ nodeId: '7', usesOrder: false, anyNode: false }]);
    expect(compiled('{{step.3.body}}').paths).toMatchObject([{ root: 'step', usesOrder: true, anyNode: true }]);
  });

  it.each(['constructor', 'toString', '__proto__.polluted', 'deep.constructor.name', 'list.map', 'big.rawJSON'])(
    'never reaches a prototype or the inside of a number: payload.%s',
    (path) => {
      expect(render(`{{payload.${path}}}`)).toBe('');
      expect(render(`{{#payload.people}}{{${path}}}{{/payload.people}}`)).toBe('');
    },
  );

  it('reaches own properties of odd names', () => {
    expect(render('{{payload.__proto__.x}}{{payload.rawJSON}}')).toBe('1own');
  });

  it('shows what a hook and an async request may read', () => {
    const context = contextOf(payload, {
      callback: { url: 'https://t/cb', token: 'tok', signedUrl: 'https://t/cb/tok' },
      failure: { status: 'FAILED', reason: 'status_4xx', nodeId: 'pay', statusCode: 409 },
    });
    expect(
      render('{{runtime.callback.url}} {{runtime.callback.token}} {{runtime.callback.signedUrl}}', 'text', context),
    ).toBe('https://t/cb tok https://t/cb/tok');
    expect(
      render('{{failure.status}} {{failure.reason}} {{failure.nodeId}} {{failure.statusCode}}', 'text', context),
    ).toBe('FAILED status_4xx pay 409');
  });

  it.each([
    ['unknown.x', 'unknown name'],
    ['name', 'unknown name'],
    ['payload..x', 'empty part'],
    ['payload.', 'empty part'],
    ['sagaId.x', 'no fields'],
    ['vars', 'names nothing'],
    ['secrets', 'names nothing'],
    ['nodes', 'names no node'],
    ['nodes.pay', 'names no field'],
    ['nodes.typo.response.body', 'a node that the definition does not have'],
    ['nodes.pay.body', 'unknown field "body"'],
    ['nodes.pay.constructor', 'unknown field'],
    ['nodes.pay.response.text', 'knows no response.text'],
    ['nodes.pay.response.status.x', 'goes on after status'],
    ['nodes.pay.response..x', 'empty part'],
    ['nodes.pay.visit.x', 'no fields'],
    ['nodes.pay.idempotencyKey.x', 'no fields'],
    ['nodes.pay.callback.status', 'knows no callback.status'],
    ['nodes.pay.failure.x', 'knows no failure.x'],
    ['step', 'names no node'],
    ['step.typo.body', 'a node that the definition does not have'],
    ['step.pay.foo', 'unknown field "foo"'],
    ['step.pay.up.status', 'knows no up.status'],
    ['prev', 'prev.body'],
    ['prev.name', 'prev.body'],
    ['runtime.callback.url', 'async nodes only'],
    ['failure.reason', 'failure hooks only'],
    ['callback.body', 'callbacks only'],
  ])('refuses %s', (path, why) => {
    const errors = errorsOf(`x {{${path}}} y`);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toContain(why);
    expect(errors[0]).toContain(`"${path}"`);
    expect(errorsOf(`{{#${path}}}{{/${path}}}`)).toHaveLength(1);
  });

  it.each([
    'runtime',
    'runtime.x',
    'runtime.callback',
    'runtime.callback.url.x',
    'failure',
    'failure.x',
    'failure.reason.x',
  ])('refuses %s even where its root is allowed', (path) => {
    expect(errorsOf(`{{${path}}}`, everywhere)).toHaveLength(1);
  });
});

describe('syntax', () => {
  const table: [source: string, text: string][] = [
    ['', ''],
    ['plain } } {', 'plain } } {'],
    ['{{! a comment }}x', 'x'],
    ['{{{payload.name}}}|{{&payload.name}}', 'Ann "A" <b>|Ann "A" <b>'],
    ['{"a":{"b":{{payload.zero}}}}', '{"a":{"b":0}}'],
    ['{{#payload.yes}}y{{/payload.yes}}{{^payload.yes}}n{{/payload.yes}}', 'y'],
    ['{{#payload.list}}<{{.}}>{{/payload.list}}', '<1><2.50><x>'],
    ['{{#payload.people}}{{name}}:{{#tags}}{{.}}{{/tags}};{{/payload.people}}', 'Bo:tu;:;'],
    ['{{#payload.people}}{{#tags}}{{name}}{{/tags}}{{/payload.people}}', 'BoBo'],
    ['{{#payload.people}}{{payload.zero}}{{sagaId}}{{/payload.people}}', '0e10e1'],
    ['{{#payload.deep}}{{a.b.c}}{{a.x.c}}{{/payload.deep}}', '7'],
    ['{{#payload.deep.a}}{{#b}}{{c}}{{/b}}{{/payload.deep.a}}', '7'],
    ['{{#payload.name}}{{.}}!{{/payload.name}}', 'Ann "A" <b>!'],
    ['{{#payload.people}}{{failure.reason}}{{unknown.x}}{{/payload.people}}', ''],
    ['{{#steps}}{{name}}={{index}} {{/steps}}', 'a.b=0 pay=1 '],
    ['{{# payload.yes }}a{{/ payload.yes }}', 'a'],
    ['a\n  {{#payload.yes}}  \n b\n{{/payload.yes}}\nc', 'a\n b\nc'],
    ['{{! first }}\nb', 'b'],
    ['a\r\n{{^payload.yes}}\r\nb\r\n{{/payload.yes}}', 'a\r\n'],
    ['a {{! inline }}\nb', 'a \nb'],
  ];
  it.each(table)('%j', (source, text) => {
    expect(render(source)).toBe(text);
  });

  it.each(['missing', 'nil', 'no', 'zero', 'rawZero', 'empty', 'none'])('takes payload.%s for false', (name) => {
    expect(render(`{{#payload.${name}}}y{{/payload.${name}}}{{^payload.${name}}}n{{/payload.${name}}}`)).toBe('n');
  });

  it.each(['yes', 'name', 'big', 'list', 'deep'])('takes payload.%s for true', (name) => {
    expect(render(`{{#payload.${name}}}y{{/payload.${name}}}{{^payload.${name}}}n{{/payload.${name}}}`)).toMatch(
      /^y+$/,
    );
  });

  it('lets sections ask for variables and secrets that are not configured', () => {
    expect(render('{{#vars.NO}}y{{/vars.NO}}{{^vars.NO}}n{{/vars.NO}}{{^secrets.NO}}n{{/secrets.NO}}')).toBe('nn');
  });

  it('never lets an item stand in for a variable or a secret', () => {
    const context = contextOf({ items: [{ vars: { BASE: 'https://evil' }, secrets: { KEY: 'own' } }] });
    expect(render('{{#payload.items}}{{vars.BASE}} {{secrets.KEY}}{{/payload.items}}', 'text', context)).toBe(
      'https://h s3cret',
    );
  });

  it.each([
    ['{{payload.x', 'not closed'],
    ['{{{payload.x}}', 'not closed'],
    ['{{}}', 'names nothing'],
    ['{{#}}x{{/}}', 'names nothing'],
    ['{{> part}}', 'Partials'],
    ['{{=<% %>=}}', 'delimiters'],
    ['{{#payload.a}}', '"payload.a" at character 1 is not closed'],
    ['{{/payload.a}}', 'closes no section'],
    ['{{#payload.a}}{{/payload.b}}', 'closes the section "payload.a"'],
    ['{{{{payload.x}}}}', 'brace'],
    ['{{.}}', 'outside'],
    ['{{#payload.a}}{{nodes.typo.visit}}{{/payload.a}}', 'does not have'],
    ['{{#payload.a}}{{runtime.callback.token}}{{/payload.a}}', 'async nodes only'],
    ['{{#payload.a}}'.repeat(65) + '{{/payload.a}}'.repeat(65), 'deep'],
  ])('refuses %j', (source, why) => {
    const errors = errorsOf(source);
    expect(errors.join(' ')).toContain(why);
    for (const error of errors) expect(error).toMatch(/^[A-Z].*\.$/);
  });

  it('gives every error, not only the first', () => {
    expect(errorsOf('{{a}}{{b}}{{nodes.x.visit}}')).toHaveLength(3);
  });
});

describe('destinations', () => {
  const odd = contextOf({
    s: `a"b\\c\n<&>'é /?`,
    o: { k: 'v"' },
    n: parseJson('1.0'),
    t: true,
    nil: null,
    lone: '\ud800',
  });
  const table: [kind: DestinationKind, source: string, text: string][] = [
    ['json', '"{{payload.s}}"', `"a\\"b\\\\c\\n<&>'é /?"`],
    [
      'json',
      '{{payload.o}} {{payload.n}} {{payload.t}} {{payload.nil}} {{payload.x}}',
      '{"k":"v\\""} 1.0 true null null',
    ],
    [
      'json',
      '"{{payload.o}}{{payload.n}}{{payload.t}}{{payload.nil}}{{payload.x}}"',
      '"{\\"k\\":\\"v\\\\\\"\\"}1.0true"',
    ],
    ['json', '"\\"{{payload.nil}}" {{payload.nil}}', '"\\"" null'],
    ['json', '{{{payload.o}}} {{{payload.x}}} "{{{payload.x}}}"', '{"k":"v\\""} null ""'],
    ['json', '"{{payload.lone}}"', '"\\ud800"'],
    ['xml', '<a>{{payload.s}}</a>', '<a>a&quot;b\\c\n&lt;&amp;&gt;&#39;é /?</a>'],
    ['xml', '{{{payload.s}}}', `a"b\\c\n<&>'é /?`],
    ['form', 'a={{payload.s}}', 'a=a%22b%5Cc%0A%3C%26%3E%27%C3%A9+%2F%3F'],
    ['form', 'a={{payload.lone}}', 'a=%EF%BF%BD'],
    ['text', '{{payload.s}}{{payload.nil}}', `a"b\\c\n<&>'é /?`],
    ['header', 'v {{payload.n}} {{payload.x}}', 'v 1.0 '],
  ];
  it.each(table)('%s %j', (kind, source, text) => {
    expect(render(source, kind, odd)).toBe(text);
  });

  it.each(['a\rb', 'a\nb', 'a\0b', '\u007f', 'Łódź'])('refuses %j in a header, naming the path', (s) => {
    expect(render('v {{payload.s}}', 'header', contextOf({ s }))).toMatch(/^!The value of "payload\.s" holds/);
    expect(render('v {{{payload.s}}}', 'header', contextOf({ s }))).toMatch(/^!The value of "payload\.s" holds/);
  });
});

describe('what is known of a template', () => {
  it.each([
    ['plain {{! c }}', { constant: true, volatile: false, usesOrder: false, usesSecrets: false }],
    ['{{payload.x}}', { constant: false, volatile: false, usesOrder: false, usesSecrets: false }],
    ['{{#payload.x}}{{/payload.x}}', { constant: false }],
    ['{{round}}', { volatile: true }],
    ['{{attempt}}', { volatile: true }],
    ['{{runtime.callback.url}}', { volatile: true }],
    ['{{nodes.pay.idempotencyKey}}', { volatile: true }],
    ['{{#payload.x}}{{attempt}}{{/payload.x}}', { volatile: true }],
    ['{{#steps}}{{name}}{{/steps}}', { usesOrder: true }],
    ['{{step.0.body}}', { usesOrder: true }],
    ['{{step.pay.body}}', { usesOrder: false }],
    ['{{step.pay.index}}', { usesOrder: true }],
    ['{{secrets.KEY}}', { usesSecrets: true }],
  ])('%s', (source, facts) => {
    expect(compiled(source, 'text', everywhere)).toMatchObject({ source, ...facts });
  });

  it('tells every path with its node and field', () => {
    const { paths } = compiled('{{nodes.pay.response.body}}{{#payload.x}}{{y}}{{/payload.x}}{{vars.A}}');
    expect(paths).toMatchObject([
      { text: 'nodes.pay.response.body', root: 'nodes', nodeId: 'pay', field: 'response', fromData: true },
      { text: 'payload.x', root: 'payload', fromData: true },
      { text: 'y', root: 'section', fromData: true },
      { text: 'vars.A', root: 'vars', fromData: false },
    ]);
  });
});

describe('limits', () => {
  it('fails on a missing variable or secret, naming it', () => {
    expect(render('{{vars.NO}}')).toBe('!"vars.NO" is not configured.');
    expect(render('{{secrets.NO}}')).toBe('!"secrets.NO" is not configured.');
  });

  it('stops after too many steps', () => {
    const many = contextOf({ a: Array.from({ length: 400 }, () => 1) });
    const nested = '{{#payload.a}}{{#payload.a}}{{/payload.a}}{{/payload.a}}';
    expect(render(nested, 'text', many)).toBe('!The template takes more than 100000 steps.');
    const limited = compiled('{{#payload.a}}x{{/payload.a}}').render(many, { maxSteps: 100, maxBytes: 1000 });
    expect(limited).toEqual({ ok: false, error: 'The template takes more than 100 steps.' });
  });

  it('stops at too large an output', () => {
    const limits = { maxSteps: 1000, maxBytes: 5 };
    expect(compiled('{{payload.s}}').render(contextOf({ s: '12345' }), limits)).toEqual({ ok: true, text: '12345' });
    expect(compiled('{{payload.s}}').render(contextOf({ s: '123456' }), limits).ok).toBe(false);
  });
});

describe('any template', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      '{{',
      '}}',
      '{{{',
      '}}}',
      '{{#payload.a}}',
      '{{/payload.a}}',
      '{{^b}}',
      '{{/b}}',
      '{{.}}',
      '\n',
      '"',
    ),
    fc.constantFrom(
      '{{payload.a}}',
      '{{payload.a.b}}',
      '{{nodes.pay.response.body}}',
      '{{a}}',
      '{{!x}}',
      '{{steps}}',
      '\\',
    ),
    fc.string({ unit: 'binary', maxLength: 6 }),
  );
  const source = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''));
  const json = fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<Json>;
  const data = fc.dictionary(fc.oneof(fc.constantFrom('a', 'b', '__proto__'), fc.string()), json);

  it('compiles to a template or to sentences, and never throws', () => {
    fc.assert(
      fc.property(
        source,
        data,
        fc.constantFrom<DestinationKind>('text', 'json', 'xml', 'form', 'header'),
        (text, value, kind) => {
          const result = compileTemplate(text, options, kind);
          if ('errors' in result) {
            expect(result.errors.length).toBeGreaterThan(0);
            for (const error of result.errors) expect(error).toMatch(/^[A-Z][^]*\.$/);
            return;
          }
          const rendered = result.template.render(contextOf(value));
          expect(typeof (rendered.ok ? rendered.text : rendered.error)).toBe('string');
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('makes valid JSON of any value between quotes and of any but texts outside', () => {
    fc.assert(
      fc.property(json, (value) => {
        const context = contextOf({ v: value });
        const quoted = JSON.parse(render('{"a":"{{payload.v}}"}', 'json', context)) as { a: unknown };
        expect(typeof quoted.a).toBe('string');
        if (typeof value === 'string') expect(quoted.a).toBe(value);
        else
          expect(JSON.parse(render('[{{payload.v}}]', 'json', context))).toEqual([JSON.parse(JSON.stringify(value))]);
      }),
    );
  });

  it('keeps the digits of every number', () => {
    const digits = fc.tuple(fc.bigInt(), fc.nat()).map(([whole, part]) => `${String(whole)}.${String(part)}0`);
    fc.assert(
      fc.property(digits, (text) => {
        expect(render('{{payload.n}}', 'json', contextOf({ n: parseJson(text) }))).toBe(text);
      }),
    );
  });

  it('gives headers nothing that they cannot carry', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (s) => {
        const text = render('{{payload.s}}', 'header', contextOf({ s }));
        if (/^[\t\u0020-\u007e\u0080-\u00ff]*$/.test(s)) expect(text).toBe(s);
        else expect(text).toMatch(/^!The value of/);
      }),
    );
  });
});
