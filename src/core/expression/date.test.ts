import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../value/json.ts';
import { compileExpression } from './expression.ts';

function evaluate(logic: Json, payload: JsonObject = {}): unknown {
  const compiled = compileExpression(logic, { nodeIds: new Set(), allow: { callback: false } });
  if ('errors' in compiled) return compiled.errors;
  const verdict = compiled.expression.evaluate({
    payload,
    labels: {},
    sagaId: '',
    sagaName: '',
    sagaVersion: '',
    stepName: '',
    phase: 'UP',
    attempt: 1,
    round: 1,
    variable: () => undefined,
    secret: () => undefined,
    node: () => undefined,
    completed: [],
  });
  return verdict.ok ? verdict.truthy : verdict.error;
}

const at = (name: string): Json => ({ date: { var: `payload.${name}` } });

describe('date', () => {
  it('compares times whatever their offsets and forms', () => {
    const payload = {
      a: '2027-01-01T10:00+02:00',
      b: '2027-01-01T09:00Z',
      c: '2027-01-01T10:00:00.000[Europe/Berlin]',
    };
    expect(evaluate({ '<': [{ var: 'payload.a' }, { var: 'payload.b' }] }, payload)).toBe(false);
    expect(evaluate({ '<': [at('a'), at('b')] }, payload)).toBe(true);
    expect(evaluate({ '==': [at('b'), at('c')] }, payload)).toBe(true);
    expect(evaluate({ '===': [{ '-': [at('b'), at('a')] }, 3_600_000] }, payload)).toBe(true);
    expect(evaluate({ '===': [{ max: [at('a'), at('b')] }, at('c')] }, payload)).toBe(true);
    expect(evaluate({ all: [[payload.a, payload.b], { '<=': [{ date: { var: '' } }, at('none')] }] })).toContain(
      'nothing',
    );
  });

  it.each<[string, Json, string]>([
    ['what is missing', at('missing'), 'was given nothing: its value is missing or null.'],
    ['null', at('nil'), 'was given nothing: its value is missing or null.'],
    ['a number', at('number'), 'takes a text like "2030-01-31T09:00:00Z", and was given none.'],
    ['an object', at('object'), 'takes a text like "2030-01-31T09:00:00Z", and was given none.'],
    ['a local time', at('local'), 'was given a text that has neither an offset, like +01:00 or Z, nor a zone'],
    ['a date', at('day'), 'was given a text that is no ISO 8601 time with an offset or a zone.'],
    ['a date that does not exist', at('never'), 'was given a text that is no ISO 8601 time with an offset or a zone.'],
    ['a zone that does not exist', at('zone'), 'names the zone Mars/Base, which the IANA database does not have.'],
  ])('refuses %s', (_what, logic, why) => {
    const payload = {
      nil: null,
      number: 1_800_000_000,
      object: { a: 1 },
      local: '2027-01-01T09:00',
      day: '2027-01-01',
      never: '2027-02-29T09:00Z',
      zone: '2027-01-01T09:00[Mars/Base]',
    };
    expect(evaluate({ '>': [logic, 0] }, payload)).toContain(why);
  });

  it.each<[Json, string]>([
    [{ date: '2027-01-01' }, 'The operator "date" is given "2027-01-01", which is no ISO 8601 time'],
    [{ date: [] }, 'The operator "date" takes one time.'],
    [{ date: ['2027-01-01T09:00Z', 'Europe/Berlin'] }, 'The operator "date" takes one time.'],
    [{ date: 5 }, 'The operator "date" takes a text'],
  ])('is checked where it is written out: %j', (logic, why) => {
    expect(evaluate(logic)).toEqual([expect.stringContaining(why)]);
  });

  it('is bounded where zones are looked up', () => {
    const zones = Array.from({ length: 1000 }, (_, i) => `2027-01-01T09:00[Zone/${String(i)}]`);
    const known = zones.map(() => '2027-01-01T09:00[Europe/Berlin]');
    expect(evaluate({ all: [{ var: 'payload.known' }, { date: { var: '' } }] }, { known })).toContain(
      'more than 100000 steps',
    );
  });
});
