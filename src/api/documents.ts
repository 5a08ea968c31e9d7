/** Shapes of the documents that the API answers with: for the OpenAPI document only, nothing is serialised by them. */
import { type TSchema, Type } from 'typebox';

const instant = (description: string): TSchema => Type.String({ format: 'date-time', description });

const statuses = [
  'IN_PROGRESS',
  'WAITING_CALLBACK',
  'SLEEPING',
  'COMPENSATING',
  'SUCCEEDED',
  'FAILED',
  'CANCELLED',
  'CORRUPTED',
  'TERMINATED',
] as const;

/** Names of all statuses. */
export const statusNames: readonly string[] = statuses;

const status = Type.Enum([...statuses]);
const count = (description: string): TSchema => Type.Integer({ minimum: 0, description });

/** `{ errors, code, requestId }`. */
export const errorDocument: TSchema = Type.Object({
  errors: Type.Array(Type.String(), { minItems: 1, description: 'Sentences for people.' }),
  code: Type.String({ description: 'Stable; see docs/errors.md.' }),
  requestId: Type.String({ description: 'Under which the log has more.' }),
});

/** `{ id, status }` of a run. */
export const startedDocument: TSchema = Type.Object({ id: Type.String({ format: 'uuid' }), status });

/** `{ id, status }` of a change that was taken in. */
export const acceptedDocument: TSchema = Type.Object({
  id: Type.String({ format: 'uuid' }),
  status: Type.String({ description: 'What was taken in, such as REQUEUED.' }),
});

const summaryFields = {
  id: Type.String({ format: 'uuid' }),
  name: Type.String(),
  version: Type.String(),
  definitionHash: Type.String({ description: 'Content hash of the pinned definition.' }),
  status,
  round: count('Counts from 1; a retry of a failed execution begins the next.'),
  startedAt: instant('Start of the round.'),
  updatedAt: instant('Latest change.'),
  completedAt: Type.Optional(instant('Present once over.')),
  durationMillis: Type.Optional(count('From the start of the round to its end.')),
  failureDescription: Type.Optional(Type.String()),
  reason: Type.Optional(Type.String({ description: 'Why it did not succeed, such as status_5xx or timeout.' })),
  failedNodeId: Type.Optional(Type.String()),
  callbackWarning: Type.Optional(Type.String({ description: 'A hook that could not be delivered.' })),
};

const labels = Type.Record(Type.String(), Type.String());

/** One element of the list of executions. */
export const summaryDocument: TSchema = Type.Object({ ...summaryFields, labels });

/** The status document. */
export const executionDocument: TSchema = Type.Object({
  ...summaryFields,
  retryable: Type.Boolean(),
  currentNodes: Type.Array(
    Type.Object({
      nodeId: Type.String(),
      visit: count('Counts from 1.'),
      state: Type.Enum([
        'SCHEDULED',
        'CALLING',
        'BACKOFF',
        'BLOCKED',
        'WAITING_CALLBACK',
        'SLEEPING',
        'JOINING',
        'COMPENSATING',
        'HOOK',
      ]),
      attempt: count('Counts from 1.'),
      since: instant('Since when it stands there.'),
      until: Type.Optional(instant('When it goes on at the latest.')),
      detail: Type.Optional(Type.String()),
    }),
    { description: 'Where the execution stands and what it waits for.' },
  ),
  compensations: Type.Array(
    Type.Object({
      nodeId: Type.String(),
      visit: count('Counts from 1.'),
      state: Type.Enum(['PENDING', 'DONE', 'FAILED', 'RESOLVED']),
      attempts: count('Calls made.'),
      statusCode: Type.Optional(Type.Integer()),
      error: Type.Optional(Type.String()),
    }),
    { description: 'Compensations of this round.' },
  ),
  standing: Type.Array(
    Type.Object({
      nodeId: Type.String(),
      visit: count('Counts from 1.'),
      round: count('Counts from 1.'),
      outcome: Type.Enum(['succeeded', 'unknown']),
    }),
    { description: 'Effects that an execution which did not succeed left downstream.' },
  ),
  payload: Type.Object({}, { additionalProperties: true }),
  labels,
  result: Type.Optional(Type.Unknown({ description: "The last node's response body." })),
});

const rowFields = {
  id: Type.String(),
  stepIndex: Type.Integer({ description: 'Position of the node in the definition; -1 for hooks.' }),
  stepName: Type.String(),
  phase: Type.Enum(['UP', 'DOWN', 'SWITCH', 'CALLBACK', 'SLEEP', 'SPLIT', 'JOIN', 'FAIL', 'HOOK', 'RESOLVE']),
  visit: count('Counts from 1.'),
  round: count('Counts from 1.'),
  attempt: count('Counts from 1.'),
  outcome: Type.Enum(['succeeded', 'rejected', 'unsent', 'unknown', 'pending']),
  statusCode: Type.Optional(Type.Integer()),
  success: Type.Boolean(),
  responseBody: Type.Optional(Type.String()),
  responseBodyTruncated: Type.Optional(Type.Boolean()),
  startedAt: instant('When the visit began.'),
  stepStartedAt: instant('When its last attempt began.'),
  createdAt: instant('When the row was written.'),
  latencyMs: Type.Number(),
};

const headers = Type.Record(Type.String(), Type.String());

/** A row per node visit and phase. */
export const stepDocument: TSchema = Type.Object({ ...rowFields, note: Type.Optional(Type.String()) });

/** A row per attempt. */
export const callDocument: TSchema = Type.Object({
  ...rowFields,
  idempotencyKey: Type.Optional(Type.String()),
  requestUrl: Type.Optional(Type.String()),
  requestVerb: Type.Optional(Type.String()),
  requestHeaders: Type.Optional(headers),
  requestBody: Type.Optional(Type.String()),
  requestBodyTruncated: Type.Optional(Type.Boolean()),
  responseHeaders: Type.Optional(headers),
  error: Type.Optional(Type.String()),
});

/** One request that would be made, or whose effect stands. */
export const previewDocument: TSchema = Type.Object({
  nodeId: Type.String(),
  visit: count('Counts from 1.'),
  verb: Type.String(),
  url: Type.String(),
  headers,
  body: Type.Union([Type.String(), Type.Null()]),
  stands: Type.Optional(Type.Boolean({ description: 'The effect of this request stands.' })),
  error: Type.Optional(Type.String({ description: 'Why the request cannot be rendered.' })),
});

/** A stored definition. */
export const definitionRecord: TSchema = Type.Object({
  id: Type.String({ format: 'uuid' }),
  name: Type.String(),
  version: Type.String(),
  hash: Type.String(),
  definition: Type.Object({}, { additionalProperties: true, description: 'As submitted.' }),
  createdAt: instant('When it was stored.'),
  updatedAt: instant('When it was stored.'),
  warnings: Type.Optional(Type.Array(Type.String())),
});

/** An entry of the audit log. */
export const auditDocument: TSchema = Type.Object({
  entryId: Type.String({ format: 'uuid' }),
  at: instant('When.'),
  actor: Type.String({ description: 'Who: key:<id>, jwt:<subject>, anonymous or system.' }),
  action: Type.String({ description: 'What, such as execution.cancel.' }),
  id: Type.String({ description: 'Id of what was changed; empty where a change that would have made it was refused.' }),
  address: Type.String({ description: 'From where.' }),
  outcome: Type.String({ description: 'done, or the error code of the refusal.' }),
  requestId: Type.String(),
  details: Type.Optional(Type.Object({}, { additionalProperties: true })),
});

/** What the check of a definition found. */
export const definitionReport: TSchema = Type.Object({
  valid: Type.Boolean(),
  errors: Type.Array(Type.String()),
  warnings: Type.Array(Type.String()),
});
