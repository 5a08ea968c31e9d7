/** What an answer means (SPEC: outcome of a call), and what is compensated for it. */
import { describe, expect, it } from 'vitest';
import type { Answer } from '../stage/downstream.ts';
import { attempts, openStage } from '../stage/stage.ts';

const stage = openStage({ HTTP_MAXRESPONSEBYTES: '2048' });

interface Case {
  readonly what: string;
  readonly answer?: Answer;
  readonly request?: object;
  readonly action?: object;
  readonly outcome: 'rejected' | 'unsent' | 'unknown';
  readonly reason: string;
}

const never = new Promise(() => undefined);

const cases: readonly Case[] = [
  { what: 'a 400', answer: { status: 400 }, outcome: 'rejected', reason: 'status_4xx' },
  { what: 'a 409', answer: { status: 409 }, outcome: 'rejected', reason: 'status_4xx' },
  { what: 'a 500', answer: { status: 500 }, outcome: 'rejected', reason: 'status_5xx' },
  {
    what: 'a redirect',
    answer: { status: 302, headers: { location: '/' } },
    outcome: 'rejected',
    reason: 'status_4xx',
  },
  { what: 'a refused connection', request: { url: 'http://127.0.0.1:1/x' }, outcome: 'unsent', reason: 'connect' },
  {
    what: 'a name that does not resolve',
    request: { url: 'http://nowhere.invalid/x' },
    outcome: 'unsent',
    reason: 'connect',
  },
  {
    what: 'an address that may not be called',
    request: { url: 'http://169.254.169.254/x' },
    outcome: 'unsent',
    reason: 'unsent',
  },
  {
    what: 'no answer in time',
    answer: { after: never },
    request: { timeoutMillis: 50 },
    outcome: 'unknown',
    reason: 'timeout',
  },
  { what: 'a cut connection', answer: { cut: true }, outcome: 'unknown', reason: 'connect' },
  { what: 'a body that is too large', answer: { body: 'x'.repeat(4096) }, outcome: 'unknown', reason: 'body' },
  { what: 'a 408', answer: { status: 408 }, outcome: 'unknown', reason: 'status_4xx' },
  { what: 'a 502', answer: { status: 502 }, outcome: 'unknown', reason: 'status_5xx' },
  { what: 'a 504', answer: { status: 504 }, outcome: 'unknown', reason: 'status_5xx' },
  {
    what: 'a 2xx outside of the set',
    answer: { status: 202 },
    action: { successStatusCodes: [200] },
    outcome: 'unknown',
    reason: 'status_4xx',
  },
  {
    what: 'a code of unknownStatusCodes',
    answer: { status: 500 },
    action: { unknownStatusCodes: [500] },
    outcome: 'unknown',
    reason: 'status_5xx',
  },
  {
    what: 'a 502 that unknownStatusCodes leaves out',
    answer: { status: 502 },
    action: { unknownStatusCodes: [500] },
    outcome: 'rejected',
    reason: 'status_5xx',
  },
  {
    what: 'unknownStatusCodes of the request',
    answer: { status: 418 },
    request: { unknownStatusCodes: [418] },
    outcome: 'unknown',
    reason: 'status_4xx',
  },
  {
    what: 'unknownStatusCodes of the action before those of the request',
    answer: { status: 418 },
    request: { unknownStatusCodes: [418] },
    action: { unknownStatusCodes: [419] },
    outcome: 'rejected',
    reason: 'status_4xx',
  },
];

describe('a call', () => {
  it.concurrent.each(cases)(
    'with $what is $outcome ($reason)',
    async ({ what, answer, request, action, outcome, reason }) => {
      const saga = stage.saga(what.replaceAll(/\W/g, '-'));
      if (answer !== undefined) stage.downstream.script(`/${saga.name}/b`, answer);
      const document = await stage.finish(
        saga.graph([saga.task('a', { next: 'b' }), saga.task('b', { ...(action && { action }) }, request)]),
      );
      expect(document).toMatchObject({ status: 'FAILED', reason, failedNodeId: 'b', standing: [], retryable: true });
      expect(attempts(await stage.calls(document.id))).toEqual([
        'a UP 1 succeeded',
        `b UP 1 ${outcome}`,
        ...(outcome === 'unknown' ? ['b DOWN 1 succeeded'] : []),
        'a DOWN 1 succeeded',
      ]);
      const [, step] = await stage.steps(document.id);
      expect(step).toMatchObject({ stepName: 'b', outcome, success: false });
    },
  );

  it.concurrent('takes unknownStatusCodes in linear steps, and in hooks', async () => {
    const saga = stage.saga('unknown-everywhere');
    stage.downstream.script('/unknown-everywhere/a', { status: 418 });
    stage.downstream.script('/unknown-everywhere/lost', { status: 418 });
    const teapot = { unknownStatusCodes: [418] };
    const { id } = await stage.finish(
      saga.linear([], {
        steps: [{ name: 'a', up: saga.call('a', teapot), down: saga.call('undo-a') }],
        onFailureCallback: saga.call('lost', teapot),
      }),
    );
    expect(attempts(await stage.calls(id))).toEqual([
      'a UP 1 unknown',
      'a DOWN 1 succeeded',
      'onFailureCallback HOOK 1 unknown',
    ]);
  });

  it.concurrent('succeeds with any 2xx, or with what the definition says', async () => {
    const saga = stage.saga('successes');
    stage.downstream.script('/successes/any', { status: 299 });
    stage.downstream.script('/successes/told', { status: 404 });
    stage.downstream.script('/successes/over', { status: 409 });
    const document = await stage.finish(
      saga.graph([
        saga.task('any', { next: 'told' }),
        saga.task('told', { next: 'over' }, { successStatusCodes: [404] }),
        saga.task('over', { action: { successStatusCodes: [409] } }, { successStatusCodes: [200] }),
      ]),
    );
    expect(document.status).toBe('SUCCEEDED');
  });

  it.concurrent('carries its keys and a trace', async () => {
    const saga = stage.saga('headers');
    stage.downstream.script('/headers/ä', {}, {});
    stage.downstream.script('/headers/z', { status: 400 });
    const { id } = await stage.finish(
      saga.graph([
        {
          ...saga.task('ä', { next: 'z' }),
          action: { mode: 'sync', request: saga.call('up') },
          compensation: saga.call('down'),
        },
        saga.task('z', {}, { headers: { 'Idempotency-Key': 'own', traceparent: 'mine' } }),
      ]),
    );
    const [up] = stage.downstream.calls('/headers/up');
    expect(up!.headers).toMatchObject({
      'idempotency-key': `${id}:1:%C3%A4:1:UP`,
      'trama-execution-id': id,
      'trama-node-id': '%C3%A4',
      'trama-attempt': '1',
      traceparent: expect.stringMatching(/^00-[\da-f]{32}-[\da-f]{16}-0[01]$/),
    });
    const [down] = stage.downstream.calls('/headers/down');
    expect(down!.headers).toMatchObject({
      'idempotency-key': `${id}:1:%C3%A4:1:DOWN`,
      'trama-compensates': `${id}:1:%C3%A4:1:UP`,
    });
    expect(down!.headers['traceparent']!.slice(3, 35)).toBe(up!.headers['traceparent']!.slice(3, 35));
    expect(stage.downstream.calls('/headers/z')[0]!.headers).toMatchObject({
      'idempotency-key': 'own',
      traceparent: 'mine',
    });
  });
});
