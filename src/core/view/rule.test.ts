import { describe, expect, it } from 'vitest';
import { compileDefinition } from '../definition/compile.ts';
import type { CallRow } from '../history.ts';
import type { Plan } from '../plan.ts';
import { ruleOf, type Sequel } from './rule.ts';

const call = (fields: object = {}): object => ({ url: 'http://shop.example/x', verb: 'POST', ...fields });
const definition = {
  name: 'order',
  version: '1',
  failureHandling: { type: 'retry', maxAttempts: 2, delayMillis: 1 },
  compensationHandling: { type: 'retry', maxAttempts: 0, delayMillis: 1 },
  onFailureCallback: call(),
  entrypoint: 'plain',
  nodes: [
    { kind: 'task', id: 'plain', action: { mode: 'sync', request: call() }, compensation: call(), next: 'own' },
    {
      kind: 'task',
      id: 'own',
      action: { mode: 'sync', successStatusCodes: [201], request: call({ unknownStatusCodes: [409] }) },
      failureHandling: { type: 'retry', maxAttempts: 1, delayMillis: 1, retryOn: { statusCodes: ['5xx'] } },
    },
  ],
};

const compiled = compileDefinition(JSON.parse(JSON.stringify(definition)), { hash: 'h' });
if (!compiled.ok) throw new Error(compiled.errors.join('\n'));
const plan: Plan = compiled.plan;

type Of = Pick<CallRow, 'nodeId' | 'phase' | 'outcome' | 'statusCode' | 'attempt'>;
const of = (nodeId: string, outcome: CallRow['outcome'], statusCode?: number, rest: Partial<Of> = {}): Of => ({
  nodeId,
  phase: 'UP',
  outcome,
  ...(statusCode !== undefined && { statusCode }),
  attempt: 1,
  ...rest,
});

const down = { phase: 'DOWN' } as const;
const defaults = [408, 502, 504, 520, 521, 522, 523, 524, 598, 599];
const noEffect = 'is neither among the codes of success nor among those of unknown outcome, so it had no effect.';

type Row = readonly [of: Of, sequel: Sequel, code: string, source: string, text: string, list?: readonly number[]];

describe('the rule of an attempt', () => {
  const rows: readonly Row[] = [
    [of('plain', 'succeeded', 204), 'none', 'success_2xx', 'default', '204 is between 200 and 299.'],
    [of('own', 'succeeded', 201), 'none', 'success_listed', 'action', '201 is among the codes of success.', [201]],
    [
      of('plain', 'succeeded', 404, down),
      'none',
      'nothing_to_undo',
      'default',
      'The outcome of the visit was unknown, and 404 says that there was nothing to undo.',
    ],
    [
      of('plain', 'unknown', 200),
      'repeated',
      'body_unreadable',
      'default',
      '200 is a success, but the body could not be read: the effect exists, its answer is lost. It was repeated.',
    ],
    [
      of('plain', 'unknown', 504),
      'waits',
      'unknown_listed',
      'default',
      '504 is among the codes of unknown outcome. It is about to be repeated.',
      defaults,
    ],
    [
      of('own', 'unknown', 409),
      'none',
      'unknown_listed',
      'request',
      '409 is among the codes of unknown outcome. It was not repeated, since the policy does not retry 409.',
      [409],
    ],
    [
      of('own', 'unknown', 200),
      'none',
      'unexpected_2xx',
      'action',
      '200 is a 2xx that is not among the codes of success: it had an effect, but not one that the definition expects. It was not repeated, since the policy does not retry 200.',
      [201],
    ],
    [
      of('plain', 'unknown', 999, { attempt: 3 }),
      'none',
      'beyond_http',
      'default',
      'HTTP does not define 999, so its effect is unknown. No retry was left.',
    ],
    [
      of('plain', 'rejected', 422),
      'none',
      'rejected_status',
      'default',
      `422 ${noEffect} It was not repeated, since the same request would get 422 again.`,
    ],
    [of('plain', 'rejected', 500), 'none', 'rejected_status', 'default', `500 ${noEffect} It was not repeated.`],
    [
      of('plain', 'rejected', 500, down),
      'none',
      'rejected_status',
      'default',
      '500 is neither among the codes of success nor among those of unknown outcome. The policy allows no retry.',
    ],
    [
      of('plain', 'unsent'),
      'none',
      'not_sent',
      'default',
      'Nothing was sent, so it had no effect. It was not repeated.',
    ],
    [
      of('onFailureCallback', 'unknown', undefined, { phase: 'HOOK', attempt: 3 }),
      'none',
      'no_answer',
      'default',
      'It was sent, but no whole answer was recorded, so it may have had its effect. No retry was left.',
    ],
    [of('gone', 'succeeded', 200), 'none', 'success_2xx', 'default', '200 is between 200 and 299.'],
  ];

  it.each(rows.map((row) => [row]))('%j', ([row, sequel, code, source, text, list]) => {
    expect(ruleOf(plan, row, sequel)).toEqual({ code, source, text, ...(list !== undefined && { list }) });
  });
});
