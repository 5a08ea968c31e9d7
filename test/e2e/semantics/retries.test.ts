/** Retry policies: what is repeated, how often, under which key, and what spends no attempt. */
import { describe, expect, it } from 'vitest';
import { once, retries } from '../stage/definitions.ts';
import type { Answer } from '../stage/downstream.ts';
import { attempts, openStage } from '../stage/stage.ts';

// A hundred failures in a row would open the circuit of the downstream.
const stage = openStage({ HTTP_MAXRETRYAFTERMILLIS: '30', CIRCUITBREAKER_ENABLED: 'false' });
const never = new Promise(() => undefined);

const retryAfter = (status: number): Answer => ({ status, headers: { 'retry-after': '3600' } });

interface Case {
  readonly what: string;
  readonly answers: readonly Answer[];
  readonly policy: object;
  readonly status: 'SUCCEEDED' | 'FAILED';
  readonly calls: number;
  readonly request?: object;
}

const cases: readonly Case[] = [
  { what: 'maxAttempts counts retries', answers: [{ status: 500 }], policy: retries(2), status: 'FAILED', calls: 3 },
  { what: 'zero means one call', answers: [{ status: 500 }], policy: once, status: 'FAILED', calls: 1 },
  {
    what: 'the last retry may succeed',
    answers: [{ status: 500 }, { status: 503 }, {}],
    policy: retries(2),
    status: 'SUCCEEDED',
    calls: 3,
  },
  {
    what: 'backoff',
    answers: [{ status: 429 }, { status: 409 }, {}],
    policy: {
      type: 'backoff',
      maxAttempts: 2,
      initialDelayMillis: 1,
      maxDelayMillis: 2,
      multiplier: 3,
      jitterRatio: 0.5,
    },
    status: 'SUCCEEDED',
    calls: 3,
  },
  ...[400, 401, 402, 403, 404, 405, 410, 413, 415, 422, 501].map((status): Case => ({
    what: `${status} is not repeated by default`,
    answers: [{ status }],
    policy: retries(3),
    status: 'FAILED',
    calls: 1,
  })),
  ...[408, 409, 418, 429, 500, 502, 503, 504].map((status): Case => ({
    what: `${status} is repeated by default`,
    answers: [{ status }, {}],
    policy: retries(1),
    status: 'SUCCEEDED',
    calls: 2,
  })),
  {
    what: 'a timeout is repeated by default',
    answers: [{ after: never }, {}],
    request: { timeoutMillis: 1000 },
    policy: retries(1),
    status: 'SUCCEEDED',
    calls: 2,
  },
  {
    what: 'retryOn takes a code that is hopeless by default',
    answers: [{ status: 404 }, {}],
    policy: retries(1, { retryOn: { statusCodes: [404] } }),
    status: 'SUCCEEDED',
    calls: 2,
  },
  {
    what: 'retryOn takes a class',
    answers: [{ status: 422 }, {}],
    policy: retries(1, { retryOn: { statusCodes: ['4xx'] } }),
    status: 'SUCCEEDED',
    calls: 2,
  },
  {
    what: 'retryOn leaves out the rest',
    answers: [{ status: 500 }],
    policy: retries(3, { retryOn: { statusCodes: [503], errors: ['timeout'] } }),
    status: 'FAILED',
    calls: 1,
  },
  {
    what: 'retryOn leaves out a cut connection',
    answers: [{ cut: true }],
    policy: retries(3, { retryOn: { statusCodes: ['5xx'] } }),
    status: 'FAILED',
    calls: 1,
  },
  {
    what: 'retryOn takes a cut connection',
    answers: [{ cut: true }, {}],
    policy: retries(1, { retryOn: { errors: ['connect'] } }),
    status: 'SUCCEEDED',
    calls: 2,
  },
  {
    what: 'Retry-After of 429 and 503 spends no attempt',
    answers: [retryAfter(429), retryAfter(503), { status: 500 }, {}],
    policy: retries(1),
    status: 'SUCCEEDED',
    calls: 4,
  },
  {
    what: 'Retry-After of another code is nothing',
    answers: [retryAfter(500), {}],
    policy: retries(1),
    status: 'SUCCEEDED',
    calls: 2,
  },
  {
    what: 'Retry-After where the policy allows no attempt is a failure',
    answers: [retryAfter(429)],
    policy: once,
    status: 'FAILED',
    calls: 1,
  },
  {
    what: 'Retry-After of a code that retryOn leaves out is a failure',
    answers: [retryAfter(503)],
    policy: retries(1, { retryOn: { statusCodes: [500] } }),
    status: 'FAILED',
    calls: 1,
  },
];

describe('a policy', () => {
  it.concurrent.each(cases)('$what', async ({ what, answers, policy, status, calls, request }) => {
    const saga = stage.saga(what.replaceAll(/\W/g, '-'));
    stage.downstream.script(`/${saga.name}/a`, ...answers);
    const document = await stage.finish(saga.graph([saga.task('a', { failureHandling: policy }, request)]));
    expect(document.status).toBe(status);
    const received = stage.downstream.calls(`/${saga.name}/a`);
    expect(received.map(({ headers }) => headers['trama-attempt'])).toEqual(
      Array.from({ length: calls }, (_, i) => String(i + 1)),
    );
    expect(new Set(received.map(({ key }) => key))).toEqual(new Set([`${document.id}:1:a:1:UP`]));
  });

  it.concurrent('that waits at most 100 times for Retry-After', async () => {
    const saga = stage.saga('patient');
    stage.downstream.script('/patient/a', { status: 503, headers: { 'retry-after': '0' } });
    const document = await stage.finish(saga.graph([saga.task('a', { failureHandling: retries(2) })]));
    expect(document).toMatchObject({ status: 'FAILED', reason: 'status_5xx' });
    expect(stage.downstream.calls('/patient/a')).toHaveLength(103);
  });

  it.concurrent('of a definition is overridden by a task, and counts afresh for each visit', async () => {
    const saga = stage.saga('policies');
    stage.downstream.script('/policies/a', { status: 500 }, { body: { n: 1 } }, { status: 500 }, { body: { n: 2 } });
    stage.downstream.script('/policies/b', { status: 500 });
    const document = await stage.finish(
      saga.graph(
        [
          saga.task('a', { next: 'again' }),
          {
            kind: 'switch',
            id: 'again',
            cases: [{ when: { '<': [{ var: 'nodes.a.response.body.n' }, 2] }, target: 'a' }],
            default: 'b',
          },
          saga.task('b', { failureHandling: once }),
        ],
        { failureHandling: retries(1) },
      ),
    );
    expect(document).toMatchObject({ status: 'FAILED', failedNodeId: 'b' });
    expect(attempts(await stage.calls(document.id))).toEqual([
      'a UP 1 rejected',
      'a UP 2 succeeded',
      'a UP 1 rejected',
      'a UP 2 succeeded',
      'b UP 1 rejected',
      'a DOWN 1 succeeded',
      'a DOWN 1 succeeded',
    ]);
  });

  it.concurrent('of compensations repeats everything, also what is hopeless forwards', async () => {
    const saga = stage.saga('stubborn');
    stage.downstream.script('/stubborn/b', { status: 400 });
    stage.downstream.script('/stubborn/undo-a', { status: 404 }, { status: 422 }, { cut: true }, {});
    const document = await stage.finish(saga.linear(['a', 'b'], { compensationHandling: retries(3) }));
    expect(document).toMatchObject({ status: 'FAILED', compensations: [{ nodeId: 'a', state: 'DONE', attempts: 4 }] });
    expect(new Set(stage.downstream.calls('/stubborn/undo-a').map(({ key }) => key)).size).toBe(1);
  });

  it.concurrent('shows what is waited for', async () => {
    const saga = stage.saga('waiting');
    stage.downstream.script('/waiting/a', { status: 500 });
    const id = await stage.run(
      saga.graph([saga.task('a', { failureHandling: { ...retries(1), delayMillis: 3_600_000 } })]),
    );
    const document = await stage.until(id, ({ currentNodes }) => currentNodes[0]?.state === 'BACKOFF');
    expect(document).toMatchObject({
      status: 'IN_PROGRESS',
      currentNodes: [{ nodeId: 'a', visit: 1, attempt: 1, until: expect.any(String), detail: expect.any(String) }],
    });
    expect(
      await stage.control(id, 'resolve', {
        nodeId: 'a',
        phase: 'UP',
        outcome: 'succeeded',
        reason: 'seen',
        body: { n: 1 },
      }),
    ).toBe(202);
    expect(await stage.untilEnd(id)).toMatchObject({ status: 'SUCCEEDED', result: { n: 1 } });
  });
});
