import { describe, expect, it } from 'vitest';
import type { RenderContext } from '../context/context.ts';
import { type JsonObject, parseJson, stringifyJson } from '../value/json.ts';
import { compileExpression } from './expression.ts';
import { expressionOperators } from './operators.ts';

const payload = parseJson(
  `{"n":5,"list":[3,1,2],"nil":null,"obj":{"b":1,"a.b":[10,20]},"s":"abc","price":10.10,"big":9007199254740993,
    "people":[{"name":"Bo","age":30},{"name":"Al","age":17},{"name":"Cy","age":30}]}`,
) as JsonObject;

const context: RenderContext = {
  payload,
  labels: {},
  sagaId: 'e1',
  sagaName: 'order',
  sagaVersion: '3',
  stepName: 'pay',
  phase: 'UP',
  attempt: 1,
  round: 1,
  variable: () => undefined,
  secret: () => undefined,
  node: () => undefined,
  completed: [],
  occasion: { at: Date.UTC(2027, 2, 5, 9, 4), key: 'e1:1:pay:1' },
};

/** The value of an expression as JSON text, or the error. */
function computed(logic: string, data: JsonObject = payload): string {
  const compiled = compileExpression(parseJson(logic), { nodeIds: new Set(), allow: { callback: false } });
  if ('errors' in compiled) return compiled.errors.join(' ');
  const result = compiled.expression.compute({ ...context, payload: data });
  return result.ok ? stringifyJson(result.value) : result.error;
}

const values: [logic: string, value: string][] = [
  ['{"now":[]}', '"2027-03-05T09:04:00.000Z"'],
  ['{"date_add":[{"now":[]},"P1D"]}', '"2027-03-06T09:04:00.000Z"'],
  ['{"uuid":[]}', '"8c72171e-173d-55b0-a342-c0a2562f2923"'],
  ['{"uuid":["refund"]}', '"eb742601-fb50-5915-a75d-dd035d16a5a6"'],
  ['{"uuid":[{"var":"payload.s"}]}', '"bb3cd20a-64b8-5b5f-b5c0-23b21430b195"'],
  ['{"var":"payload.price"}', '10.10'],
  ['{"var":"payload.big"}', '9007199254740993'],
  ['{"if":[true,{"var":"payload.price"}]}', '10.10'],
  ['{"if":[true,10.10]}', '10.10'],
  ['{"coalesce":[{"var":"payload.nil"},{"var":"payload.nope"},7]}', '7'],
  ['{"+":[0.1,0.2]}', '0.3'],
  ['{"+":[{"var":"payload.big"},1]}', '9007199254740994'],
  ['{"+":[{"var":"payload.price"},0]}', '10.1'],
  ['{"-":[0.3,0.1]}', '0.2'],
  ['{"-":[{"var":"payload.big"}]}', '-9007199254740993'],
  ['{"-":[9,2,3]}', '4'],
  ['{"*":[1.1,1.1]}', '1.21'],
  ['{"*":[-1,0]}', '0'],
  ['{"/":[1,3]}', '0.3333333333333333333333333333333333'],
  ['{"/":[2,3]}', '0.6666666666666666666666666666666667'],
  ['{"/":[4]}', '0.25'],
  ['{"/":[1e30,1e-10]}', '1e+40'],
  ['{"*":[1e33,1]}', '1000000000000000000000000000000000'],
  ['{"*":[1e34,1]}', '1e+34'],
  ['{"*":[1e-7,1]}', '0.0000001'],
  ['{"*":[1e-8,1]}', '1e-8'],
  ['{"%":[-7,3]}', '-1'],
  ['{"%":[5.5,2]}', '1.5'],
  ['{"%":[{"var":"payload.big"},10]}', '3'],
  ['{"max":[1,{"var":"payload.price"},"3"]}', '10.10'],
  ['{"min":{"var":"payload.list"}}', '1'],
  ['{"sum":{"var":"payload.list"}}', '6'],
  ['{"sum":[[0.1,0.1,0.1]]}', '0.3'],
  ['{"sum":[1,"2",true,null]}', '4'],
  ['{"sum":[]}', '0'],
  ['{"abs":[-2.50]}', '2.5'],
  ['{"floor":[-2.5]}', '-3'],
  ['{"ceil":[-2.5]}', '-2'],
  ['{"round":[2.5,0]}', '2'],
  ['{"round":[2.345,2]}', '2.34'],
  ['{"round":[2.345,2,"half_up"]}', '2.35'],
  ['{"round":[-2.345,2,"half_down"]}', '-2.34'],
  ['{"round":[2.341,2,"up"]}', '2.35'],
  ['{"round":[2.349,2,"down"]}', '2.34'],
  ['{"round":[-2.341,2,"ceil"]}', '-2.34'],
  ['{"round":[-2.341,2,"floor"]}', '-2.35'],
  ['{"round":[1250,-2]}', '1200'],
  ['{"round":[0.001,2]}', '0'],
  ['{"to_number":["10.10"]}', '10.10'],
  ['{"to_number":[true]}', '1'],
  ['{"to_string":[{"var":"payload.price"}]}', '"10.10"'],
  ['{"to_string":[2.5,0]}', '"2"'],
  ['{"to_string":[10.1,2]}', '"10.10"'],
  ['{"to_string":[-0.001,2]}', '"0.00"'],
  ['{"to_string":[true]}', '"true"'],
  ['{"keys":{"var":"payload.obj"}}', '["b","a.b"]'],
  ['{"values":{"var":"payload.obj"}}', '[1,[10,20]]'],
  ['{"entries":{"var":"payload.obj"}}', '[["b",1],["a.b",[10,20]]]'],
  ['{"from_entries":[[["a",1],["__proto__",2]]]}', '{"a":1,"__proto__":2}'],
  ['{"get":[{"var":"payload.obj"},["a.b",1]]}', '20'],
  ['{"get":[{"var":"payload.obj"},"a.b"]}', '[10,20]'],
  ['{"get":[{"var":"payload.obj"},"nope","d"]}', '"d"'],
  ['{"get":[{"var":"payload.obj"},"constructor"]}', 'null'],
  ['{"get":[{"var":"payload.big"},"rawJSON"]}', 'null'],
  ['{"index_of":[{"var":"payload.list"},2]}', '2'],
  ['{"index_of":[{"var":"payload.list"},"2"]}', '-1'],
  ['{"index_of":[[[1],[2.0]],[2]]}', '1'],
  ['{"slice":[{"var":"payload.list"},-2]}', '[1,2]'],
  ['{"slice":["abcdef",1,3]}', '"bc"'],
  ['{"concat":[[1],{"var":"payload.nope"},[2,[3]]]}', '[1,2,[3]]'],
  ['{"flatten":[[1,[2,[3]]]]}', '[1,2,[3]]'],
  ['{"flatten":[[1,[2,[3]]],2]}', '[1,2,3]'],
  [
    '{"unique":[{"json_parse":["[1,1.0,\\"1\\",{\\"a\\":1,\\"b\\":2},{\\"b\\":2,\\"a\\":1.0}]"]}]}',
    '[1,"1",{"a":1,"b":2}]',
  ],
  ['{"sort_by":[{"var":"payload.list"},{"var":""}]}', '[1,2,3]'],
  ['{"map":[{"sort_by":[{"var":"payload.people"},{"-":[{"var":"age"}]}]},{"var":"name"}]}', '["Bo","Cy","Al"]'],
  ['{"keys":{"group_by":[{"var":"payload.people"},{"var":"age"}]}}', '["17","30"]'],
  ['{"zip":[[1,2,3],["a","b"]]}', '[[1,"a"],[2,"b"]]'],
  ['{"range":[1,4]}', '[1,2,3]'],
  ['{"range":[10,0,-5]}', '[10,5]'],
  ['{"range":[0,0]}', '[]'],
  ['{"cat":["a",10.10,true]}', '"a10.10true"'],
  ['{"lower":["ÀB"]}', '"àb"'],
  ['{"upper":["straße"]}', '"STRASSE"'],
  ['{"trim":["  a "]}', '"a"'],
  ['{"split":["a, b, c",", "]}', '["a","b","c"]'],
  ['{"join":[{"var":"payload.list"},"-"]}', '"3-1-2"'],
  ['{"replace":["a.b.c",".","$&"]}', '"a$&b$&c"'],
  ['{"starts_with":[{"var":"payload.s"},"ab"]}', 'true'],
  ['{"ends_with":[{"var":"payload.s"},"ab"]}', 'false'],
  ['{"pad_start":[7,3,"0"]}', '"007"'],
  ['{"pad_start":["abc",2]}', '"abc"'],
  ['{"uri_encode":["a b&ü"]}', '"a%20b%26%C3%BC"'],
  ['{"base64_encode":["ü€"]}', '"w7zigqw="'],
  ['{"base64_decode":["w7zigqw"]}', '"ü€"'],
  ['{"json_parse":["{\\"a\\":10.10}"]}', '{"a":10.10}'],
  ['{"json_stringify":[{"var":"payload.obj"}]}', '"{\\"b\\":1,\\"a.b\\":[10,20]}"'],
  ['{"date_add":["2027-01-31T10:00:00Z","P1M"]}', '"2027-02-28T10:00:00.000Z"'],
  ['{"date_add":["2027-03-27T02:30:00+01:00","P1D","Europe/Berlin"]}', '"2027-03-28T01:30:00.000Z"'],
  ['{"date_add":["2027-03-27T12:00:00+01:00","P1D","Europe/Berlin"]}', '"2027-03-28T10:00:00.000Z"'],
  ['{"date_add":["2027-03-27T12:00:00+01:00","PT24H","Europe/Berlin"]}', '"2027-03-28T11:00:00.000Z"'],
  ['{"date_diff":["2027-01-01T00:00Z","2027-03-01T00:00Z","months"]}', '2'],
  ['{"date_diff":["2027-01-02T00:00Z","2027-01-01T01:00Z","day"]}', '0'],
  ['{"date_diff":["2027-03-27T12:00:00+01:00","2027-03-28T12:00:00+02:00","day","Europe/Berlin"]}', '1'],
  ['{"date_diff":["2027-03-27T12:00:00+01:00","2027-03-28T12:00:00+02:00","hour"]}', '23'],
  [
    `{"date_format":["2027-03-05T21:04:09.5Z","EEE, d MMM yyyy HH:mm:ss.SSS 'at' h a"]}`,
    '"Fri, 5 Mar 2027 21:04:09.500 at 9 PM"',
  ],
  ['{"date_format":["2027-03-05T21:04:09Z","yyyy-MM-dd XXX","Asia/Kolkata"]}', '"2027-03-06 +05:30"'],
  ['{"date_parse":["05.03.2027 9:04","dd.MM.yyyy H:mm","Europe/Berlin"]}', '"2027-03-05T08:04:00.000Z"'],
  ['{"date_parse":["2027-03-05"]}', '"2027-03-05T00:00:00.000Z"'],
  ['{"date_parse":["Mar 5, 2027 12:30 AM","MMM d, yyyy hh:mm a"]}', '"2027-03-05T00:30:00.000Z"'],
  ['{"date_before":["2027-01-01T10:00+02:00","2027-01-01T09:00Z"]}', 'true'],
  ['{"date_after":["2027-01-01T10:00+02:00","2027-01-01T09:00Z"]}', 'false'],
  ['{"start_of":["2027-03-28T12:00:00Z","day","Europe/Berlin"]}', '"2027-03-27T23:00:00.000Z"'],
  ['{"start_of":["2027-03-03T12:00:00Z","week"]}', '"2027-03-01T00:00:00.000Z"'],
  ['{"start_of":["2027-03-03T12:34:56Z","minutes"]}', '"2027-03-03T12:34:00.000Z"'],
];

describe('values of operators', () => {
  it.each(values)('%s is %s', (logic, value) => {
    expect(computed(logic)).toBe(value);
  });

  const older = ['var', 'missing', 'missing_some', 'if', '?:', '==', '===', '!=', '!==', '!', '!!', 'or', 'and', '??'];
  const oldest = [
    '>',
    '>=',
    '<',
    '<=',
    'map',
    'filter',
    'reduce',
    'all',
    'none',
    'some',
    'merge',
    'in',
    'length',
    'substr',
    'date',
  ];

  it('are tried here for each operator, or in the tests of conditions', () => {
    const cases = JSON.stringify(values);
    const untried = expressionOperators.filter((name) => !cases.includes(JSON.stringify(`{"${name}":`).slice(1, -1)));
    expect(untried.filter((name) => ![...older, ...oldest].includes(name))).toEqual([]);
  });
});

describe('what cannot be computed', () => {
  it.each([
    ['{"+":["a",1]}', 'needs a number'],
    ['{"+":["",1]}', 'needs a number'],
    ['{"+":[[1,2]]}', 'needs a number'],
    ['{"/":[1,0]}', 'divides by zero'],
    ['{"%":[1,0]}', 'divides by zero'],
    ['{"*":[1e6000,1e6000]}', 'exponent beyond 6144'],
    ['{"+":[1e7000,1]}', 'exponent beyond 6144'],
    ['{"max":[]}', 'no number'],
    ['{"round":[1,35]}', 'from -34 to 34 places'],
    ['{"round":[1,2,"nearest"]}', 'rounding modes half_even'],
    ['{"to_number":["x"]}', 'no number'],
    ['{"to_string":[[1]]}', 'json_stringify'],
    ['{"keys":[5]}', 'needs an object'],
    ['{"concat":[5]}', 'needs a list'],
    ['{"sort_by":[[1,"a"],{"var":""}]}', 'not by both'],
    ['{"sort_by":[[{}],{"var":""}]}', 'by numbers or by texts'],
    ['{"range":[0,1e9]}', 'more than 100000 steps'],
    ['{"range":[0,5,0]}', 'not 0'],
    ['{"range":[0,5.5]}', 'whole number'],
    ['{"split":["a",""]}', 'needs a text to look for'],
    ['{"lower":[null]}', 'needs a text'],
    ['{"pad_start":["a",1e7]}', 'whole number from 0'],
    ['{"uri_encode":["\\ud800"]}', 'half a character'],
    ['{"base64_decode":["/w=="]}', 'not the base64'],
    ['{"json_parse":["{"]}', 'no JSON'],
    ['{"date_add":["2027-01-31","P1M"]}', 'is no ISO 8601 time'],
    ['{"date_add":["2027-01-31T00:00Z","1 month"]}', 'ISO 8601 duration'],
    ['{"date_add":["9999-12-31T00:00Z","P1Y"]}', 'years 1 to 9999'],
    ['{"date_add":["2027-01-31T00:00Z","P999999Y","Europe/Berlin"]}', 'years 1 to 9999'],
    ['{"date_add":["2027-01-31T00:00Z","P1M","Mars/Base"]}', 'IANA zone'],
    ['{"date_add":["2027-01-31T00:00Z","P1M","+02:00"]}', 'IANA zone'],
    ['{"date_diff":["2027-01-31T00:00Z","2027-01-31T00:00Z","fortnight"]}', 'knows the units'],
    ['{"date_format":["2027-01-31T00:00Z","yyyy-qq"]}', '"qq"'],
    [`{"date_format":["2027-01-31T00:00Z","yyyy 'x"]}`, 'quote'],
    ['{"date_parse":["31.02.2027","dd.MM.yyyy"]}', 'no such time'],
    ['{"date_parse":["x","dd.MM.yyyy"]}', 'does not have the form'],
    ['{"date_parse":["1","d.M.d"]}', 'the field "d" twice'],
    ['{"start_of":["2027-01-31T00:00Z","second"]}', 'knows the units'],
  ])('%s: %s', (logic, why) => {
    const error = computed(logic);
    expect(error).toContain(why);
    expect(error).toMatch(/^[A-Z][^]*\.$/);
  });
});

describe('bounds', () => {
  const forty = JSON.stringify(Array.from({ length: 40 }, () => 0));
  const nest = `{"reduce":[${forty},{"concat":[[{"var":"accumulator"}],[{"var":"accumulator"}]]},[1]]}`;
  it.each([
    ['a value that holds one list exponentially often', nest],
    ['its JSON', `{"json_stringify":[${nest}]}`],
    ['its uniqueness', `{"unique":[[${nest}]]}`],
    ['its flattening', `{"flatten":[${nest},100]}`],
  ])('hold for %s', (_name, logic) => {
    expect(computed(logic)).toMatch(/takes more than 100000 steps|builds more than/);
  });

  it('hold for a value that is nested so deep that writing it would use up the stack', () => {
    const deep = '{"reduce":[{"range":[0,3000]},{"concat":[[{"var":"accumulator"}]]},[1]]}';
    for (const logic of [deep, `{"json_stringify":[${deep}]}`, `{"unique":[[${deep}]]}`]) {
      expect(computed(logic)).toBe('A value of the expression is nested more than 256 deep.');
    }
  });

  it('hold for patterns whose fields share their digits in many ways', () => {
    const data: JsonObject = { text: `${'1'.repeat(190)}x`, pattern: 'dM'.repeat(95) };
    expect(computed('{"date_parse":[{"var":"payload.text"},{"var":"payload.pattern"}]}', data)).toContain('twice');
    const once: JsonObject = { text: `${'1'.repeat(190)}x`, pattern: 'yMdHhms' };
    expect(computed('{"date_parse":[{"var":"payload.text"},{"var":"payload.pattern"}]}', once)).toContain('the form');
  });

  // Each reading takes a millisecond: half a minute for all of them.
  it('read the digits of a long zero once, however often it is a condition', { timeout: 10_000 }, () => {
    const data = parseJson(`{"zero":0.${'0'.repeat(3_000_000)}}`) as JsonObject;
    expect(computed('{"filter":[{"range":[0,12000]},{"var":"$.payload.zero"}]}', data)).toBe('[]');
  });

  const digits = '7'.repeat(200_000);
  const text = 'a'.repeat(300_000);
  it.each([
    ['a product of long numbers', '{"*":[{"var":"payload.digits"},{"var":"payload.digits"}]}'],
    ['a remainder of far exponents', '{"map":[{"range":[0,1000]},{"%":[1e6000,7.1e-3000]}]}'],
    ['many long texts', '{"map":[{"range":[0,2000]},{"upper":{"var":"$.payload.text"}}]}'],
    ['many replacements', '{"map":[{"range":[0,200]},{"replace":[{"var":"$.payload.text"},"a","bb"]}]}'],
    ['many dates', '{"map":[{"range":[0,5000]},{"date_add":["2027-01-31T00:00Z","P1M"]}]}'],
  ])('hold for %s', (_name, logic) => {
    const data = parseJson(`{"digits":${digits},"text":"${text}"}`) as JsonObject;
    expect(computed(logic, data)).toMatch(/takes more than 100000 steps|builds more than|exponent beyond/);
  });

  it('search in linear time where a separator nearly matches everywhere', () => {
    const data: JsonObject = { text, needle: `${'a'.repeat(1000)}b` };
    expect(computed('{"length":{"split":[{"var":"payload.text"},{"var":"payload.needle"}]}}', data)).toBe('1');
  });
});
