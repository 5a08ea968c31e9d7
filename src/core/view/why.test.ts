import { describe, expect, it } from 'vitest';
import type { ExecutionStatus, FailureReason } from '../state.ts';
import { type Place, placeStates } from './place.ts';
import { maxWhyLength, whyOf, type WhyFacts } from './why.ts';

const none = { stuck: [], troubles: 0, isHookOpen: false } as const;
const at = (state: Place['state'], rest: Partial<Place> = {}): Place => ({
  nodeId: 'charge',
  visit: 1,
  attempt: 1,
  since: 1,
  state,
  ...rest,
});
const failure = { outcome: 'unknown', reason: 'status_5xx', description: 'x', statusCode: 503 } as const;
const late = { outcome: 'unknown', reason: 'timeout', description: 'x' } as const;
const host = 'bank.example:443';

type Row = readonly [facts: Omit<WhyFacts, keyof typeof none> & Partial<WhyFacts>, headline: string, detail: string];

const retry = 'An operator can resolve it, or have it tried at once.';
const again = 'A retry begins a new round.';
const stuckDetail = 'Only an operator can end it: retry the compensations once the service works, or resolve them.';

const ends: readonly Row[] = [
  [{ status: 'SUCCEEDED' }, 'It succeeded.', ''],
  [
    { status: 'SUCCEEDED', isHookOpen: true },
    'It succeeded, but its hook was not delivered.',
    'An operator can have the hook called again.',
  ],
  [
    { status: 'TERMINATED', reason: 'terminated', standing: 2 },
    'It was terminated as it stood.',
    '2 effects stand. A forced retry begins a new round.',
  ],
  [{ status: 'CANCELLED', reason: 'cancelled', standing: 0 }, 'It was cancelled.', `No effect stands. ${again}`],
  [{ status: 'CANCELLED', reason: 'cancelled', description: 'wrong tenant' }, 'wrong tenant', again],
  [{ status: 'CANCELLED', reason: 'undone' }, 'It was undone.', again],
  [{ status: 'CANCELLED', reason: 'undone', description: 'by request' }, 'It was undone: by request', again],
  [
    { status: 'FAILED', reason: 'status_4xx', nodeId: 'charge', statusCode: 402, host, standing: 1 },
    'charge got 402 from bank.example:443.',
    `One effect stands. ${again}`,
  ],
  [{ status: 'FAILED', reason: 'status_4xx', nodeId: 'charge' }, 'charge was refused.', again],
  [
    { status: 'FAILED', reason: 'status_5xx', nodeId: 'charge', statusCode: 500, isHookOpen: true },
    'charge got 500.',
    `Its hook was not delivered. ${again}`,
  ],
  [
    { status: 'FAILED', reason: 'timeout', nodeId: 'charge', host },
    'charge got no answer from bank.example:443 in time, so its effect is unknown.',
    again,
  ],
  [
    { status: 'FAILED', reason: 'connect', nodeId: 'charge', host },
    'charge could not talk to bank.example:443.',
    again,
  ],
  [{ status: 'FAILED', reason: 'connect', nodeId: 'charge' }, 'charge lost its connection.', again],
  [{ status: 'FAILED', reason: 'body', nodeId: 'charge' }, 'The answer to charge could not be read.', again],
  [
    { status: 'FAILED', reason: 'unsent', nodeId: 'charge', description: 'no url' },
    'charge could not be sent: no url',
    again,
  ],
  [{ status: 'FAILED', reason: 'unsent', nodeId: 'charge' }, 'charge could not be sent.', again],
  [
    { status: 'FAILED', reason: 'callback_timeout', nodeId: 'charge' },
    'charge got no callback in time, so its effect is unknown.',
    again,
  ],
  [
    { status: 'FAILED', reason: 'callback_failure', nodeId: 'charge' },
    'The callback of charge reported a failure.',
    again,
  ],
  [{ status: 'FAILED', reason: 'execution_timeout' }, 'It took longer than its time limit.', again],
  [{ status: 'FAILED', reason: 'visits', nodeId: 'charge' }, 'It made too many visits, the last one at charge.', again],
  [
    { status: 'FAILED', reason: 'child', nodeId: 'charge' },
    'The execution that charge started did not succeed.',
    again,
  ],
  [
    { status: 'FAILED', reason: 'fail_node', nodeId: 'stop', description: 'sold out' },
    'stop ended it: sold out',
    again,
  ],
  [{ status: 'FAILED', reason: 'fail_node' }, 'A node ended it.', again],
  [{ status: 'FAILED', reason: 'terminated' }, 'It was terminated as it stood.', again],
  [{ status: 'FAILED', reason: 'compensation' }, 'An effect could not be undone.', again],
  [{ status: 'FAILED', reason: 'engine' }, 'The engine failed on this execution.', again],
  [{ status: 'FAILED' }, 'It did not succeed.', again],
  [{ status: 'FAILED', description: 'Odd.' }, 'Odd.', again],
  [
    { status: 'CORRUPTED', reason: 'engine', description: 'a bug' },
    'The engine failed: a bug',
    'A retry goes on from where it stood.',
  ],
  [
    { status: 'CORRUPTED', reason: 'compensation', stuck: [{ nodeId: 'charge', outcome: 'unknown' }], troubles: 1 },
    'charge may have taken effect, and could not be undone.',
    stuckDetail,
  ],
  [
    { status: 'CORRUPTED', reason: 'compensation', stuck: [{ nodeId: 'charge', outcome: 'succeeded' }], troubles: 3 },
    'charge took effect, and could not be undone. The same holds for 2 more.',
    stuckDetail,
  ],
  [
    { status: 'CORRUPTED', reason: 'compensation', stuck: [{ nodeId: 'charge', outcome: 'rejected' }], troubles: 1 },
    'charge was refused, and what it may have left could not be undone.',
    stuckDetail,
  ],
  [{ status: 'CORRUPTED', troubles: 1 }, 'An effect could not be undone.', stuckDetail],
  [{ status: 'CORRUPTED', troubles: 9 }, '9 effects could not be undone.', stuckDetail],
  [
    { status: 'COMPENSATING', reason: 'status_4xx', nodeId: 'ship', statusCode: 422, place: at('COMPENSATING') },
    'ship got 422.',
    'charge is being undone.',
  ],
  [
    {
      status: 'COMPENSATING',
      reason: 'status_4xx',
      place: at('COMPENSATING', { failure, host, attempt: 2 }),
      retriesLeft: 1,
    },
    'The undo of charge got 503 from bank.example:443.',
    `Attempt 2. One retry is left. ${retry}`,
  ],
  [{ status: 'COMPENSATING' }, 'It did not succeed.', 'It is about to go on.'],
  [{ status: 'COMPENSATING', place: at('COMPENSATING') }, 'charge is being undone.', ''],
  [{ status: 'IN_PROGRESS' }, 'It is about to go on.', ''],
];

const places: readonly (readonly [Partial<WhyFacts> & { readonly place: Place }, string, string])[] = [
  [
    { place: at('BLOCKED', { cause: 'hold' }) },
    'charge is held back by an operator.',
    'No attempt is spent. It goes on once an operator lifts the hold.',
  ],
  [
    { place: at('BLOCKED', { cause: 'circuit', host }) },
    'charge waits for bank.example:443, whose circuit is open.',
    'No attempt is spent. It goes on once a probe of the host is answered.',
  ],
  [
    { place: at('BLOCKED', { cause: 'slots' }) },
    'charge waits for a free place at its host.',
    'No attempt is spent. It goes on by itself.',
  ],
  [{ place: at('BLOCKED') }, 'charge is blocked.', 'No attempt is spent. It goes on by itself.'],
  [
    { place: at('BACKOFF', { failure, host, attempt: 3 }), retriesLeft: 0 },
    'charge got 503 from bank.example:443 and will be tried again.',
    `Attempt 3. No further retry follows. ${retry}`,
  ],
  [
    { place: at('BACKOFF', { failure: late, host }), retriesLeft: 4 },
    'charge got no answer in time at bank.example:443 and will be tried again.',
    `4 retries are left. ${retry}`,
  ],
  [{ place: at('BACKOFF') }, 'charge failed and will be tried again.', retry],
  [
    { place: at('COMPENSATING', { isDraining: true }) },
    'It waits for calls in flight before it compensates.',
    'It goes on once they are answered or have timed out.',
  ],
  [{ place: at('HOOK') }, 'The hook charge is being called.', ''],
  [{ place: at('HOOK', { failure }) }, 'The hook charge got 503.', ''],
  [{ place: at('CALLING', { attempt: 2 }) }, 'charge is being called.', 'Attempt 2.'],
  [{ place: at('CALLING', { host }) }, 'charge is being called at bank.example:443.', ''],
  [
    { place: at('WAITING_CALLBACK') },
    'charge waits for its callback.',
    'The callback ends the wait, or its timeout, or an operator who resolves it.',
  ],
  [
    { place: at('WAITING_CHILD') },
    'charge waits for the execution that it started.',
    'It goes on once that execution is over.',
  ],
  [{ place: at('JOINING') }, 'charge waits for its branches or items.', ''],
  [{ place: at('SLEEPING') }, 'charge sleeps.', 'It goes on at its time, or when an operator wakes it.'],
  [{ place: at('SCHEDULED') }, 'charge is next.', ''],
  [
    { place: at('SCHEDULED', { until: 9 }) },
    'It has not begun yet.',
    'It begins at its time, or when an operator wakes it.',
  ],
];

describe('why an execution stands or ended as it did', () => {
  it.each(ends)('%j: %s', (facts, headline, detail) => {
    expect(whyOf({ ...none, ...facts })).toEqual({ headline, detail });
  });

  it.each(places)('at %j: %s', (facts, headline, detail) => {
    for (const status of ['IN_PROGRESS', 'SLEEPING', 'WAITING_CALLBACK'] as const) {
      expect(whyOf({ ...none, status, ...facts })).toEqual({ headline, detail });
    }
  });

  it('is tested for every status, place and reason', () => {
    const statuses: Record<ExecutionStatus, true> = {
      IN_PROGRESS: true,
      WAITING_CALLBACK: true,
      SLEEPING: true,
      COMPENSATING: true,
      SUCCEEDED: true,
      FAILED: true,
      CANCELLED: true,
      CORRUPTED: true,
      TERMINATED: true,
    };
    const reasons: Record<FailureReason, true> = {
      status_4xx: true,
      status_5xx: true,
      timeout: true,
      connect: true,
      body: true,
      unsent: true,
      callback_timeout: true,
      callback_failure: true,
      execution_timeout: true,
      visits: true,
      fail_node: true,
      compensation: true,
      engine: true,
      child: true,
      cancelled: true,
      terminated: true,
      undone: true,
    };
    const tested = new Set(ends.flatMap(([{ status, reason }]) => [status, reason]));
    expect(Object.keys(statuses).filter((status) => !tested.has(status as ExecutionStatus))).toEqual([
      'WAITING_CALLBACK',
      'SLEEPING',
    ]);
    expect(Object.keys(reasons).filter((reason) => !tested.has(reason as FailureReason))).toEqual([]);
    const stood = new Set(places.map(([{ place }]) => place.state));
    expect(placeStates.filter((state) => !stood.has(state))).toEqual([]);
  });

  it('shows values of a later release as they are', () => {
    const future = { ...none, status: 'FUTURE_VALUE' } as unknown as WhyFacts;
    expect(whyOf(future)).toEqual({ headline: 'It is FUTURE_VALUE.', detail: '' });
    const reason = { ...none, status: 'FAILED', reason: 'future_reason', nodeId: 'a' } as unknown as WhyFacts;
    expect(whyOf(reason).headline).toBe('a: future_reason.');
  });

  it('is cut without a half of a pair', () => {
    for (const before of [maxWhyLength - 2, maxWhyLength - 1]) {
      const { headline } = whyOf({ ...none, status: 'FAILED', description: `${'x'.repeat(before)}😀😀` });
      expect(headline.length).toBeLessThanOrEqual(maxWhyLength);
      expect(headline.isWellFormed()).toBe(true);
      expect(headline.endsWith('…')).toBe(true);
    }
  });
});
