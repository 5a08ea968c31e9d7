import { array, assert, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileDefinition } from '../definition/compile.ts';
import { compileExpression } from '../expression/expression.ts';
import type { Json } from '../value/json.ts';
import { compileRequest } from '../request/request.ts';
import { missingPayload } from '../context/required-payload.ts';
import type { RenderContext } from '../context/context.ts';
import { keysOfPath, pathOfKeys } from './path-keys.ts';
import { compileTemplate, type TemplateOptions } from './template.ts';

const options: TemplateOptions = {
  nodeIds: new Set(['a.b', 'a.b.response', 'pay']),
  allow: { callback: true, failure: false },
};

const node = (nodeId: string) => ({
  nodeId,
  visit: 1,
  round: 1,
  response: { status: 200, headers: { 'x.y': 'h' }, body: { 'total.net': 5, of: nodeId } },
});

const context: RenderContext = {
  payload: {
    'user.email': 'a@b.example',
    'it"s': 'double',
    "it's": 'single',
    '': 'empty',
    items: [{ 'sku.id': 's1' }, { 'sku.id': 's2' }],
    'a[0]': 'literal',
    vars: 'no',
  },
  labels: { 'app.tier': 'gold', 'a["b"]': 'odd' },
  sagaId: 'e',
  sagaName: 'n',
  sagaVersion: '1',
  stepName: 'pay',
  phase: 'UP',
  attempt: 1,
  round: 1,
  variable: (name) => (name === 'BASE' ? 'https://h' : undefined),
  secret: () => undefined,
  node: (id) => (options.nodeIds.has(id) ? node(id) : undefined),
  completed: ['pay'],
  prev: node('pay'),
  callback: { url: 'https://t', token: 'tok', signedUrl: 'https://t/tok' },
};

function render(source: string): string {
  const compiled = compileTemplate(source, options);
  if ('errors' in compiled) return compiled.errors.join(' ');
  const rendered = compiled.template.render(context);
  return rendered.ok ? rendered.text : rendered.error;
}

function holds(logic: Json): boolean | string {
  const compiled = compileExpression(logic, { nodeIds: options.nodeIds, allow: { callback: false } });
  if ('errors' in compiled) return compiled.errors.join(' ');
  const verdict = compiled.expression.evaluate(context);
  return verdict.ok ? verdict.truthy : verdict.error;
}

describe('keys in brackets', () => {
  it.each([
    ['payload["user.email"]', 'a@b.example'],
    ["payload['user.email']", 'a@b.example'],
    ['input["user.email"]', 'a@b.example'],
    ['payload["it\\"s"]', 'double'],
    ["payload['it\"s']", 'double'],
    ["payload['it\\'s']", 'single'],
    ['payload[""]', 'empty'],
    ['payload["\\u0075ser.email"]', 'a@b.example'],
    ['payload.items[1]["sku.id"]', 's2'],
    ['payload["items"].0["sku.id"]', 's1'],
    ['payload["a[0]"]', 'literal'],
    ['["payload"]["user.email"]', 'a@b.example'],
    ['labels["app.tier"]', 'gold'],
    ['labels.app.tier', 'gold'],
    ['labels.a["b"]', 'odd'],
    ['vars["BASE"]', 'https://h'],
    ['nodes["a.b"].response.body.of', 'a.b'],
    ['nodes["pay"].response.body["total.net"]', '5'],
    ['nodes.pay["response"].headers["X.y"]', 'h'],
    ['step["a.b"].body.of', 'a.b'],
    ['step[0].body["total.net"]', '5'],
    ['prev.body["total.net"]', '5'],
  ])('%s', (path, text) => {
    expect(render(`{{${path}}}`)).toBe(text);
    expect(render(`{{#payload.items}}{{${path}}};{{/payload.items}}`)).toBe(`${text};${text};`);
  });

  it('reach into the items of a section', () => {
    expect(render('{{#payload.items}}{{["sku.id"]}};{{/payload.items}}')).toBe('s1;s2;');
    expect(render('{{#payload}}{{["vars"]["BASE"]}}{{/payload}}')).toBe('https://h');
  });

  it('are the same in conditions, also where a path is only known when it is evaluated', () => {
    expect(holds({ '==': [{ var: 'payload["user.email"]' }, 'a@b.example'] })).toBe(true);
    expect(holds({ '==': [{ var: { cat: ['payload["user', '.email"]'] } }, 'a@b.example'] })).toBe(true);
    expect(holds({ all: [{ var: 'payload.items' }, { in: ['s', { var: '["sku.id"]' }] }] })).toBe(true);
    expect(holds({ some: [{ var: 'payload.items' }, { '!': [{ missing: ['["sku.id"]', '["no"'] }] }] })).toBe(false);
    expect(holds({ '!': [{ missing: ['payload["user.email"]'] }] })).toBe(true);
    expect(holds({ missing: ['payload["user.mail"]'] })).toBe(true);
    expect(holds({ '==': [{ var: 'nodes["a.b"].response.body["total.net"]' }, 5] })).toBe(true);
  });

  it.each([
    ['payload[user]', 'has a "[" that begins neither ["key"] nor [0]'],
    ['payload["a', 'has a "[" that begins neither'],
    ['payload["\\x"]', 'has a "[" that begins neither'],
    ['payload["a"]b', 'goes on after "]" with neither a dot nor a bracket'],
    ['payload.["a"]', 'empty part'],
    ['payload["a"].', 'empty part'],
    ['payload["a"]..b', 'empty part'],
    ['labels["a"].b', 'goes on after labels["a"], which is a text'],
    ['nodes["a"].response.body', 'names a node that the definition does not have'],
    ['nodes["a.b"].response', 'x'],
  ])('are refused where they are none: %s', (path, why) => {
    if (why === 'x') {
      // Matches the exact id, although a longer one would match too.
      expect(render(`{{${path}.body.of}}`)).toBe('a.b');
      return;
    }
    expect(render(`{{${path}}}`)).toContain(why);
    expect(holds({ var: path })).toContain(why);
    expect(render(`{{#payload.items}}{{${path}}}{{/payload.items}}`)).toContain(
      why.startsWith('goes on after labels') ? '' : why,
    );
  });

  it('are refused in items of conditions, too', () => {
    expect(holds({ some: [{ var: 'payload.items' }, { var: 'a[b]' }] })).toContain('has a "["');
    expect(holds({ some: [{ var: 'payload.items' }, { var: 'a..b' }] })).toContain('has an empty part');
  });

  it('hide nothing from the checks: a callback token is one however it is spelled', () => {
    const url = 'https://x{{runtime["callback"]["token"]}}/';
    expect(compileRequest({ verb: 'POST', url }, options)).toMatchObject({ errors: [{ path: '.url' }] });
    expect(compileTemplate('{{runtime["callback"].token}}', { ...options, allow: { callback: false, failure: false } }))
      // The root determines the error.
      .toMatchObject({ errors: [expect.stringContaining('async nodes only')] });
  });

  it('are read in requiredPayload', () => {
    const compiled = compileDefinition(
      {
        name: 'n',
        version: '1',
        requiredPayload: ['["user.email"]', 'items[0]["sku.id"]', 'a["b.c"]'],
        steps: [{ name: 's', up: { url: 'http://h/{{payload["user.email"]}}', verb: 'GET' } }],
      },
      { hash: '' },
    );
    if (!compiled.ok) throw new Error(compiled.errors.join(' '));
    expect(compiled.warnings).toEqual([]);
    expect(missingPayload(compiled.plan, context.payload)).toEqual(['payload.a["b.c"]']);
    expect(missingPayload(compiled.plan, { a: { 'b.c': 1 } })).toEqual([
      'payload["user.email"]',
      'payload.items[0]["sku.id"]',
    ]);
  });
});

describe('pathOfKeys', () => {
  it('writes what is read back as the same keys', () => {
    assert(
      property(array(string(), { minLength: 1 }), (keys) => {
        expect(keysOfPath(pathOfKeys(keys))).toEqual({ keys });
      }),
    );
    expect(pathOfKeys(['payload', 'a', 'user.email', '0'])).toBe('payload.a["user.email"].0');
  });
});
