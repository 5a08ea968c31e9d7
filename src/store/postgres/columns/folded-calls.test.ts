import { describe, expect, it } from 'vitest';
import { callRow, effectStep } from '../../../../test/contract/fixtures/executions.ts';
import { encode } from '../../row-text.ts';
import { foldedCall, unfoldedCall } from './folded-calls.ts';

const call = callRow(1, { nodeId: 'a', statusCode: 200, idempotencyKey: 'k' });
const { callId: _callId, idempotencyKey: _key, exchange: _exchange, error: _error, ...shared } = call;
const step = effectStep(2, { ...shared, ord: 2 });

describe('a call in the row of its step', () => {
  it('is read as it was written, and does not repeat what the step says', () => {
    const folded = foldedCall(call, step);
    expect(folded).toBeDefined();
    expect(JSON.parse(folded!)).not.toHaveProperty('nodeId');
    expect(unfoldedCall({ ord: 1, row: encode(step), folded: folded! })).toEqual(call);
  });

  it('keeps a field that only the step has out of the call', () => {
    const { statusCode: _status, ...without } = call;
    const { statusCode: _own, ...bare } = step;
    const folded = foldedCall(without, bare);
    expect(unfoldedCall({ ord: 1, row: encode(bare), folded: folded! })).toEqual(without);
  });

  it.each([
    ['there is no step', undefined],
    ['the step comes later', { ...step, ord: 3 }],
    ['the step is of another visit', { ...step, visit: 2 }],
    ['the step has no status', { ...step, statusCode: undefined }],
    ['the step ended otherwise', { ...step, outcome: 'unknown' as const }],
  ])('is a row of its own where %s', (_, other) => {
    expect(foldedCall(call, other as typeof step | undefined)).toBeUndefined();
  });
});
