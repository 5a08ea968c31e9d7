import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../value/json.ts';
import { compileDefinition } from '../compile.ts';

const request: JsonObject = { url: 'http://h/', verb: 'GET' };

function problemsOf(task: JsonObject, more: JsonObject = {}): readonly string[] {
  const compiled = compileDefinition(
    {
      name: 'n',
      version: '1',
      entrypoint: 'a',
      nodes: [{ kind: 'task', id: 'a', action: { mode: 'sync', request }, ...task }],
      ...more,
    },
    { hash: '' },
  );
  return compiled.ok ? compiled.warnings : compiled.errors;
}

const callback: JsonObject = { timeoutMillis: 1 };
const policy = (errors: string[]): JsonObject => ({
  type: 'retry',
  maxAttempts: 1,
  delayMillis: 1,
  retryOn: { errors },
});

describe('what has no effect is a warning', () => {
  it.each<[string, JsonObject, JsonObject, readonly string[]]>([
    [
      'compensateWhen without a compensation',
      { compensateWhen: 'completed' },
      {},
      ['nodes[0].compensateWhen: This field has no effect: there is no compensation.'],
    ],
    [
      'compensationHandling without any compensation',
      {},
      { compensationHandling: { type: 'retry', maxAttempts: 9, delayMillis: 1 } },
      ['compensationHandling: This field has no effect: nothing has a compensation.'],
    ],
    [
      'status codes of the request beside those of the action',
      { action: { mode: 'sync', request: { ...request, successStatusCodes: [200] }, successStatusCodes: [201] } },
      {},
      ['nodes[0].action.request.successStatusCodes: This field has no effect: action.successStatusCodes wins.'],
    ],
    [
      'status codes of success beside those of acceptance',
      {
        action: {
          mode: 'async',
          request: { ...request, unknownStatusCodes: [500] },
          acceptedStatusCodes: [202],
          successStatusCodes: [200],
          unknownStatusCodes: [503],
          callback,
        },
      },
      {},
      [
        'nodes[0].action.successStatusCodes: This field has no effect: action.acceptedStatusCodes wins.',
        'nodes[0].action.request.unknownStatusCodes: This field has no effect: action.unknownStatusCodes wins.',
      ],
    ],
    [
      'a status code that is success and unknown',
      { action: { mode: 'sync', request, successStatusCodes: [200, 409], unknownStatusCodes: [409, 503] } },
      {},
      ['nodes[0].action.unknownStatusCodes: 409 counts as success, so that naming it here has no effect.'],
    ],
    [
      'an unknown 2xx of a request, where any 2xx is success',
      { action: { mode: 'sync', request: { ...request, unknownStatusCodes: [202, 502] } } },
      {},
      ['nodes[0].action.request.unknownStatusCodes: 202 counts as success, so that naming it here has no effect.'],
    ],
    [
      'retries after callbacks of a node that waits for none',
      { failureHandling: policy(['timeout', 'callback_timeout']) },
      {},
      ['nodes[0].failureHandling.retryOn.errors[1]: "callback_timeout" has no effect: the node waits for no callback.'],
    ],
    [
      'templates in keys',
      { action: { mode: 'sync', request: { ...request, body: { a: [{ '{{payload.k}}': 1, '{{': 2 }] } } } },
      {},
      ['nodes[0].action.request.body.a[0]["{{payload.k}}"]: Keys are no templates: this one is sent as it is.'],
    ],
    [
      'templates in labels',
      {},
      { labels: { tenant: '{{payload.tenant}}', plain: 'a' } },
      ['labels.tenant: "{{payload.tenant}}" is taken as it is: labels are no templates.'],
    ],
    [
      'templates in conditions',
      {
        action: {
          mode: 'async',
          request,
          callback: { ...callback, successWhen: { '==': ['{{ callback.body.a }}', 1] } },
        },
      },
      {},
      [
        'nodes[0].action.callback.successWhen: "{{ callback.body.a }}" is taken as it is: conditions hold no templates; write {"var": "callback.body.a"}.',
      ],
    ],
    [
      'a page whose address is not sent',
      { action: { mode: 'async', request, callback: { ...callback, confirmPage: true } } },
      {},
      [
        'nodes[0].action.callback.confirmPage: No message carries the address of the page: no template of the request reads runtime.callback.signedUrl.',
      ],
    ],
  ])('%s', (_what, task, more, warnings) => {
    expect(problemsOf(task, more)).toEqual(warnings);
  });

  it.each<[string, JsonObject]>([
    [
      'compensateWhen with a compensation',
      { compensation: { ...request, verb: 'DELETE' }, compensateWhen: 'completed' },
    ],
    [
      'retries after a callback',
      { action: { mode: 'async', request, callback }, failureHandling: policy(['timeout', 'callback_timeout']) },
    ],
    [
      'success codes of a request alone',
      { action: { mode: 'sync', request: { ...request, successStatusCodes: [404] } } },
    ],
    [
      'a page whose link is sent',
      {
        action: {
          mode: 'async',
          request: { ...request, headers: { 'X-To': '{{runtime["callback"].signedUrl}}' } },
          callback: { ...callback, confirmPage: true },
        },
      },
    ],
  ])('not %s', (_what, task) => {
    expect(problemsOf(task)).toEqual([]);
  });

  it('a secret is named, not templated', () => {
    const auth = { type: 'bearer', secret: '{{secrets.KEY}}' };
    expect(problemsOf({ action: { mode: 'sync', request: { ...request, auth } } })).toEqual([
      'nodes[0].action.request.auth.secret: This is the name of a secret, not a template; write the name alone.',
    ]);
  });
});
