/** Valid definitions that between them use every feature. For tests that need one; each compiles without an error. */
import type { JsonObject } from '../../src/core/value/json.ts';

/** A definition and the warnings that it gives, in order. */
export interface ValidDefinition {
  readonly name: string;
  readonly definition: JsonObject;
  readonly warnings: readonly string[];
}

const base = 'http://shop.example';

/** The smallest definition: one step. */
export const smallest: JsonObject = {
  name: 'smallest',
  version: '1',
  steps: [{ name: 'ping', up: { url: `${base}/ping`, verb: 'GET' } }],
};

/** Three steps with compensations, policies, hooks, labels and everything else that a linear definition may hold. */
export const linear: JsonObject = {
  $schema: 'https://trama.example/schema/definition.json',
  name: 'order',
  version: '2026-03',
  description: 'Reserves, charges and ships an order.',
  labels: { team: 'shop' },
  'x-owner': { mail: 'shop@example.com' },
  requiredPayload: ['orderId', 'customer.id'],
  timeoutMillis: 600_000,
  maxNodeVisits: 100,
  failureHandling: { type: 'retry', maxAttempts: 2, delayMillis: 100 },
  compensationHandling: {
    type: 'backoff',
    maxAttempts: 30,
    initialDelayMillis: 100,
    maxDelayMillis: 10_000,
    multiplier: 1.5,
    jitterRatio: 0.1,
  },
  steps: [
    {
      name: 'reserve',
      up: {
        url: `${base}/stock/{{payload.orderId}}/reservations`,
        verb: 'POST',
        headers: { 'X-Customer': '{{payload.customer.id}}', Authorization: 'Bearer {{secrets.SHOP}}' },
        body: { order: '{{payload.orderId}}', lines: '{{payload.lines}}', note: 'for {{payload.customer.name}}' },
        successStatusCodes: [200, 201],
        timeoutMillis: 2000,
      },
      down: { url: `${base}/stock/{{payload.orderId}}/reservations`, verb: 'DELETE' },
      compensateWhen: 'attempted',
      'x-position': [1, 2],
    },
    {
      name: 'charge',
      up: {
        url: `${base}/payments`,
        verb: 'POST',
        body: '{"order": "{{payload.orderId}}", "reservation": {{step.reserve.body.id}}}',
        unknownStatusCodes: [408, 500, 502, 504],
        auth: { type: 'bearer', secret: 'PAYMENTS' },
      },
      down: { url: `${base}/payments/refund`, verb: 'POST', body: { key: '{{nodes.charge.idempotencyKey}}' } },
      failureHandling: {
        type: 'backoff',
        maxAttempts: 5,
        initialDelayMillis: 50,
        maxDelayMillis: 50,
        retryOn: { statusCodes: [429, '5xx'], errors: ['timeout', 'connect'] },
      },
    },
    {
      name: 'notify',
      up: {
        url: `${base}/mails?to={{payload.customer.mail}}`,
        verb: 'PUT',
        body: '{{#steps}}{{name}}: {{up.body.id}}\n{{/steps}}',
      },
      down: null,
    },
  ],
  onSuccessCallback: { url: `${base}/done`, verb: 'POST', body: { id: '{{sagaId}}', charged: '{{prev.body}}' } },
  onFailureCallback: {
    url: `${base}/failed`,
    verb: 'POST',
    body: { id: '{{sagaId}}', why: '{{failure.reason}}', node: '{{failure.nodeId}}', code: '{{failure.statusCode}}' },
  },
};

/** An async node, judged by its callback. */
export const asynchronous: JsonObject = {
  name: 'approval',
  version: '1',
  entrypoint: 'approve',
  nodes: [
    {
      kind: 'task',
      id: 'approve',
      action: {
        mode: 'async',
        request: {
          url: `${base}/approvals`,
          verb: 'POST',
          headers: { 'X-Token': '{{runtime.callback.token}}' },
          body: { url: '{{runtime.callback.url}}', signed: '{{runtime.callback.signedUrl}}' },
        },
        acceptedStatusCodes: [202],
        unknownStatusCodes: [],
        callback: {
          timeoutMillis: 86_400_000,
          successWhen: { '==': [{ var: 'callback.body.state' }, 'approved'] },
          failureWhen: { '==': [{ var: 'callback.body.state' }, 'denied'] },
          pendingWhen: { '==': [{ var: 'callback.body.state' }, 'asked'] },
        },
      },
      compensation: { url: `${base}/approvals/{{nodes.approve.accepted.body.id}}`, verb: 'DELETE' },
      next: 'store',
    },
    {
      kind: 'task',
      id: 'store',
      action: {
        mode: 'sync',
        request: { url: `${base}/store`, verb: 'PUT', body: { by: '{{nodes.approve.callback.body.by}}' } },
        successStatusCodes: [204],
      },
    },
  ],
};

/** Every kind of node: a loop with a sleep and a switch, nested splits, a failure route and a fail node. */
export const graph: JsonObject = {
  name: 'everything',
  version: '7',
  entrypoint: 'start',
  nodes: [
    {
      kind: 'task',
      id: 'start',
      action: { mode: 'sync', request: { url: '{{vars.SHOP}}/start', verb: 'GET' } },
      next: 'both',
    },
    { kind: 'split', id: 'both', branches: ['hotel', 'flight'], join: 'booked' },
    {
      kind: 'task',
      id: 'hotel',
      action: { mode: 'sync', request: { url: `${base}/hotels`, verb: 'POST', body: { from: '{{input.from}}' } } },
      compensation: { url: `${base}/hotels/{{nodes.hotel.response.body.id}}`, verb: 'DELETE' },
      compensateWhen: 'completed',
      next: 'booked',
    },
    {
      kind: 'task',
      id: 'flight',
      action: { mode: 'sync', request: { url: `${base}/flights`, verb: 'POST' } },
      compensation: { url: `${base}/flights/by-key/{{nodes.flight.idempotencyKey}}`, verb: 'DELETE' },
      onFailure: 'train',
      next: 'seats',
    },
    { kind: 'split', id: 'seats', branches: ['window', 'meal'], join: 'seated' },
    { kind: 'task', id: 'window', action: { mode: 'sync', request: { url: `${base}/window`, verb: 'GET' } } },
    { kind: 'sleep', id: 'meal', durationMillis: 1500 },
    { kind: 'join', id: 'seated', onBranchFailure: 'continue', next: 'booked' },
    { kind: 'task', id: 'train', action: { mode: 'sync', request: { url: `${base}/train`, verb: 'GET' } } },
    { kind: 'join', id: 'booked', onBranchFailure: 'fail', next: 'wait' },
    { kind: 'sleep', id: 'wait', duration: 'PT5M', next: 'poll' },
    {
      kind: 'task',
      id: 'poll',
      action: {
        mode: 'sync',
        request: {
          url: `${base}/state?hotel={{nodes.hotel.response.body.id}}&all={{nodes.booked.response.body}}`,
          verb: 'GET',
        },
      },
      failureHandling: { type: 'retry', maxAttempts: 0, delayMillis: 0 },
      next: 'ready',
    },
    {
      kind: 'switch',
      id: 'ready',
      cases: [
        { name: 'yes', when: { '===': [{ var: 'nodes.poll.response.body.ready' }, true] }, target: 'until' },
        { when: { '>': [{ var: 'nodes.poll.visit' }, 10] }, target: 'give-up' },
      ],
      default: 'wait',
    },
    { kind: 'sleep', id: 'until', until: '{{nodes.poll.response.body.at}}' },
    { kind: 'fail', id: 'give-up', reason: 'Not ready after {{nodes.poll.visit}} looks', 'x-color': 'red' },
  ],
};

/** Both other kinds of authentication, and every verb that reads. */
export const authenticated: JsonObject = {
  name: 'authenticated',
  version: '1',
  steps: [
    {
      name: 'basic',
      up: {
        url: `${base}/a`,
        verb: 'HEAD',
        auth: { type: 'basic', usernameSecret: 'SHOP_USER', passwordSecret: 'SHOP_PASSWORD' },
      },
    },
    {
      name: 'oauth',
      up: {
        url: { value: `${base}/b/{{payload.id}}` },
        verb: 'OPTIONS',
        auth: {
          type: 'oauth2ClientCredentials',
          tokenUrl: 'https://login.example/token',
          clientIdSecret: 'CLIENT_ID',
          clientSecretSecret: 'CLIENT_SECRET',
          scope: 'shop',
          audience: null,
        },
      },
    },
  ],
};

/** Valid, but doubtful in every way that the validation warns of. */
export const doubtful: JsonObject = {
  name: 'doubtful',
  version: '1',
  compensationHandling: { type: 'retry', maxAttempts: 1, delayMillis: 10 },
  failureHandling: { type: 'retry', maxAttempts: 1, delayMillis: 10, retryOn: { errors: ['connect'] } },
  entrypoint: 'pick',
  nodes: [
    {
      kind: 'switch',
      id: 'pick',
      cases: [{ when: { var: 'payload.fast' }, target: 'fast one' }],
      default: 'slow',
    },
    {
      kind: 'task',
      id: 'fast one',
      action: {
        mode: 'async',
        request: {
          url: `${base}/fast`,
          verb: 'POST',
          headers: { authorization: 'Basic c2hvcDpzaG9w' },
          body: { value: 'fast {{payload.id}}' },
        },
        callback: { timeoutMillis: 1000, failureWhen: { var: 'callback.body.failed' } },
      },
      next: 'report',
    },
    {
      kind: 'task',
      id: 'slow',
      action: { mode: 'sync', request: { url: `${base}/slow`, verb: 'PATCH' } },
      compensation: { url: `${base}/slow/{{nodes.slow.response.body.id}}`, verb: 'DELETE' },
      next: 'report',
    },
    {
      kind: 'task',
      id: 'report',
      action: {
        mode: 'sync',
        request: { url: `${base}/report`, verb: 'PUT', body: { id: '{{nodes.slow.response.body.id}}' } },
      },
    },
  ],
};

/** All of them, with their warnings. */
export const validDefinitions: readonly ValidDefinition[] = [
  { name: 'smallest', definition: smallest, warnings: [] },
  { name: 'linear', definition: linear, warnings: [] },
  { name: 'asynchronous', definition: asynchronous, warnings: [] },
  { name: 'graph', definition: graph, warnings: [] },
  { name: 'authenticated', definition: authenticated, warnings: [] },
  {
    name: 'doubtful',
    definition: doubtful,
    warnings: [
      'failureHandling.retryOn: Timeouts are left out, so a call that times out is not retried; list "timeout" in errors if it should be.',
      'compensationHandling.maxAttempts: A compensation gives up after 1 retry, which leaves the execution CORRUPTED; allow at least 5.',
      'nodes[1].id: "fast one" holds characters other than A-Z, a-z, 0-9, _ and -; they are awkward in URLs and templates.',
      'nodes[1].action.request.body: This is taken for the template that "value" holds; write a body of this form as a string.',
      'nodes[1].action.request.headers.authorization: Everybody who may read the definition can read this value; use auth or {{secrets.<NAME>}}.',
      'nodes[1].action.callback.failureWhen: Without successWhen, every callback for which this does not hold counts as success, an unexpected one included.',
      'nodes[2].compensation.url: "nodes.slow.response.body.id" is missing when the outcome of "slow" is unknown; read idempotencyKey or payload instead, or set compensateWhen to "completed".',
      'nodes[3].action.request.body: "nodes.slow.response.body.id" may be missing: some way to "report" does not visit "slow".',
      'nodes[1].action.request.verb: POST changes something, and nothing undoes it when "report" fails later; add a compensation, or "uncompensated": true where that is meant.',
    ],
  },
];
