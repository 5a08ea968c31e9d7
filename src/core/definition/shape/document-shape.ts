import type { Field, ObjectShape, Shape, ShapeBook } from './shape.ts';

const verbs = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'] as const;

/** Errors other than status codes that `retryOn.errors` may name. */
export const retryErrors = ['timeout', 'connect', 'body', 'callback_timeout', 'callback_failure'] as const;

/** Maximum of durations in a definition, in milliseconds: a thousand years, which every date library can represent. */
export const maxMillis = 31_557_600_000_000;

/** Maximum length of a node id or step name, in characters. */
const maxIdLength = 128;

/** Maximum number of retries in a policy. */
const maxRetries = 1_000_000;

const optional = (shape: Shape, description: string): Field => ({ shape, description });
const required = (shape: Shape, description: string): Field => ({ shape, description, required: true });

const reservedIds = { ['__proto__']: 'cannot be used as a name here' };
const id: Shape = { type: 'text', maxLength: maxIdLength, except: reservedIds };
const reference: Shape = { type: 'text' };
const millis: Shape = { type: 'integer', min: 1, max: maxMillis, meaning: 'a time in milliseconds' };
/** Bounded by the maximum delay of `setTimeout`, 2^31 - 1 ms. */
const callMillis = { type: 'integer', min: 1, max: 2_147_483_647, meaning: 'a time in milliseconds' } as const;
const delay: Shape = { type: 'integer', min: 0, max: maxMillis, meaning: 'a time in milliseconds' };
const statusCode: Shape = { type: 'integer', min: 100, max: 599, meaning: 'an HTTP status code' };
const successCodes: Shape = { type: 'list', of: statusCode, minItems: 1 };
const unknownCodes: Shape = { type: 'list', of: statusCode };
const template: Shape = { type: 'template', mayBeBlank: false };
const blankTemplate: Shape = { type: 'template', mayBeBlank: true };
const json: Shape = { type: 'json' };
const secretName: Shape = { type: 'text', maxLength: 255 };
const ref = (name: string): Shape => ({ type: 'ref', name });
const compensateWhenShape: Shape = { type: 'choice', values: ['completed', 'unknown', 'attempted'] };

const compensateWhen = optional(
  compensateWhenShape,
  'Which visits are compensated: completed ones, also those of unknown outcome (default), or also rejected ones.',
);
const uncompensated = optional(
  { type: 'boolean' },
  'true: it is meant that nothing undoes this call, and validation does not warn of it.',
);
const ownPolicy = optional(ref('RetryPolicy'), "Retries of this call; overrides the definition's failureHandling.");
const next = optional(reference, 'Id of the node that follows; without it the run, or its branch, ends here.');
const nodeId = required(id, 'Unique id of the node, at most 128 characters; best of A-Z, a-z, 0-9, _ and -.');

const retryOn = optional(ref('RetryOn'), 'Retries only what is listed here.');
const maxAttempts = required(
  { type: 'integer', min: 0, max: maxRetries, meaning: 'a number of retries' },
  'Retries after the first call; 0 means none.',
);

const callTimeout = (shape: Shape): Field => optional(shape, 'Total time of one attempt in milliseconds.');

/** The shape of an HTTP call. */
export const callShape: ObjectShape = {
  type: 'object',
  extensible: true,
  fields: {
    url: required(template, 'Absolute http or https URL; a template.'),
    verb: required({ type: 'choice', values: verbs }, 'HTTP method.'),
    headers: optional({ type: 'map', of: blankTemplate }, 'Header names to templates.'),
    body: optional(json, 'A template string, or any JSON value whose strings are templates.'),
    successStatusCodes: optional(successCodes, 'Status codes that mean success; any 2xx when left out.'),
    unknownStatusCodes: optional(
      unknownCodes,
      'Status codes that leave open whether the call took effect; 408, 502, 504, 520 to 524, 598 and 599 when left out.',
    ),
    timeoutMillis: callTimeout(callMillis),
    auth: optional(ref('Auth'), 'How the call authenticates, by names of secrets.'),
  },
};

/**
 * The shape of an HTTP call whose timeout is bounded by `http.maxTimeoutMillis`; used by the JSON Schema for editors.
 */
export function callShapeWithin(maxTimeoutMillis: number): ObjectShape {
  const timeoutMillis = callTimeout({ ...callMillis, max: maxTimeoutMillis });
  return { ...callShape, fields: { ...callShape.fields, timeoutMillis } };
}

const auth: Shape = {
  type: 'tagged',
  tag: 'type',
  description: 'The kind of authentication.',
  variants: {
    basic: {
      type: 'object',
      extensible: true,
      fields: {
        usernameSecret: required(secretName, 'Name of the secret that holds the user name.'),
        passwordSecret: required(secretName, 'Name of the secret that holds the password.'),
      },
    },
    bearer: {
      type: 'object',
      extensible: true,
      fields: { secret: required(secretName, 'Name of the secret that holds the token.') },
    },
    oauth2ClientCredentials: {
      type: 'object',
      extensible: true,
      fields: {
        tokenUrl: required({ type: 'text', maxLength: 2048 }, 'Where tokens are fetched.'),
        clientIdSecret: required(secretName, 'Name of the secret that holds the client id.'),
        clientSecretSecret: required(secretName, 'Name of the secret that holds the client secret.'),
        scope: optional({ type: 'text', maxLength: 1024 }, 'Scope to ask for.'),
        audience: optional({ type: 'text', maxLength: 1024 }, 'Audience to ask for.'),
      },
    },
  },
};

const retryPolicy: Shape = {
  type: 'tagged',
  tag: 'type',
  description: 'retry: equal delays; backoff: growing delays.',
  variants: {
    retry: {
      type: 'object',
      extensible: true,
      fields: { maxAttempts, delayMillis: required(delay, 'Delay before each retry in milliseconds.'), retryOn },
    },
    backoff: {
      type: 'object',
      extensible: true,
      fields: {
        maxAttempts,
        initialDelayMillis: required(delay, 'Delay before the first retry in milliseconds.'),
        maxDelayMillis: required(delay, 'Longest delay in milliseconds; not below initialDelayMillis.'),
        multiplier: optional(
          { type: 'number', min: 1, max: 1_000_000, meaning: 'a factor' },
          'Factor from one delay to the next; default 2.',
        ),
        jitterRatio: optional(
          { type: 'number', min: 0, max: 1, meaning: 'a ratio' },
          'Random part of each delay, from 0 (default) to 1.',
        ),
        retryOn,
      },
    },
  },
};

const retryOnShape: Shape = {
  type: 'object',
  extensible: true,
  fields: {
    statusCodes: optional(
      {
        type: 'list',
        of: {
          type: 'either',
          options: [statusCode, { type: 'choice', values: ['4xx', '5xx'] }],
          expected: 'a status code from 100 to 599, "4xx" or "5xx"',
        },
      },
      'Status codes to retry, or whole classes.',
    ),
    errors: optional({ type: 'list', of: { type: 'choice', values: retryErrors } }, 'Other failures to retry.'),
  },
};

const callback: Shape = {
  type: 'object',
  extensible: true,
  fields: {
    timeoutMillis: required(millis, 'How long the node waits for its callback, in milliseconds.'),
    successWhen: optional(json, 'JSON Logic over the callback; if given, it must hold for success.'),
    failureWhen: optional(json, 'JSON Logic over the callback; when it holds, the node has failed.'),
    pendingWhen: optional(json, 'JSON Logic over the callback; when it holds, the node keeps waiting.'),
    confirmPage: optional(
      { type: 'boolean' },
      'Whether the signed URL, opened in a browser, shows a page with a button that calls back; default false.',
    ),
  },
};

const actionFields = {
  request: required(ref('HttpCall'), 'The call.'),
  successStatusCodes: optional(successCodes, "Status codes that mean success; win over the request's."),
  unknownStatusCodes: optional(unknownCodes, "Status codes that leave the outcome open; win over the request's."),
  acceptedStatusCodes: optional(successCodes, 'Status codes that mean accepted, in mode async; any 2xx when left out.'),
};

const action: Shape = {
  type: 'tagged',
  tag: 'mode',
  description: 'sync: the answer decides; async: a callback decides.',
  variants: {
    sync: { type: 'object', extensible: true, fields: actionFields },
    async: {
      type: 'object',
      extensible: true,
      fields: { ...actionFields, callback: required(ref('Callback'), 'How the callback is judged.') },
    },
  },
};

const node: Shape = {
  type: 'tagged',
  tag: 'kind',
  description: 'What the node does.',
  variants: {
    task: {
      type: 'object',
      extensible: true,
      fields: {
        id: nodeId,
        action: required(ref('Action'), 'What the node calls.'),
        compensation: optional(ref('HttpCall'), 'The call that undoes the action.'),
        compensateWhen,
        uncompensated,
        failureHandling: ownPolicy,
        onFailure: optional(reference, 'Id of the node to go to when the retries are exhausted.'),
        next,
      },
    },
    switch: {
      type: 'object',
      extensible: true,
      fields: {
        id: nodeId,
        cases: required({ type: 'list', of: ref('Case'), minItems: 1 }, 'The first case that holds wins.'),
        default: required(reference, 'Id of the node to go to when no case holds.'),
      },
    },
    sleep: {
      type: 'object',
      extensible: true,
      exactlyOneOf: [['durationMillis', 'duration', 'until']],
      fields: {
        id: nodeId,
        durationMillis: optional(millis, 'How long to sleep, in milliseconds.'),
        duration: optional({ type: 'string' }, 'How long to sleep: ISO 8601 without months or years, such as PT5M.'),
        until: optional(
          template,
          'Until when: a template that renders to an ISO 8601 time with an offset, or with a zone such as [Europe/Berlin].',
        ),
        next,
      },
    },
    split: {
      type: 'object',
      extensible: true,
      fields: {
        id: nodeId,
        branches: required(
          { type: 'list', of: reference, minItems: 2, distinct: true },
          'Ids of the nodes at which the parallel branches begin.',
        ),
        join: required(reference, 'Id of the join node at which they all end.'),
      },
    },
    join: {
      type: 'object',
      extensible: true,
      fields: {
        id: nodeId,
        onBranchFailure: optional(
          { type: 'choice', values: ['fail', 'continue'] },
          'Whether a failed branch fails the execution (default) or only that branch is compensated.',
        ),
        next,
      },
    },
    fail: {
      type: 'object',
      extensible: true,
      fields: { id: nodeId, reason: required(template, 'Why the execution fails; a template.') },
    },
  },
};

const switchCase: Shape = {
  type: 'object',
  extensible: true,
  fields: {
    name: optional({ type: 'string' }, 'What the case is called in the history.'),
    when: required(json, 'JSON Logic condition.'),
    target: required(reference, 'Id of the node to go to when the condition holds.'),
  },
};

const step: Shape = {
  type: 'object',
  extensible: true,
  fields: {
    name: required(id, 'Unique name of the step; the id of its node.'),
    up: required(ref('HttpCall'), 'The call.'),
    down: optional(ref('HttpCall'), 'The call that undoes it.'),
    compensateWhen,
    uncompensated,
    failureHandling: ownPolicy,
  },
};

/** The shape of a definition document; `maxNodeVisitsCap` is the maximum of its `maxNodeVisits`. */
export function documentShape(maxNodeVisitsCap: number): ObjectShape {
  return {
    type: 'object',
    extensible: true,
    exactlyOneOf: [['steps', 'nodes']],
    requires: { nodes: ['entrypoint'] },
    excludes: { steps: ['entrypoint'] },
    fields: {
      $schema: optional({ type: 'string' }, 'URL of this schema, for editors.'),
      name: required({ type: 'text', maxLength: 255 }, 'Name of the definition.'),
      version: required(
        { type: 'text', maxLength: 255, except: { latest: 'is reserved: it means the version that was created last' } },
        'Version of the definition: any text but "latest".',
      ),
      description: optional({ type: 'string' }, 'What the definition is for.'),
      labels: optional({ type: 'map', of: { type: 'string' } }, 'Labels of every execution; those of a run win.'),
      steps: optional({ type: 'list', of: ref('Step'), minItems: 1 }, 'Steps that run one after the other.'),
      entrypoint: optional(reference, 'Id of the node at which the graph begins.'),
      nodes: optional({ type: 'list', of: ref('Node'), minItems: 1 }, 'Nodes of the graph.'),
      failureHandling: optional(ref('RetryPolicy'), 'Retries of forward calls and hooks.'),
      compensationHandling: optional(ref('RetryPolicy'), 'Retries of compensations.'),
      onSuccessCallback: optional(ref('HttpCall'), 'Called when an execution has succeeded.'),
      onFailureCallback: optional(ref('HttpCall'), 'Called when an execution has failed or was cancelled.'),
      timeoutMillis: optional(millis, 'Longest duration of a round in milliseconds, waits included.'),
      maxNodeVisits: optional(
        { type: 'integer', min: 1, max: maxNodeVisitsCap, meaning: 'a number of visits' },
        'Bound of all node visits of a round together.',
      ),
      requiredPayload: optional(
        { type: 'list', of: { type: 'text', maxLength: 1024 } },
        'Paths within the payload that every run must bring.',
      ),
    },
  };
}

/** The shapes that {@link documentShape} refers to. */
export const shapeBook: ShapeBook = {
  Step: { shape: step, description: 'A step of a linear definition.' },
  Node: { shape: node, description: 'A node of a graph.' },
  Case: { shape: switchCase, description: 'A case of a switch.' },
  Action: { shape: action, description: 'What a task does.' },
  Callback: { shape: callback, description: 'How the callback of an async task is judged.' },
  HttpCall: { shape: callShape, description: 'An HTTP call.' },
  Auth: { shape: auth, description: 'Authentication of a call, naming secrets.' },
  RetryPolicy: { shape: retryPolicy, description: 'How often and how late a failed call is repeated.' },
  RetryOn: { shape: retryOnShape, description: 'Which failures are retried.' },
};
