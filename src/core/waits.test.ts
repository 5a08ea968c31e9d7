import { describe, expect, it } from 'vitest';
import { stateOf } from '../../test/contract/fixtures/executions.ts';
import { judge } from './call/classify.ts';
import type { CallPlan } from './plan.ts';
import type { AttemptFailure, Stage, State, TaskRun, UndoTarget } from './state.ts';
import { hostsOf, isAtHost, waitsOf } from './waits.ts';

const now = 1_780_000_000_000;
const until = now + 1;
const failure: AttemptFailure = { outcome: 'unknown', reason: 'timeout', description: 'late', host: 'bank.example' };
const task: TaskRun = {
  visit: 1,
  startOrd: 1,
  startedAt: now,
  attemptAt: now,
  attempt: 1,
  retries: 0,
  waits: 0,
  operation: 1,
};
const target: UndoTarget = { nodeId: 'pay', visit: 1, round: 1, ord: 1, scope: '', outcome: 'succeeded', key: 'k' };
const undo = { target, startedAt: now, attemptAt: now, attempt: 1, retries: 0, waits: 0 };
const blocked = { since: now, cause: 'circuit', detail: 'open', host: 'carrier.example:8443' } as const;
const goal = { kind: 'end' } as const;

function at(stage: Stage, more: Partial<State> = {}): State {
  return stateOf({ tokens: [{ id: 1, scope: '', nodeId: 'a', stage }], ...more });
}

describe('what an execution waits for', () => {
  it.each<readonly [string, State, object]>([
    ['a worker', at({ kind: 'ready' }), { nodeId: 'a', state: 'SCHEDULED' }],
    ['its start', at({ kind: 'ready' }, { startAt: until }), { nodeId: 'a', state: 'SLEEPING' }],
    ['an answer', at({ kind: 'calling', callId: 1, task }), { nodeId: 'a', state: 'CALLING' }],
    [
      'the answer to a further attempt',
      at({ kind: 'calling', callId: 2, task: { ...task, failure } }),
      { nodeId: 'a', state: 'CALLING', host: 'bank.example' },
    ],
    [
      'its next attempt',
      at({ kind: 'backoff', since: now, until, task: { ...task, failure } }),
      { nodeId: 'a', state: 'BACKOFF', host: 'bank.example' },
    ],
    [
      'what blocks it, wherever it failed before',
      at({ kind: 'backoff', since: now, until, task: { ...task, failure, blocked } }),
      { nodeId: 'a', state: 'BLOCKED', host: 'carrier.example:8443' },
    ],
    [
      'a callback',
      at({ kind: 'waiting', since: now, until, task: { ...task, failure } }),
      { nodeId: 'a', state: 'WAITING_CALLBACK' },
    ],
    ['time', at({ kind: 'sleeping', since: now, until, visit: 1 }), { nodeId: 'a', state: 'SLEEPING' }],
    ['calls in flight', at({ kind: 'draining', since: now, goal }), { nodeId: 'a', state: 'COMPENSATING' }],
    [
      'the next attempt of a compensation',
      at({ kind: 'unwinding', since: now, goal, troubles: 0, until, undo: { ...undo, failure } }),
      { nodeId: 'pay', state: 'COMPENSATING', host: 'bank.example' },
    ],
    [
      'a blocked compensation',
      at({ kind: 'unwinding', since: now, goal, troubles: 0, until, undo: { ...undo, blocked } }),
      { nodeId: 'pay', state: 'BLOCKED', host: 'carrier.example:8443' },
    ],
  ])('%s', (_title, state, expected) => {
    expect(waitsOf(state)).toEqual([expected]);
  });

  it('is nothing once it is over, and of a split its branches', () => {
    expect(waitsOf(stateOf({ end: { status: 'FAILED' } }))).toEqual([]);
    const split = { kind: 'forked', since: now, visit: 1, ord: 1, branches: {} } as const;
    expect(waitsOf(at(split))).toEqual([]);
  });
});

describe('the hosts of an execution', () => {
  const failed = stateOf({
    tokens: [],
    end: { status: 'CORRUPTED', reason: 'compensation' },
    verdict: { status: 'FAILED', reason: 'timeout', host: 'bank.example' },
    failedCompensations: [
      { nodeId: 'a', visit: 1, outcome: 'unknown', host: 'carrier.example:8443' },
      { nodeId: 'b', visit: 1, outcome: 'succeeded', host: 'bank.example' },
    ],
  });

  it('are those at which it failed, each once', () => {
    expect(hostsOf(failed)).toEqual(['bank.example', 'carrier.example:8443']);
  });

  it.each([
    ['bank.example', true],
    ['carrier.example', true],
    ['carrier.example:8443', true],
    ['carrier.example:443', false],
    ['example', false],
    ['ank.example', false],
  ])('fit %s: %s', (host, fits) => {
    expect(isAtHost(failed, host)).toBe(fits);
  });

  it.each([
    ['http://Bank.Example/x', 'bank.example:80'],
    ['http://bank.example:80', 'bank.example:80'],
    ['https://bank.example/x?y#z', 'bank.example:443'],
    ['http://[::1]/', '[::1]:80'],
    ['https://bank.example:80', 'bank.example:80'],
    ['https://me:pass@bank.example:8443\\x', 'bank.example:8443'],
    ['http://[::1]:9000/', '[::1]:9000'],
    ['ftp://bank.example', undefined],
    ['', undefined],
  ])('are read from %s as %s', (url, host) => {
    const judged = judge({ unknown: new Set<number>() } as unknown as CallPlan, {
      result: { kind: 'failed', error: 'timeout', reason: 'late' },
      exchange: { url },
    });
    expect(judged).toMatchObject({ ok: false });
    expect('failure' in judged && judged.failure.host).toBe(host);
  });
});
