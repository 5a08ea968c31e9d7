import { verbs } from '../../request/request.ts';
import { json, maxMillis, optional, ref, required, template } from './fields.ts';
import type { Field, ObjectShape, Shape, ShapeBook } from './shape.ts';

/** Errors other than status codes that `retryOn.errors` may name. */
export const retryErrors = ['timeout', 'connect', 'body', 'callback_timeout', 'callback_failure'] as const;

/** Maximum number of retries in a policy. */
const maxRetries = 1_000_000;

/** Bounded by the maximum delay of `setTimeout`, 2^31 - 1 ms. */
const callMillis = { type: 'integer', min: 1, max: 2_147_483_647, meaning: 'a time in milliseconds' } as const;
const delay: Shape = { type: 'integer', min: 0, max: maxMillis, meaning: 'a time in milliseconds' };
const statusCode: Shape = { type: 'integer', min: 100, max: 599, meaning: 'an HTTP status code' };

/** Status codes that mean success. */
export const successCodes: Shape = { type: 'list', of: statusCode, minItems: 1 };

/** Status codes that leave the outcome open. */
export const unknownCodes: Shape = { type: 'list', of: statusCode };

const blankTemplate: Shape = { type: 'template', mayBeBlank: true };
const secretName: Shape = { type: 'text', maxLength: 255 };

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

/** The fields of a task or step beside its calls. */
export const callOptions: ObjectShape['fields'] = {
  compensateWhen: optional(
    { type: 'choice', values: ['completed', 'unknown', 'attempted'] },
    'Which visits are compensated: completed ones, also those of unknown outcome (default), or also rejected ones.',
  ),
  uncompensated: optional(
    { type: 'boolean' },
    'true: it is meant that nothing undoes this call, and validation does not warn of it.',
  ),
  failureHandling: optional(ref('RetryPolicy'), "Retries of this call; overrides the definition's failureHandling."),
};

/** The call shape and the shapes that it and retry policies refer to. */
export const callBook: ShapeBook = {
  HttpCall: { shape: callShape, description: 'An HTTP call.' },
  Auth: { shape: auth, description: 'Authentication of a call, naming secrets.' },
  RetryPolicy: { shape: retryPolicy, description: 'How often and how late a failed call is repeated.' },
  RetryOn: { shape: retryOnShape, description: 'Which failures are retried.' },
};
