import { describe, expect, it } from 'vitest';
import type { RenderContext } from '../context/context.ts';
import { type Json, type JsonObject, parseJson } from '../value/json.ts';
import { renderRequest, renderStable, type UnsentRequest } from './render.ts';
import { compileRequest, type RequestPlan } from './request.ts';

const context = (more: Partial<RenderContext> = {}): RenderContext => ({
  payload: parseJson(
    '{"lines":[{"price":10.10,"n":3},{"price":0.20,"n":1}],"rate":0.19,"text":"{{payload.rate}}","big":9007199254740993}',
  ) as JsonObject,
  labels: {},
  sagaId: 'e1',
  sagaName: 'order',
  sagaVersion: '1',
  stepName: 'pay',
  phase: 'UP',
  attempt: 1,
  round: 2,
  variable: () => undefined,
  secret: () => 'hunter22',
  node: () => undefined,
  completed: [],
  ...more,
});

const options = { nodeIds: new Set(['pay']), allow: { callback: false, failure: false }, hints: { left: 20 } };

function compiled(
  body: string,
  headers: JsonObject = {},
  limits = { maxSteps: 100_000, maxBytes: 1_048_576 },
): RequestPlan {
  const call = { url: 'http://h/', verb: 'POST', headers, body: parseJson(body) };
  const result = compileRequest(call, { ...options, limits });
  if ('errors' in result) throw new Error(JSON.stringify(result.errors));
  return result.request;
}

function problems(body: string): Json {
  const result = compileRequest({ url: 'http://h/', verb: 'POST', body: parseJson(body) }, options);
  return ('errors' in result ? result.errors : result.warnings) as unknown as Json;
}

/** The rendered body, or the reason why it is not sent. */
function body(source: string, of: RenderContext = context(), headers: JsonObject = {}): string | undefined {
  const rendered = renderRequest(compiled(source, headers), of);
  return rendered.kind === 'request' ? rendered.body : rendered.reason;
}

const total =
  '{"reduce":[{"var":"payload.lines"},{"+":[{"var":"accumulator"},{"*":[{"var":"current.price"},{"var":"current.n"}]}]},0]}';

describe('$logic in a body', () => {
  it.each([
    [`{"total":{"$logic":${total}},"id":"{{sagaId}}"}`, '{"total":30.5,"id":"e1"}'],
    ['{"$logic":{"var":"payload.big"}}', '9007199254740993'],
    ['[{"$logic":{"map":[{"var":"payload.lines"},{"var":"price"}]}}]', '[[10.10,0.20]]'],
    ['{"none":{"$logic":{"var":"payload.nope"}}}', '{"none":null}'],
    ['{"data":{"$logic":{"var":"payload.text"}}}', '{"data":"{{payload.rate}}"}'],
    ['{"made":{"$logic":{"json_parse":["{\\"$logic\\":1}"]}}}', '{"made":{"$logic":1}}'],
    ['{"kept":{"$literal":{"$logic":{"var":"{{x}}"}}}}', '{"kept":{"$logic":{"var":"{{x}}"}}}'],
    ['{"value":{"value":1,"$literal":2}}', '{"value":{"value":1,"$literal":2}}'],
  ])('%s becomes %s', (source, text) => {
    expect(body(source)).toBe(text);
  });

  it('is a field of a form as text', () => {
    const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
    expect(body(`{"total":{"$logic":${total}},"rates":{"$logic":[{"var":"payload.rate"}]}}`, context(), form)).toBe(
      'total=30.5&rates=%5B0.19%5D',
    );
  });

  it('leaves the call unsent when it fails, and names its place', () => {
    expect(body('{"a":[{"$logic":{"+":["x",1]}}]}')).toBe(
      'The $logic at body.a[0] failed: The operator "+" needs a number and was given something else.',
    );
  });

  it.each([
    ['{"a":{"$logic":1,"b":2}}', '.body.a', 'no other key'],
    ['{"a":{"$logic":{"nope":1}}}', '.body.a', '"nope"'],
    ['{"a":{"$logic":{"var":"secrets.KEY"}}}', '.body.a', '"secrets.KEY"'],
    ['{"a":{"$logic":{"var":"nodes.typo.visit"}}}', '.body.a', '"nodes.typo.visit"'],
    ['{"a":{"$logic":{"+":[1,2]}}}', '.body.a', 'reads nothing'],
    ['{"a":{"$logic":{"now":["P1D"]}}}', '.body.a', '"now" takes nothing'],
    ['{"a":{"$logic":{"uuid":["x","y"]}}}', '.body.a', '"uuid" takes one name'],
  ])('%s: %s', (source, path, why) => {
    expect(problems(source)).toEqual([{ path, message: expect.stringContaining(why) as string }]);
  });

  it('shares one budget with all templates of the request', () => {
    const one = '{"$logic":{"length":{"range":[{"-":[{"var":"round"},2]},400]}}}';
    const plan = compiled(
      `[${Array.from({ length: 5 }, () => one).join(',')}]`,
      {},
      { maxSteps: 1500, maxBytes: 1000 },
    );
    expect((renderRequest(plan, context()) as UnsentRequest).reason).toContain('more than');
    expect(renderRequest(compiled(`[${one}]`, {}, { maxSteps: 1500, maxBytes: 1000 }), context()).kind).toBe('request');
  });

  it('ends at the size of a request', () => {
    const plan = compiled(
      '{"$logic":{"pad_start":["",2000,{"cat":[{"var":"round"}]}]}}',
      {},
      { maxSteps: 1000, maxBytes: 1000 },
    );
    expect((renderRequest(plan, context()) as UnsentRequest).reason).toBe(
      'The rendered request is larger than 1000 bytes.',
    );
  });

  it('computes the same in two requests that are compared, whatever the round', () => {
    const plan = compiled('{"n":{"$logic":{"*":[{"var":"round"},10]}}}');
    expect(plan.volatile).toBe(true);
    const stable = [1, 2].map((round) => {
      const of = context({ round });
      const rendered = renderRequest(plan, of);
      return rendered.kind === 'request' ? renderStable(plan, of, rendered) : '';
    });
    expect(stable[0]).toBe(stable[1]);
  });

  it.each([
    '{"/":[1,{"date_diff":["1970-01-01T00:00:00Z",{"now":[]},"days"]}]}',
    '{"date_add":[{"now":[]},"-P1990Y"]}',
    '{"cat":[{"uuid":[]},{"now":[]}]}',
  ])('is the same in two requests that are compared, whenever the visit began: %s', (logic) => {
    const plan = compiled(`{"fix":7,"n":{"$logic":${logic}}}`);
    const stable = [1, 2].map((round) => {
      const at = Date.UTC(2027 + round, 2, 5);
      const of = context({ round, occasion: { at, key: `e1:${String(round)}:pay:1` } });
      const rendered = renderRequest(plan, of);
      if (rendered.kind !== 'request') throw new Error(rendered.reason);
      return [rendered.body, renderStable(plan, of, rendered)];
    });
    expect(stable[0]?.[0]).not.toBe(stable[1]?.[0]);
    expect(stable[0]?.[1]).toBe(stable[1]?.[1]);
  });

  it('reads in a hook what templates read there', () => {
    const logic = ['sagaId', 'sagaName', 'sagaVersion', 'stepName', 'steps'].map((name) => ({ var: name }));
    const call = { url: 'http://h/', verb: 'POST', body: { $logic: logic } } as unknown as JsonObject;
    expect(compileRequest(call, options)).toHaveProperty('errors');
    const hook = { ...options, allow: { ...options.allow, hook: true } };
    const result = compileRequest(call, hook);
    if ('errors' in result) throw new Error(JSON.stringify(result.errors));
    expect(renderRequest(result.request, context())).toMatchObject({ body: '["e1","order","1","pay",[]]' });
    for (const hidden of ['secrets.KEY', 'runtime.callback.url', 'attempt', 'phase']) {
      const body = { $logic: { var: hidden } };
      expect(compileRequest({ url: 'http://h/', verb: 'POST', body }, hook)).toHaveProperty('errors');
    }
  });

  it.each([
    ['paylod.rate', 'payload'],
    ['nodes.payy.visit', 'pay'],
    ['nodes.pay.respnse.body', 'response'],
  ])('names what %s may mean', (path, meant) => {
    const did = [{ path: '.body', message: expect.stringMatching(`did you mean "${meant}"\\?$`) as string }];
    expect(problems(`{"$logic":{"var":"${path}"}}`)).toEqual(did);
    expect(problems(`"{{${path}}}"`)).toEqual(did);
  });

  it('names the item of the loop around it', () => {
    const call = { url: 'http://h/', verb: 'POST', body: '{{itme.id}}' };
    const result = compileRequest(call, { ...options, loops: 1 });
    expect('errors' in result && result.errors).toMatchObject([
      { message: expect.stringMatching(/mean "item"\?$/) as string },
    ]);
  });

  it('sees secrets that a response or the payload echoes as ***', () => {
    const masked = context({
      payload: { echo: 'Bearer hunter22' },
      maskJson: (value) => JSON.parse(JSON.stringify(value).replaceAll('hunter22', '***')) as Json,
    });
    expect(body('{"a":{"$logic":{"upper":{"var":"payload.echo"}}},"b":"{{payload.echo}}"}', masked)).toBe(
      '{"a":"BEARER ***","b":"Bearer hunter22"}',
    );
    expect(body('{"$logic":{"base64_encode":[{"get":[{"var":"payload"},"echo"]}]}}', masked)).toBe(
      '"QmVhcmVyICoqKg=="',
    );
  });

  it('tells what it reads', () => {
    const part = compiled('{"$logic":{"var":"nodes.pay.response.body"}}').parts.find(({ path }) => path === '.body');
    expect(part?.template.paths).toMatchObject([{ nodeId: 'pay' }]);
    const dynamic = compiled('{"$logic":{"var":{"var":"payload.path"}}}').parts.find(({ path }) => path === '.body');
    expect(dynamic?.template.paths.some(({ anyNode }) => anyNode)).toBe(true);
  });
});
