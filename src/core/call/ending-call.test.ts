import { describe, expect, it } from 'vitest';
import { callRow, stepRow } from '../../../test/contract/fixtures/executions.ts';
import type { StepRow } from '../history.ts';
import { callOf, callsOf, endingCall, shownExchange } from './ending-call.ts';

const call = callRow(1, { statusCode: 200, idempotencyKey: 'k', error: 'late' });
const row = stepRow(2, { key: 'k' });

describe('the call that a step row records', () => {
  it('is given back as it was, and repeats nothing that the row says', () => {
    const { exchange } = call;
    expect(endingCall(call, row)).toEqual({ callId: 1, error: 'late', exchange });
    expect(callOf({ ...row, call: endingCall(call, row)! })).toEqual(call);
    const { key: _none, ...keyless } = row;
    expect(endingCall(call, keyless)).toMatchObject({ idempotencyKey: 'k' });
    expect(callOf({ ...keyless, call: endingCall(call, keyless)! })).toEqual(call);
  });

  it.each<[string, Partial<StepRow>]>([
    ['comes later', { ord: 3 }],
    ['is of another phase', { phase: 'CALLBACK' }],
    ['is of another node', { nodeId: 'b' }],
    ['is of another visit', { visit: 2 }],
    ['is of another round', { round: 2 }],
    ['is of another attempt', { attempt: 2 }],
    ['has another status', { statusCode: 201 }],
    ['ended otherwise', { outcome: 'unknown' }],
    ['ended at another time', { at: 1 }],
  ])('is a row of its own where the step %s', (_what, changes) => {
    expect(endingCall(call, { ...row, ...changes })).toBeUndefined();
  });

  it('is listed with those that have rows of their own', () => {
    const own = callRow(3, { attempt: 1 });
    const last = stepRow(5, { call: { callId: 9 } });
    expect(callsOf({ steps: [row, last], calls: [own] }).map(({ ord }) => ord)).toEqual([3, 4]);
  });
});

it.each([
  [{ a: 1 }, '{"a":1}'],
  ['text', 'text'],
  [null, ''],
  [0, '0'],
])('shows the body %j of an answer as text', (body, responseBody) => {
  const headers = { date: 'today' };
  const sent = { url: 'http://a', verb: 'GET', requestHeaders: {}, latencyMillis: 1 };
  const exchange = { ...sent, answer: { status: 200, headers, body } };
  expect(shownExchange(exchange)).toEqual({ ...sent, responseHeaders: headers, responseBody });
  expect(shownExchange(sent)).toBe(sent);
});
