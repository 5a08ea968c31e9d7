import { describe, expect, it } from 'vitest';
import { judge } from './classify.ts';
import type { CallPlan } from '../plan.ts';

const call = { unknown: new Set([502]) } as unknown as CallPlan;
const bodyProblem = 'The answer is not UTF-8.';
const answer = (status: number) =>
  ({ result: { kind: 'response', response: { status, headers: {}, body: null }, bodyProblem } }) as const;

describe('an answer whose body cannot be read', () => {
  it('is unknown where its status says that the call took effect', () => {
    expect(judge(call, answer(201))).toMatchObject({
      ok: false,
      failure: { outcome: 'unknown', reason: 'body', error: 'body', statusCode: 201, description: bodyProblem },
    });
    expect(judge({ ...call, success: new Set([409]) }, answer(409))).toMatchObject({ failure: { outcome: 'unknown' } });
  });

  it.each([
    [409, 'rejected', 'status_4xx'],
    [500, 'rejected', 'status_5xx'],
    [502, 'unknown', 'status_5xx'],
  ])('%d: %s by its status, and says so too', (status, outcome, reason) => {
    const description = `The downstream answered ${String(status)}. ${bodyProblem}`;
    expect(judge(call, answer(status))).toMatchObject({ ok: false, failure: { outcome, reason, description } });
  });

  it('is enough to tell that there is nothing to undo', () => {
    expect(judge(call, answer(404), true).ok).toBe(true);
    expect(judge(call, answer(404)).ok).toBe(false);
  });
});
