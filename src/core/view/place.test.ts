import { describe, expect, it } from 'vitest';
import type { State, Stage, TaskRun, Token } from '../state.ts';
import { needsPlan, urgentPlace } from './place.ts';

const task: TaskRun = {
  visit: 1,
  startOrd: 1,
  operation: 1,
  startedAt: 5,
  attemptAt: 5,
  attempt: 2,
  retries: 1,
  waits: 0,
};
const failure = { outcome: 'unknown', reason: 'status_5xx', description: 'd', host: 'bank.example:443' } as const;
const blocked = { since: 30, cause: 'circuit', detail: 'open', host: 'bank.example:443' } as const;

const token = (nodeId: string, stage: Stage): Token => ({ id: 1, scope: '', nodeId, stage });
const stateWith = (...tokens: readonly Token[]): State =>
  ({ tokens, visits: {}, now: 99, startedAt: 1 }) as unknown as State;

const sleeping = (nodeId: string, since: number): Token =>
  token(nodeId, { kind: 'sleeping', since, until: 100, visit: 1 });
const calling = token('call', { kind: 'calling', callId: 1, task });
const backoff = token('back', { kind: 'backoff', since: 20, until: 60, task: { ...task, failure } });
const held = token('held', { kind: 'backoff', since: 20, until: 60, task: { ...task, failure, blocked } });
const forked = token('split', { kind: 'forked', since: 3, visit: 1, ord: 1, branches: { a: { status: 'RUNNING' } } });

describe('the place of an execution', () => {
  it.each([
    ['blocked before all', [sleeping('s', 1), calling, backoff, held], 'held', 'BLOCKED'],
    ['backing off before a call', [calling, backoff], 'back', 'BACKOFF'],
    ['a call before a sleep', [sleeping('s', 1), calling], 'call', 'CALLING'],
    ['a split before a sleep', [sleeping('s', 1), forked], 'split', 'JOINING'],
    ['a sleep before what is next', [token('n', { kind: 'ready' }), sleeping('s', 90)], 's', 'SLEEPING'],
    ['of equals the longest there', [sleeping('a', 9), sleeping('b', 2), sleeping('c', 7)], 'b', 'SLEEPING'],
  ] as const)('is %s', (_what, tokens, nodeId, state) => {
    expect(urgentPlace(stateWith(...tokens))).toMatchObject({ nodeId, state });
  });

  it('says why a call waits there', () => {
    expect(urgentPlace(stateWith(held))).toEqual({
      nodeId: 'held',
      visit: 1,
      state: 'BLOCKED',
      attempt: 3,
      since: 30,
      until: 60,
      detail: 'open',
      host: 'bank.example:443',
      cause: 'circuit',
      failure,
      retries: 1,
    });
    expect(urgentPlace(stateWith(backoff))).toMatchObject({ host: 'bank.example:443', until: 60, detail: 'd' });
    expect(urgentPlace(stateWith(token('d', { kind: 'draining', since: 1, goal: { kind: 'end' } })))).toMatchObject({
      state: 'COMPENSATING',
      isDraining: true,
    });
  });

  it('names the join of a split where the plan is given', () => {
    const nodes = new Map([['split', { join: 'join' }]]) as unknown as NonNullable<
      Parameters<typeof urgentPlace>[1]
    >['nodes'];
    expect(urgentPlace(stateWith(forked), { nodes })?.nodeId).toBe('join');
    expect([needsPlan(stateWith(forked)), needsPlan(stateWith(calling))]).toEqual([true, false]);
  });

  it('is none once the execution is over', () => {
    expect(urgentPlace({ ...stateWith(calling), end: { status: 'TERMINATED' } })).toBeUndefined();
    expect(urgentPlace(stateWith())).toBeUndefined();
  });
});
