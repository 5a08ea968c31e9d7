import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NodeView, RenderContext } from '../context/context.ts';
import { type Json, type JsonObject, parseJson } from '../value/json.ts';
import { compileExpression, type Expression, type ExpressionOptions } from './expression.ts';
import { expressionOperators } from './operators.ts';

const options: ExpressionOptions = { nodeIds: new Set(['pay', 'a.b', 'a.b.c']), allow: { callback: false } };

const pay: NodeView = {
  nodeId: 'pay',
  visit: 2,
  round: 1,
  idempotencyKey: 'k',
  response: { status: 201, headers: { location: '/p/1' }, body: { id: 'p1', total: parseJson('10.10') } },
};

function contextOf(payload: JsonObject): RenderContext {
  return {
    payload,
    labels: { team: 'x', 'a.b': 'dotted' },
    sagaId: 'e1',
    sagaName: 'order',
    sagaVersion: '3',
    stepName: 'pay',
    phase: 'UP',
    attempt: 1,
    round: 2,
    variable: (name) => (name === 'MODE' ? 'fast' : undefined),
    secret: () => 'secret',
    node: (id) => (id === 'pay' ? pay : undefined),
    completed: ['pay'],
    prev: pay,
  };
}

const payload = parseJson(
  `{"n":5,"s":"abc","empty":"","zero":"0","nil":null,"list":[3,1,2],"none":[],"obj":{"a":1},"flags":[false],
    "people":[{"name":"Bo","age":30,"tags":["t"]},{"name":"Al","age":17,"tags":[]}],"precise":10.10,"nested":[[1],[2,3]],
    "path":"n","constructor":null}`,
) as JsonObject;

function compiled(logic: Json, more: Partial<ExpressionOptions> = {}): Expression {
  const result = compileExpression(logic, { ...options, ...more });
  if ('errors' in result) throw new Error(result.errors.join(' '));
  return result.expression;
}

function errorsOf(logic: Json): string[] {
  const result = compileExpression(logic, options);
  return 'errors' in result ? result.errors : [];
}

/** Whether the condition holds, or the error. */
function holds(logic: string, data = payload): boolean | string {
  const verdict = compiled(parseJson(logic)).evaluate(contextOf(data));
  return verdict.ok ? verdict.truthy : verdict.error;
}

/** Whether the expression evaluates to a value. */
function gives(logic: string, value: string): boolean | string {
  return holds(`{"===":[${logic},${value}]}`);
}

describe('operators', () => {
  const truths: [logic: string, holds: boolean][] = [
    ['true', true],
    ['0', false],
    ['""', false],
    ['[]', false],
    ['"0"', true],
    ['null', false],
    ['{}', true],
    ['{"var":"payload.zero"}', true],
    ['{"var":"payload.none"}', false],
    ['{"var":"payload.obj"}', true],
    ['{"!":[{"var":"payload.none"}]}', true],
    ['{"!":{"var":"payload.flags"}}', false],
    ['{"!!":{"var":"payload.flags"}}', true],
    ['{"==":[{"var":"payload.n"},"5"]}', true],
    ['{"==":[{"var":"payload.s"},5]}', false],
    ['{"!=":[{"var":"payload.obj"},null]}', true],
    ['{"==":[{"var":"payload.nil"},0]}', false],
    ['{"==":[{"var":"payload.nil"},null]}', true],
    ['{"==":[{"var":"payload.missing"},null]}', true],
    ['{"==":[{"var":"payload.missing"},false]}', false],
    ['{"==":[{"var":"payload.list"},"3,1,2"]}', true],
    ['{"==":[{"var":"payload.list"},{"var":"payload.list"}]}', true],
    ['{"==":[1,true]}', true],
    ['{"===":[{"var":"payload.n"},"5"]}', false],
    ['{"!==":[{"var":"payload.n"},"5"]}', true],
    ['{"<":[1,{"var":"payload.n"},9]}', true],
    ['{"<":[1,9,{"var":"payload.n"}]}', false],
    ['{">=":[{"var":"payload.precise"},10.1]}', true],
    ['{"<=":[{"var":"payload.n"},4]}', false],
    ['{"<":[{"var":"payload.s"},"abd"]}', true],
    ['{"and":[true,{"var":"payload.n"},{"var":"payload.s"}]}', true],
    ['{"and":[true,[]]}', false],
    ['{"or":[false,{"var":"payload.empty"},0]}', false],
    ['{"or":[false,{"var":"payload.s"}]}', true],
    ['{"if":[{"var":"payload.none"},true,{"var":"payload.empty"},true,false]}', false],
    ['{"?:":[{"var":"payload.n"},true,false]}', true],
    ['{"in":["b",{"var":"payload.s"}]}', true],
    ['{"in":[2,{"var":"payload.list"}]}', true],
    ['{"in":["2",{"var":"payload.list"}]}', false],
    ['{"in":["x",{"var":"payload.missing"}]}', false],
    ['{"in":[1,{"var":"payload.n"}]}', false],
    ['{"some":[{"var":"payload.people"},{">":[{"var":"age"},18]}]}', true],
    ['{"all":[{"var":"payload.people"},{">":[{"var":"age"},18]}]}', false],
    ['{"all":[{"var":"payload.none"},true]}', false],
    ['{"none":[{"var":"payload.people"},{">":[{"var":"age"},40]}]}', true],
    ['{"none":[{"var":"payload.missing"},true]}', true],
    ['{"some":[{"var":"payload.people"},{"some":[{"var":"tags"},{"==":[{"var":""},"t"]}]}]}', true],
    ['{"missing":["payload.n","payload.s"]}', false],
    ['{"missing":["payload.n","payload.nope"]}', true],
    ['{"missing":["payload.empty"]}', true],
    ['{"missing":"payload.nope"}', true],
    ['{"missing":{"merge":["payload.n",["payload.nope"]]}}', true],
    ['{"missing_some":[1,["payload.n","payload.nope"]]}', false],
    ['{"missing_some":[2,["payload.n","payload.nope"]]}', true],
    ['{"some":[{"var":"payload.people"},{"missing":["name","nope"]}]}', true],
  ];
  it.each(truths)('%s is %s', (logic, truth) => {
    expect(holds(logic)).toBe(truth);
  });

  const values: [logic: string, value: string][] = [
    ['{"var":["payload.missing","d"]}', '"d"'],
    ['{"var":["payload.n","d"]}', '5'],
    ['{"var":["payload.missing",{"var":"payload.s"}]}', '"abc"'],
    ['{"var":"payload.list.1"}', '1'],
    ['{"??":[{"var":"payload.nil"},{"var":"payload.missing"},7]}', '7'],
    ['{"+":[1,"2",3]}', '6'],
    ['{"+":{"var":"payload.list"}}', '6'],
    ['{"-":[7,2]}', '5'],
    ['{"-":[7]}', '-7'],
    ['{"*":[2,3,4]}', '24'],
    ['{"/":[9,3]}', '3'],
    ['{"%":[9,4]}', '1'],
    ['{"max":{"var":"payload.list"}}', '3'],
    ['{"min":[4,2,8]}', '2'],
    ['{"cat":["a",1,null,{"var":"payload.list"},true]}', '"a13,1,2true"'],
    ['{"substr":["jsonlogic",4]}', '"logic"'],
    ['{"substr":["jsonlogic",1,-5]}', '"son"'],
    ['{"length":{"var":"payload.list"}}', '3'],
    ['{"length":[{"var":"payload.s"}]}', '3'],
    ['{"length":{"var":"payload.obj"}}', '1'],
    ['{"length":{"merge":[1,[2,3],[[4]]]}}', '4'],
    ['{"length":{"merge":{"var":"payload.nested"}}}', '2'],
    ['{"cat":{"map":[{"var":"payload.people"},{"var":"name"}]}}', '"Bo,Al"'],
    ['{"cat":{"filter":[{"var":"payload.list"},{">":[{"var":""},1]}]}}', '"3,2"'],
    ['{"reduce":[{"var":"payload.list"},{"+":[{"var":"current"},{"var":"accumulator"}]},10]}', '16'],
    ['{"reduce":[{"var":"payload.people"},{"+":[{"var":"current.age"},{"var":"accumulator"}]},0]}', '47'],
    ['{"reduce":[{"var":"payload.missing"},{"var":"current"},"none"]}', '"none"'],
    ['{"cat":{"map":[{"var":"payload.nested"},{"var":0}]}}', '"1,2"'],
    ['{"date":"1970-01-01T00:00:01Z"}', '1000'],
    ['{"date":["1970-01-01T01:00:00.5[Europe/Berlin]"]}', '500'],
  ];
  it.each(values)('%s gives %s', (logic, value) => {
    expect(gives(logic, value)).toBe(true);
  });

  it('knows no others, at whatever depth, and names them', () => {
    for (const name of [
      'log',
      'method',
      'throw',
      'try',
      'val',
      'exists',
      'preserve',
      'pipe',
      'eachKey',
      'read',
      'item',
      'lookup',
    ]) {
      expect(errorsOf({ [name]: [1] })[0]).toContain(`"${name}"`);
      expect(errorsOf({ and: [true, { map: [[1], { '!': { [name]: 1 } }] }] })[0]).toContain(`"${name}"`);
    }
    for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
      expect(errorsOf(parseJson(`{"${name}":[1]}`))).toHaveLength(1);
    }
    expect(errorsOf({ and: [{ one: 1 }, { if: [{ two: 1 }] }] })).toHaveLength(2);
    expect(errorsOf({ '==': [1, 1], '!=': [1, 2] })[0]).toContain('one operator');
    expect(errorsOf({ filtre: [[], true] })[0]).toBe('The operator "filtre" is not known; did you mean "filter"?');
  });
});

describe('data', () => {
  it.each([
    ['{"var":"input.n"}', '5'],
    ['{"var":"labels.team"}', '"x"'],
    ['{"var":"labels.a.b"}', '"dotted"'],
    ['{"var":"vars.MODE"}', '"fast"'],
    ['{"var":"vars.NONE"}', 'null'],
    ['{"var":"round"}', '2'],
    ['{"var":"nodes.pay.response.status"}', '201'],
    ['{"var":"nodes.pay.response.body.total"}', '10.1'],
    ['{"var":"nodes.pay.response.headers.Location"}', '"/p/1"'],
    ['{"length":{"var":"nodes.pay"}}', '3'],
    ['{"var":"nodes.a.b.response.body"}', 'null'],
    ['{"var":"step.pay.body.id"}', '"p1"'],
    ['{"var":"step.0.name"}', '"pay"'],
    ['{"var":"prev.body.id"}', '"p1"'],
    ['{"var":{"cat":["payload.",{"var":"payload.path"}]}}', '5'],
    ['{"var":[{"cat":["secrets.","X"]},"none"]}', '"none"'],
  ])('%s is %s', (logic, value) => {
    expect(gives(logic, value)).toBe(true);
  });

  it('compares numbers by value, with all their digits', () => {
    const big = parseJson('{"a":9007199254740993,"list":[10.10],"zero":0.00,"tiny":1e-400}') as JsonObject;
    expect(holds('{"==":[{"var":"payload.a"},9007199254740992]}', big)).toBe(false);
    expect(holds('{"==":[{"var":"payload.a"},9007199254740993]}', big)).toBe(true);
    expect(holds('{">":[{"var":"payload.a"},9007199254740992]}', big)).toBe(true);
    expect(holds('{"==":[{"var":"payload.a"},"9007199254740993"]}', big)).toBe(true);
    expect(holds('{"in":[9007199254740992,[{"var":"payload.a"}]]}', big)).toBe(false);
    expect(holds('{"some":[{"var":"payload.list"},{"===":[{"var":""},10.1]}]}', big)).toBe(true);
    expect(holds('{"==":[{"+":[0.1,0.2]},0.3]}')).toBe(true);
    expect(holds('{"!!":[{"var":"payload.zero"}]}', big)).toBe(false);
    expect(holds('{"!!":[{"var":"payload.tiny"}]}', big)).toBe(true);
  });

  it('reads from outside of iterations by a path that begins with $.', () => {
    expect(gives('{"length":{"filter":[{"var":"payload.list"},{"<":[{"var":""},{"var":"$.payload.n"}]}]}}', '3')).toBe(
      true,
    );
    expect(
      gives('{"reduce":[{"var":"payload.list"},{"+":[{"var":"accumulator"},{"var":"$.payload.n"}]},0]}', '15'),
    ).toBe(true);
    expect(
      holds('{"some":[{"var":"payload.people"},{"some":[{"var":"tags"},{"==":[{"var":"$.payload.s"},"abc"]}]}]}'),
    ).toBe(true);
    expect(holds('{"some":[{"var":"payload.list"},{"==":[{"var":{"cat":["$.payload.","n"]}},5]}]}')).toBe(true);
    expect(holds('{"some":[{"var":"payload.list"},{"missing":["$.payload.nope"]}]}')).toBe(true);
    expect(errorsOf(parseJson('{"some":[[1],{"var":"$.nodes.typo.visit"}]}'))[0]).toContain('"nodes.typo.visit"');
    expect(errorsOf(parseJson('{"var":"$.payload.n"}'))).toHaveLength(1);
    const { reads } = compiled(parseJson('{"some":[[1],{"var":"$.nodes.pay.visit"}]}'));
    expect(reads.nodeIds).toEqual(new Set(['pay']));
  });

  it.each([
    'payload.constructor.name',
    'payload.s.length',
    'payload.list.map',
    'payload.obj.toString',
    'payload.obj.__proto__',
  ])('never reaches a prototype: %s', (path) => {
    expect(gives(`{"var":"${path}"}`, 'null')).toBe(true);
    expect(gives(`{"var":{"cat":["${path}"]}}`, 'null')).toBe(true);
  });

  it('never reaches a prototype of an item', () => {
    expect(holds('{"some":[{"var":"payload.people"},{"var":"constructor"}]}')).toBe(false);
    expect(holds('{"some":[{"var":"payload.people"},{"var":{"cat":["__proto__",".x"]}}]}')).toBe(false);
    expect(holds('{"all":[{"var":"payload.people"},{"missing":["toString"]}]}')).toBe(true);
  });

  it.each([
    ['{"var":"foo"}', '"foo"'],
    ['{"var":"secrets.KEY"}', '"secrets.KEY"'],
    ['{"var":"attempt"}', '"attempt"'],
    ['{"var":"callback.body"}', 'callbacks only'],
    ['{"var":"nodes.typo.response.body"}', '"nodes.typo.response.body"'],
    ['{"var":"nodes.pay.nope"}', '"nope"'],
    ['{"and":[true,{"some":[{"var":"nodes.typo.visit"},true]}]}', '"nodes.typo.visit"'],
    ['{"missing":["payload.a","nodes.typo.visit"]}', '"nodes.typo.visit"'],
    ['{"missing_some":[1,["nodes.typo.visit"]]}', '"nodes.typo.visit"'],
    ['{"var":""}', 'must name'],
    ['{"var":[]}', 'must name'],
    ['{"map":{"var":"payload.list"}}', 'takes an array'],
  ])('refuses %s', (logic, why) => {
    const errors = errorsOf(parseJson(logic));
    expect(errors).toHaveLength(1);
    expect(errors[0]).toContain(why);
    expect(errors[0]).toMatch(/^[A-Z].*\.$/);
  });

  it('sees the callback in conditions on callbacks', () => {
    const expression = compiled({ '==': [{ var: 'callback.body.state' }, 'done'] }, { allow: { callback: true } });
    expect(expression.evaluate(contextOf({}), { callbackBody: { state: 'done' } })).toEqual({ ok: true, truthy: true });
    expect(expression.evaluate(contextOf({}), { callbackBody: { state: 'no' } })).toEqual({ ok: true, truthy: false });
    expect(expression.evaluate(contextOf({}), { callbackBody: null })).toEqual({ ok: true, truthy: false });
    expect(expression.evaluate(contextOf({}))).toEqual({ ok: true, truthy: false });
  });

  it('reads only what the evaluation gets to', () => {
    const context: RenderContext = {
      ...contextOf({ n: 1 }),
      node: () => {
        throw new Error('read');
      },
    };
    const logic = { or: [{ var: 'payload.n' }, { var: 'nodes.pay.visit' }] };
    expect(compiled(logic).evaluate(context)).toEqual({ ok: true, truthy: true });
  });

  it('tells what it reads', () => {
    const { reads } = compiled(
      parseJson(
        '{"and":[{"var":"nodes.a.b.c.visit"},{"some":[{"var":"nodes.pay.response.body"},{"var":"nodes.x"}]},{"var":"round"}]}',
      ),
    );
    expect(reads.paths.map((path) => path.text)).toEqual(['nodes.a.b.c.visit', 'nodes.pay.response.body', 'round']);
    expect(reads.nodeIds).toEqual(new Set(['a.b.c', 'pay']));
    expect(reads).toMatchObject({ anyNode: false, usesOrder: false });
    expect(compiled({ var: 'prev.body' }).reads).toMatchObject({ anyNode: true, usesOrder: false });
    expect(compiled({ var: 'step.0.body' }).reads).toMatchObject({ anyNode: true, usesOrder: true });
    expect(compiled({ var: { cat: ['nodes.', 'pay.visit'] } }).reads).toMatchObject({ anyNode: true, usesOrder: true });
    expect(compiled({ missing: { var: 'payload.list' } }).reads).toMatchObject({ anyNode: true });
  });
});

describe('errors and bounds', () => {
  it.each([
    '{"<":[{"var":"payload.s"},5]}',
    '{"+":["a",1]}',
    '{"/":[1,0]}',
    '{"max":["a"]}',
    '{"map":[5,true]}',
    '{"length":5}',
    '{"substr":[5,1]}',
    '{"reduce":[[1,2],null,0]}',
    '{"<":[1]}',
  ])('gives a sentence for %s, or a value, but never throws', (logic) => {
    const verdict = compiled(parseJson(logic)).evaluate(contextOf(payload));
    if (!verdict.ok) expect(verdict.error).toMatch(/^[A-Z].*\.$/);
    else expect(logic).toContain('reduce');
  });

  const thousand = { list: Array.from({ length: 1000 }, (_, i) => i), text: 'x'.repeat(100_000) };
  const forty = JSON.stringify(Array.from({ length: 40 }, () => 0));
  it.each([
    [
      'nested iteration',
      '{"map":[{"var":"payload.list"},{"some":[[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34],false]}]}',
    ],
    [
      'an iteration without operators',
      '{"map":[{"map":[{"var":"payload.list"},[1,2,3,4,5,6,7,8,9,10]]},{"merge":[{"var":""},{"var":""},{"var":""},{"var":""},{"var":""},{"var":""},{"var":""},{"var":""},{"var":""}]}]}',
    ],
    ['a list that doubles', `{"reduce":[${forty},{"merge":[{"var":"accumulator"},{"var":"accumulator"}]},[1]]}`],
    ['a text that doubles', `{"reduce":[${forty},{"cat":[{"var":"accumulator"},{"var":"accumulator"}]},"x"]}`],
    ['a nest that doubles', `{"cat":{"reduce":[${forty},[{"var":"accumulator"},{"var":"accumulator"}],[1]]}}`],
    [
      'a comparison of such a nest',
      `{"==":["x",{"reduce":[${forty},[{"var":"accumulator"},{"var":"accumulator"}],[1]]}]}`,
    ],
    [
      'sums over and over',
      '{"map":[{"var":"payload.list"},{"+":{"map":[[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16],{"var":""}]}}]}',
    ],
  ])('bounds %s', (_name, logic) => {
    const begin = performance.now();
    expect(holds(logic, thousand)).toMatch(/^(?:The condition takes more than 100000 steps|An operator)/);
    expect(performance.now() - begin).toBeLessThan(2000);
  });

  it('counts every evaluation afresh', () => {
    const expression = compiled(parseJson('{"all":[{"var":"payload.list"},{">=":[{"var":""},0]}]}'), {
      maxSteps: 10_000,
    });
    for (let i = 0; i < 20; i++) expect(expression.evaluate(contextOf(thousand))).toEqual({ ok: true, truthy: true });
    expect(compiled(expression.source, { maxSteps: 1000 }).evaluate(contextOf(thousand)).ok).toBe(false);
  });

  it('refuses what is nested too deep', () => {
    let logic: Json = true;
    for (let i = 0; i < 5000; i++) logic = { '!': [logic] };
    expect(errorsOf(logic)).toHaveLength(1);
  });

  it('never throws, whatever the logic and the data, and gives the same again', () => {
    const { logic } = fc.letrec<{ logic: Json; operation: Json }>((tie) => ({
      logic: fc.oneof(
        { maxDepth: 4 },
        fc.jsonValue({ maxDepth: 1 }) as fc.Arbitrary<Json>,
        fc.constantFrom<Json>({ var: 'payload.a' }, { var: 'payload.a.0.b' }, { var: 'payload' }, { var: 'nodes.pay' }),
        tie('operation'),
      ),
      operation: fc
        .tuple(
          fc.constantFrom(...expressionOperators),
          fc.oneof(fc.array(tie('logic'), { maxLength: 4 }), tie('logic')),
        )
        .map(([name, args]): Json => ({ [name]: args })),
    }));
    const data = fc.record({ a: fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json> });
    let evaluated = 0;
    fc.assert(
      fc.property(logic, data, (source, value) => {
        const result = compileExpression(source, options);
        if ('errors' in result) {
          for (const error of result.errors) expect(error).toMatch(/^[A-Z][^]*[.?]$/);
          return;
        }
        evaluated++;
        const verdict = result.expression.evaluate(contextOf(value));
        expect(typeof (verdict.ok ? verdict.truthy : verdict.error)).toBe(verdict.ok ? 'boolean' : 'string');
        expect(result.expression.evaluate(contextOf(value))).toEqual(verdict);
        expect(compiled(source).evaluate(contextOf(value))).toEqual(verdict);
      }),
      { numRuns: 1500 },
    );
    expect(evaluated).toBeGreaterThan(100);
  });
});
