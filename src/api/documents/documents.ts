import { stepPhases } from '../../core/history.ts';
import { placeStates } from '../../core/view/place.ts';
import * as shape from './schema.ts';
import type { Schema } from './schema.ts';

const instant = (description: string): Schema => shape.string({ format: 'date-time', description });

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

/** Every execution status. */
export const statusNames: readonly string[] = statuses;

const status = shape.oneOf([...statuses]);
const count = (description: string): Schema => shape.integer({ minimum: 0, description });

/** `{ errors, code, requestId }`. */
export const errorDocument: Schema = shape.object({
  errors: shape.array(shape.string(), { minItems: 1, description: 'Sentences for people.' }),
  code: shape.string({ description: 'Stable; see docs/errors.md.' }),
  requestId: shape.string({ description: 'Under which the log has more.' }),
});

/** `{ id, status }` of a run. */
export const startedDocument: Schema = shape.object({ id: shape.string({ format: 'uuid' }), status });

/** `{ id, status }` of an accepted change. */
export const acceptedDocument: Schema = shape.object({
  id: shape.string({ format: 'uuid' }),
  status: shape.string({ description: 'What was taken in, such as REQUEUED.' }),
  woken: shape.optional(count('Of a wake: the waits that it ends.')),
});

const summaryFields = {
  id: shape.string({ format: 'uuid' }),
  name: shape.string(),
  version: shape.string(),
  definitionHash: shape.string({ description: 'Content hash of the pinned definition.' }),
  status,
  round: count('Counts from 1; a retry of a failed execution begins the next.'),
  startedAt: instant('Start of the round.'),
  updatedAt: instant('Latest change.'),
  completedAt: shape.optional(instant('Present once over.')),
  durationMillis: shape.optional(count('From the start of the round to its end.')),
  failureDescription: shape.optional(shape.string()),
  reason: shape.optional(shape.string({ description: 'Why it did not succeed, such as status_5xx or timeout.' })),
  failedNodeId: shape.optional(shape.string()),
  failedItem: shape.optional(
    shape.array(shape.integer({ minimum: 0 }), {
      description: 'Within a forEach: the places of the items in which it failed; in the status document.',
    }),
  ),
  callbackWarning: shape.optional(
    shape.string({ description: 'A hook that could not be delivered; gone once it is.' }),
  ),
  failedCompensations: shape.optional(
    shape.array(shape.object({ nodeId: shape.string(), visit: count('Counts from 1.') }), {
      description: 'Of a CORRUPTED execution: the compensations that could not be completed, the first 8.',
    }),
  ),
};

const nodeState = shape.oneOf([...placeStates]);

/** Where an execution stands, of which a list shows one. */
const placeDocument = shape.optional(
  shape.object(
    {
      state: nodeState,
      nodeId: shape.string(),
      since: instant('Since when it stands there.'),
      until: shape.optional(instant('When it goes on at the latest.')),
      detail: shape.optional(shape.string()),
      host: shape.optional(shape.string({ description: 'host:port of the call that is blocked or failed there.' })),
    },
    {
      description:
        'The most urgent of its current nodes: BLOCKED, BACKOFF, COMPENSATING, HOOK, CALLING, WAITING_CALLBACK, WAITING_CHILD, JOINING, SLEEPING, SCHEDULED; of equals the one that has stood there longest. Absent once over.',
    },
  ),
);

const headline = shape.string({
  description: 'One sentence of at most 300 characters: the node and its effect.',
});

const item = shape.optional(
  shape.array(shape.integer({ minimum: 0 }), {
    description: 'Within a forEach: the places of the items that it belongs to, from 0, outermost first.',
  }),
);

const visitFields = {
  round: count('The round of the execution that started it.'),
  nodeId: shape.string({ description: 'Its workflow node.' }),
  visit: count('Counts from 1.'),
  item,
};

/** An execution in the list of the one that started it. */
export const childDocument: Schema = shape.object({
  id: shape.string({ format: 'uuid' }),
  ...visitFields,
  name: shape.string(),
  version: shape.string(),
  status,
  startedAt: instant('Start of its round.'),
  completedAt: shape.optional(instant('Present once over.')),
});

const labels = shape.texts();

/** One element of the list of executions. */
export const summaryDocument: Schema = shape.object({
  ...summaryFields,
  place: placeDocument,
  why: shape.object({ headline }, { description: 'Why it stands or ended so.' }),
  labels,
});

/** The status document. */
export const executionDocument: Schema = shape.object({
  ...summaryFields,
  place: placeDocument,
  why: shape.object(
    { headline, detail: shape.string({ description: 'What comes next, and who can end it; may be empty.' }) },
    { description: 'Why it stands or ended so.' },
  ),
  parent: shape.optional(
    shape.object(
      { id: shape.string({ format: 'uuid' }), ...visitFields },
      { description: 'The visit that started it; absent where the credentials do not reach the execution.' },
    ),
  ),
  root: shape.optional(
    shape.string({ format: 'uuid', description: 'The execution at the top of its family; absent like parent.' }),
  ),
  children: shape.optional(
    shape.object(
      {
        count: count('At most 10000.'),
        running: count('Those that are not over.'),
        corrupted: count('Those that are CORRUPTED.'),
        first: shape.array(childDocument, { description: 'The first 20 by their start.' }),
      },
      { description: 'The executions that it started; absent where there are none.' },
    ),
  ),
  retryable: shape.boolean(),
  currentNodes: shape.array(
    shape.object({
      nodeId: shape.string(),
      visit: count('Counts from 1.'),
      item,
      state: nodeState,
      attempt: count('Counts from 1.'),
      since: instant('Since when it stands there.'),
      until: shape.optional(instant('When it goes on at the latest.')),
      detail: shape.optional(shape.string()),
    }),
    { description: 'Where the execution stands and what it waits for.' },
  ),
  more: shape.optional(count('How many more current nodes there are: the list has at most 256.')),
  compensations: shape.array(
    shape.object({
      nodeId: shape.string(),
      visit: count('Counts from 1.'),
      item,
      state: shape.oneOf(['PENDING', 'DONE', 'FAILED', 'RESOLVED']),
      attempts: count('Calls made.'),
      statusCode: shape.optional(shape.integer()),
      error: shape.optional(shape.string()),
    }),
    { description: 'Compensations of this round.' },
  ),
  standing: shape.array(
    shape.object({
      nodeId: shape.string(),
      visit: count('Counts from 1.'),
      item,
      round: count('Counts from 1.'),
      outcome: shape.oneOf(['succeeded', 'unknown']),
      child: shape.optional(
        shape.string({ format: 'uuid', description: 'The execution that the visit of a workflow node started.' }),
      ),
    }),
    { description: 'Effects that an execution which did not succeed left downstream.' },
  ),
  changes: shape.optional(
    shape.array(
      shape.object({
        at: instant('When it was taken in.'),
        actor: shape.string({ description: 'Who: key:<id>, jwt:<subject>, or anonymous.' }),
        action: shape.string({ description: 'cancel, terminate, wake, resolve, retry, undo or redeliver.' }),
        details: shape.optional(shape.object({}, { additionalProperties: true, description: 'Such as a reason.' })),
      }),
      { description: 'What operators changed, the latest 20, oldest first; absent where they changed nothing.' },
    ),
  ),
  hook: shape.optional(
    shape.object(
      {
        state: shape.oneOf(['PENDING', 'DELIVERED', 'FAILED']),
        attempts: count('Calls made.'),
        nextAt: shape.optional(instant('When it is called again at the latest; absent while it is called.')),
      },
      { description: 'What became of the hook of the end. Present once over, where the end has a hook.' },
    ),
  ),
  payload: shape.optional(shape.object({}, { additionalProperties: true, description: 'Absent with bodies=none.' })),
  payloadBytes: shape.optional(count('With bodies=none: of the payload as JSON.')),
  resultBytes: shape.optional(count('With bodies=none: of the result as JSON, if there is one.')),
  labels,
  result: shape.optional(shape.any({ description: "The last node's response body." })),
});

/** Outcomes of rows of the history. */
export const outcomeNames = ['succeeded', 'rejected', 'unsent', 'unknown', 'pending'] as const;

const rowFields = {
  id: shape.string(),
  stepIndex: shape.integer({ description: 'Position of the node in the definition; -1 for hooks.' }),
  stepName: shape.string(),
  phase: shape.oneOf(stepPhases),
  visit: count('Counts from 1.'),
  item,
  round: count('Counts from 1.'),
  attempt: count('Counts from 1.'),
  outcome: shape.oneOf([...outcomeNames]),
  statusCode: shape.optional(shape.integer()),
  success: shape.boolean(),
  responseBody: shape.optional(
    shape.any({
      description:
        'A JSON value where the body is JSON, else text; cut bodies are text. Of a switch: target, matchedCase, usedDefault.',
    }),
  ),
  responseBodyTruncated: shape.optional(shape.boolean({ description: 'The body is cut.' })),
  startedAt: instant('When the visit began.'),
  stepStartedAt: instant('When its last attempt began.'),
  createdAt: instant('When the row was written.'),
  latencyMs: shape.number(),
};

const headers = shape.texts();

/** One row per node visit and phase. */
export const stepDocument: Schema = shape.object({ ...rowFields, note: shape.optional(shape.string()) });

/** The fields of an attempt. */
export const callFields: Readonly<Record<string, Schema>> = {
  ...rowFields,
  callId: shape.string({ description: 'Names the attempt within its execution.' }),
  idempotencyKey: shape.optional(shape.string()),
  requestUrl: shape.optional(shape.string()),
  requestVerb: shape.optional(shape.string()),
  requestHeaders: shape.optional(headers),
  requestBody: shape.optional(
    shape.any({ description: 'A JSON value where the body is JSON, else text; cut bodies are text.' }),
  ),
  requestBodyTruncated: shape.optional(shape.boolean({ description: 'The body is cut.' })),
  responseHeaders: shape.optional(headers),
  error: shape.optional(shape.string()),
};

/** One row per attempt. */
export const callDocument: Schema = shape.object(callFields);

/** A request that would be sent, or whose effect remains. */
export const previewDocument: Schema = shape.object({
  nodeId: shape.string(),
  visit: count('Counts from 1.'),
  item,
  verb: shape.string(),
  url: shape.string(),
  headers,
  body: shape.orNull(shape.string()),
  bodyTruncated: shape.optional(shape.boolean({ description: 'The body is cut, as in the history.' })),
  stands: shape.optional(shape.boolean({ description: 'The effect of this request stands.' })),
  error: shape.optional(shape.string({ description: 'Why the request cannot be rendered.' })),
  sendsEarlierKey: shape.optional(
    shape.boolean({
      description: 'Of a retry with form=object: the same request is sent with the key of an earlier one.',
    }),
  ),
});

const callPlace = { nodeId: shape.string(), visit: count('Counts from 1.'), item };

/** What a change would do, as an object. */
export const wholePreviewDocument: Schema = shape.object({
  calls: shape.array(previewDocument, { description: 'As in the list.' }),
  inFlight: shape.array(
    shape.object({
      ...callPlace,
      attempt: count('Counts from 1.'),
      verb: shape.string(),
      url: shape.string(),
      since: instant('When it was sent.'),
      undo: shape.optional(previewDocument),
    }),
    { description: 'Calls that are not answered; undo compensates one that succeeds or stays unknown.' },
  ),
  stands: shape.array(
    shape.object({
      ...callPlace,
      round: count('Counts from 1.'),
      outcome: shape.oneOf(['succeeded', 'unknown']),
      verb: shape.string(),
      url: shape.string(),
    }),
    { description: 'Effects that would stand, the first 200, without those in flight.' },
  ),
  wouldEndAs: shape.orNull(shape.oneOf([...statuses])),
});

const recordFields = {
  id: shape.string({ format: 'uuid' }),
  name: shape.string(),
  version: shape.string(),
  hash: shape.string(),
  createdAt: instant('When it was stored.'),
  updatedAt: instant('When it was stored.'),
};

/** A name of stored definitions. */
export const definitionName: Schema = shape.object({
  name: shape.string(),
  versions: count('Its versions.'),
  latest: shape.object(
    { version: shape.string(), id: shape.string({ format: 'uuid' }), createdAt: instant('When it was stored.') },
    { description: 'The version that was stored last.' },
  ),
  running: count('Runs of any version that are not over.'),
  runningExact: shape.boolean({ description: 'false: there are more.' }),
});

/** What lists need of a stored definition. */
export const definitionSummary: Schema = shape.object({
  ...recordFields,
  description: shape.optional(shape.string()),
  labels: shape.optional(shape.texts()),
  nodes: count('Nodes or steps.'),
  bytes: count('Of the definition as JSON.'),
});

/** A stored definition. */
export const definitionRecord: Schema = shape.object({
  ...recordFields,
  definition: shape.object({}, { additionalProperties: true, description: 'As submitted.' }),
  warnings: shape.optional(shape.array(shape.string())),
});

const address = shape.string({ description: 'From where.' });

const auditFields = {
  entryId: shape.string({ format: 'uuid' }),
  at: instant('When.'),
  actor: shape.string({ description: 'Who: key:<id>, jwt:<subject>, anonymous or system.' }),
  action: shape.string({ description: 'What, such as execution.cancel.' }),
  id: shape.string({
    description: 'Id of what was changed; empty where a change that would have made it was refused.',
  }),
  outcome: shape.string({ description: 'done, or the error code of the refusal.' }),
  requestId: shape.string(),
  details: shape.optional(shape.object({}, { additionalProperties: true })),
};

/** An entry of the audit log. */
export const auditDocument: Schema = shape.object({ ...auditFields, address });

/** An entry of the audit log of one execution. */
export const executionAuditDocument: Schema = shape.object({ ...auditFields, address: shape.optional(address) });

/** The outcome of checking a definition. */
export const definitionReport: Schema = shape.object({
  valid: shape.boolean(),
  errors: shape.array(shape.string()),
  warnings: shape.array(shape.string()),
});
