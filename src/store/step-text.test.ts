import {
  assert,
  type Arbitrary,
  boolean,
  constantFrom,
  dictionary,
  integer,
  jsonValue,
  option,
  property,
  record,
  string,
  tuple,
} from 'fast-check';
import { describe, expect, it } from 'vitest';
import { effectStep, start, stepRow } from '../../test/contract/fixtures/executions.ts';
import { callOf, shownExchange } from '../core/call/ending-call.ts';
import { idempotencyKey } from '../core/call/keys.ts';
import type { CallRow, EndingCall, Exchange, StepRow } from '../core/history.ts';
import { parseJson, stringifyJson, type Json } from '../core/value/json.ts';
import { decodeCall, encodeCall } from './call-text.ts';
import { decodeStep, decodeStoredCall, encodeStep, type StepText } from './step-text.ts';

const id = '01a22fd8-5145-7666-928c-d0f99a6269f6';
const trace = `00-${id.replaceAll('-', '')}`;

const maybe = <T>(value: Arbitrary<T>): Arbitrary<T | undefined> => option(value, { nil: undefined });
const text = string({ unit: 'binary', maxLength: 8 });
const name = constantFrom('a', 'b/c', 'ключ', '__proto__', 'x:1:a:1:UP', '\u0000', '\ud800');
const key = constantFrom('content-type', 'traceparent', 'idempotency-key', '__proto__', '7', 'constructor');
const headers = dictionary(key, text, { maxKeys: 3 });
const body = option(jsonValue({ maxDepth: 2 })).map((value) => value as Json);
const response = record({ status: integer({ min: 100, max: 599 }), headers, body });
const outcome = constantFrom('succeeded' as const, 'rejected' as const, 'unknown' as const, 'unsent' as const);
const instant = integer({ min: 1_700_000_000_000, max: 1_700_000_000_003 });
const small = integer({ min: 1, max: 3 });

/** Removes undefined fields at the top. */
function defined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}

const output = maybe(
  record({
    response: maybe(response),
    accepted: maybe(response),
    callback: maybe(record({ body })),
    failure: maybe(record({ outcome, reason: text })),
    downBody: maybe(body),
  }).map(defined),
);

interface Draft {
  readonly row: StepRow;
  readonly call: Omit<CallRow, 'exchange'>;
  readonly exchange: Exchange | undefined;
}

/** Headers as Trama sends them, with what a definition may have changed. */
function sentHeaders(row: StepRow, of: string, change: string, own: Record<string, string>): Record<string, string> {
  const sent: Record<string, string> = {
    'idempotency-key': of,
    'trama-execution-id': id,
    'trama-node-id': row.nodeId,
    'trama-attempt': String(row.attempt),
  };
  if (change === 'key') sent['idempotency-key'] = 'own';
  if (change === 'none') return own;
  if (change === 'attempt') delete sent['trama-attempt'];
  const all = Object.fromEntries([...Object.entries(sent), ...Object.entries(own)]) as Record<string, string>;
  if (change === 'foreign trace') all['traceparent'] = `00-${'1'.repeat(32)}-a89d3028cab7b1d7-01`;
  else if (change === 'sampled') all['traceparent'] = `${trace}-a89d3028cab7b1d7-01`;
  else if (change !== 'no trace') all['traceparent'] = `${trace}-a89d3028cab7b1d7-00`;
  if (change === 'after trace') all['later'] = 'x';
  return all;
}

const changes = ['', 'key', 'none', 'attempt', 'foreign trace', 'sampled', 'no trace', 'after trace'] as const;

const draft: Arbitrary<Draft> = tuple(
  record({
    ord: integer({ min: 2, max: 9 }),
    nodeId: name,
    index: integer({ min: -1, max: 2 }),
    phase: constantFrom<CallRow['phase']>('UP', 'DOWN', 'HOOK'),
    visit: small,
    round: small,
    attempt: small,
    outcome,
    statusCode: maybe(constantFrom(200, 404)),
    startedAt: instant,
    attemptAt: instant,
    at: instant,
    scope: constantFrom('', 's:1', 'ж'),
    output,
    repeat: maybe(constantFrom(true)),
    final: boolean(),
    fingerprint: maybe(text),
    effect: maybe(constantFrom('succeeded' as const, 'unknown' as const)),
    undo: maybe(constantFrom('pending' as const, 'done' as const)),
    undoRank: maybe(constantFrom(1 as const, 2 as const, 3 as const)),
    undoSort: maybe(small),
    choice: maybe(record({ target: text })),
    note: maybe(text),
  }),
  record({ callId: small, error: maybe(text) }),
  constantFrom('usual', 'none', 'other', 'second'),
  constantFrom('self', 'none', 'other'),
  tuple(
    boolean(),
    constantFrom(...changes),
    headers,
    maybe(text),
    boolean(),
    constantFrom('own', 'other', 'none', 'text'),
  ),
  response,
  integer({ min: 0, max: 9000 }),
).map(([fields, { callId, error }, keyed, prev, [has, change, own, sent, isCut, answered], other, padding]) => {
  const { phase, round, nodeId, visit, ord } = fields;
  const usual = idempotencyKey(id, round, nodeId, visit, phase === 'DOWN' || phase === 'HOOK' ? phase : 'UP');
  const keys: Record<string, string | undefined> = { usual, none: undefined, other: 'own', second: `${usual}.2` };
  const refs: Record<string, StepRow['prev']> = {
    self: { nodeId, ord },
    none: undefined,
    other: { nodeId: 'b', ord: 1 },
  };
  const row = defined({ ...fields, key: keys[keyed], prev: refs[prev] }) as StepRow;
  const callKey = change === 'attempt' ? usual : (row.key ?? usual);
  const mine = row.output?.response ?? row.output?.accepted;
  const answer = answered === 'own' ? mine : answered === 'other' ? other : undefined;
  const exchange = defined({
    url: 'http://a/b',
    verb: change === 'none' ? 'GET' : 'POST',
    requestHeaders: sentHeaders(row, callKey, change, own),
    requestBody: sent === undefined ? undefined : sent + 'x'.repeat(padding),
    requestBodyTruncated: isCut ? true : undefined,
    answer,
    ...(answered === 'text'
      ? { responseHeaders: own, responseBody: 'masked ***', responseBodyTruncated: isCut ? true : undefined }
      : undefined),
    latencyMillis: 7,
  }) as Exchange;
  const call = defined({ ...callFields(row), callId, error, idempotencyKey: callKey }) as Omit<CallRow, 'exchange'>;
  return { row, call, exchange: has ? defined(exchange) : undefined };
});

function callFields(row: StepRow): object {
  const { ord, nodeId, index, phase, visit, round, attempt, outcome: of, statusCode, startedAt, attemptAt, at } = row;
  return {
    ord: ord - 1,
    nodeId,
    index,
    phase,
    visit,
    round,
    attempt,
    outcome: of,
    statusCode,
    startedAt,
    attemptAt,
    at,
  };
}

function ending({ row, call, exchange }: Draft): EndingCall {
  const { callId, error, idempotencyKey: own } = call;
  return defined({ callId, error, idempotencyKey: own === row.key ? undefined : own, exchange }) as EndingCall;
}

/** The columns of a row as stores keep and read them. */
function columnsOf(row: StepRow): Omit<StepText, 'row'> {
  const { ord, round, nodeId, visit, scope, effect = null, undo = null, undoRank = null, undoSort = null } = row;
  return { ord, round, nodeId, visit, scope, effect, undo, undoRank, undoSort };
}

const sized = (row: StepRow, size: number): StepRow => ({
  ...row,
  output: { ...row.output, response: { status: 200, headers: {}, body: 'x'.repeat(size) } },
});

describe('a step row as text', () => {
  it('is read as it was made, with its call', () => {
    assert(
      property(draft, constantFrom(undefined, 5000, 70_000), (made, size) => {
        const row: StepRow = size === undefined ? made.row : sized(made.row, size);
        const of = { ...row, call: ending({ ...made, row }) };
        const texts = encodeStep(id, of, () => ({ body: 'shown' }));
        const columns = columnsOf(row);
        const read = decodeStep(id, { ...columns, row: texts.row, output: texts.output });
        // Fields with the key `__proto__` and digits of numbers must survive, too.
        expect(stringifyJson(ordered(read))).toBe(stringifyJson(ordered(row)));
        const stored = { ...columns, ...texts, ord: row.ord - 1, callId: of.call.callId };
        const listed = decodeStoredCall(id, { ...stored, output: texts.shown === null ? texts.output : null });
        const call = callOf(of) as CallRow;
        const shown = call.exchange === undefined ? call : { ...call, exchange: shownExchange(call.exchange) };
        expect(stringifyJson(ordered(listed))).toBe(stringifyJson(ordered(shown)));
      }),
      { numRuns: 600 },
    );
  });

  it('says of a call only what the row does not', () => {
    const answer = { status: 200, headers: { date: 'today' }, body: { ok: true } };
    const requestHeaders = {
      'idempotency-key': `${id}:1:a:1:UP`,
      'trama-execution-id': id,
      'trama-node-id': 'a',
      'trama-attempt': '1',
      'content-type': 'application/json',
      traceparent: `${trace}-a89d3028cab7b1d7-00`,
    };
    const exchange = { url: 'http://a/b', verb: 'POST', requestHeaders, latencyMillis: 20, answer };
    const made = effectStep(2, { key: `${id}:1:a:1:UP`, output: { response: answer }, call: { callId: 1, exchange } });
    const { row } = encodeStep(id, { ...made, prev: { nodeId: 'a', ord: 2 } });
    expect(JSON.parse(row)).toEqual({
      at: start + 20,
      begun: start,
      index: 0,
      hash: 'print-2',
      call: { url: 'http://a/b', headers: { 'content-type': 'application/json' }, span: 'a89d3028cab7b1d7', ms: 20 },
      output: { response: answer },
    });
  });

  it('keeps large parts beside it, and does not read a large output for lists', () => {
    const answer = { status: 200, headers: {}, body: 'x'.repeat(70_000) };
    const exchange = { url: 'http://a', verb: 'GET', requestHeaders: {}, latencyMillis: 1, answer };
    const made = stepRow(2, { output: { response: answer }, call: { callId: 1, exchange } });
    const texts = encodeStep(id, made, () => ({ body: 'shown' }));
    expect(texts.row.length).toBeLessThan(200);
    expect(parseJson(texts.output ?? '')).toEqual({ response: answer });
    expect(JSON.parse(texts.call ?? '')).toMatchObject({ response: { body: answer.body } });
    expect(texts.shown).toBe('{"body":"shown"}');
  });
});

it('reads a call row of its own as it was made', () => {
  assert(
    property(draft, ({ call, exchange }) => {
      const made = defined({ ...call, exchange }) as CallRow;
      const read = decodeCall(id, call.ord, encodeCall(id, made));
      const shown = exchange === undefined ? made : { ...made, exchange: shownExchange(exchange) };
      expect(stringifyJson(ordered(read))).toBe(stringifyJson(ordered(shown)));
    }),
    { numRuns: 300 },
  );
});

/** The row with its fields in one order; the order of headers stays. */
function ordered(row: StepRow | CallRow): Json {
  const fields = Object.entries({ ...row, call: undefined }).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(
    fields.map(([field, value]) => [
      field,
      field === 'exchange' || field === 'output'
        ? Object.fromEntries(Object.entries(value as object).sort(([a], [b]) => (a < b ? -1 : 1)))
        : value,
    ]),
  ) as Json;
}
