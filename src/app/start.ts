import { createHash } from 'node:crypto';
import { parseInstant } from '../core/value/instant.ts';
import {
  canonicalJson,
  isJsonObject,
  type Json,
  type JsonObject,
  parseJson,
  stringifyJson,
} from '../core/value/json.ts';
import { labelLimits } from '../core/definition/limits.ts';
import { missingPayload } from '../core/context/required-payload.ts';
import { unprintable } from '../core/definition/shape/shape-check.ts';
import type { Plan } from '../core/plan.ts';
import type { ExecutionStatus } from '../core/state.ts';
import { type Answer, granted, type Refusal, refused } from './answer.ts';
import type { KnownDefinition } from './known-definitions.ts';
import type { Submission } from '../engine/write/submission.ts';
import type { SubmitResult } from '../ports/store.ts';
import type { AppContext } from './context.ts';

/** A run as requested. Fields are unchecked client input, null or absent. */
export interface StartRequest {
  readonly source:
    | { readonly kind: 'inline'; readonly definition: Json }
    | { readonly kind: 'stored'; readonly name: string; readonly version: string };
  readonly payload?: Json | undefined;
  readonly labels?: Json | undefined;
  readonly startAt?: Json | undefined;
  /** The caller's W3C traceparent. */
  readonly traceparent?: string | undefined;
  /** Makes the start idempotent: the same caller, key and request give the same execution. */
  readonly startKey?: { readonly caller: string; readonly key: string } | undefined;
  /**
   * Receives the id of the execution before it is stored, or that of an earlier start before its status is read. The
   * last id is that of the started execution.
   */
  readonly announce?: ((id: string) => void) | undefined;
}

/** The started execution: a new one, or that of an earlier start with the same key. */
export interface Started {
  readonly id: string;
  readonly status: ExecutionStatus;
  /** Whether an earlier start has already ended. */
  readonly isOver: boolean;
}

/**
 * Starts an execution: makes every check that a run must pass, then one insert. It is durable once this resolves. A
 * known definition costs one promise: this is the hot path of the API.
 *
 * @throws Overloaded, at once or later, and whatever the engine's submit and `announce` throw.
 */
export function start(app: AppContext, request: StartRequest): Promise<Answer<Started>> {
  const checked = checkInput(request);
  if ('ok' in checked) return Promise.resolve(checked);
  const known = recalled(app, request);
  // Only the definition stored now may refuse, since the cached one may be outdated.
  if (known === undefined || missingPayload(known.plan, checked.payload).length > 0) {
    return startAsStored(app, request, checked);
  }
  const submission = submissionOf(app, request, checked, known, true);
  return app.engine
    .submit(submission)
    .then((result) =>
      result.kind === 'gone' ? startAsStored(app, request, checked) : outcome(app, request, submission, result),
    );
}

/** Starts with the definition that is in the request or in the store now. */
async function startAsStored(app: AppContext, request: StartRequest, checked: Input): Promise<Answer<Started>> {
  const source = await findPlan(app, request);
  if ('ok' in source) return source;
  const missing = missingPayload(source.plan, checked.payload);
  if (missing.length > 0)
    return refused('invalid_payload', ...missing.map((path) => `${path}: The definition requires a value here.`));
  const submission = submissionOf(app, request, checked, source, false);
  const result = await app.engine.submit(submission);
  return result.kind === 'gone' ? unknownDefinition(request.source) : outcome(app, request, submission, result);
}

/** `mustBeStored`: the result is `gone` unless the definition is stored. */
function submissionOf(
  app: AppContext,
  request: StartRequest,
  { payload, labels, startAt }: Input,
  { plan, definition }: KnownDefinition,
  mustBeStored: boolean,
): Submission {
  const now = app.clock.now();
  const id = app.engine.mintId(now);
  request.announce?.(id);
  const submission: Mutable<Submission> = {
    plan,
    header: {
      id,
      name: plan.name,
      version: plan.version,
      payload,
      labels: labels === noLabels && plan.labels !== undefined ? plan.labels : { ...plan.labels, ...labels },
    },
    definition,
    payload: stringifyJson(payload),
    createdAt: now,
  };
  const { traceparent, startKey } = request;
  if (mustBeStored) submission.mustBeStored = true;
  if (startAt !== undefined) submission.startAt = startAt;
  if (traceparent !== undefined) submission.traceparent = traceparent;
  if (startKey !== undefined) {
    const { caller, key } = startKey;
    submission.startKey = { caller, key, fingerprint: fingerprint(request, payload, labels) };
  }
  return submission;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

function outcome(
  app: AppContext,
  request: StartRequest,
  { header: { id }, createdAt, startAt }: Submission,
  result: Exclude<SubmitResult, { kind: 'gone' }>,
): Answer<Started> | Promise<Answer<Started>> {
  switch (result.kind) {
    case 'created': {
      const status = startAt !== undefined && startAt > createdAt ? 'SLEEPING' : 'IN_PROGRESS';
      return granted({ id, status, isOver: false });
    }
    case 'existing':
      request.announce?.(result.id);
      return earlierStart(app, result.id);
    case 'reused':
      return refused('idempotency_key_reused', 'This Idempotency-Key was used before with another request.');
    case 'fenced':
      throw new Error('An execution without a parent was fenced.');
    case 'invalid':
      return refused('unstorable', `The request cannot be stored: ${result.message}`);
  }
}

async function earlierStart(app: AppContext, id: string): Promise<Answer<Started>> {
  const found = await app.store.getProgress(id);
  return granted({ id, status: found?.status ?? 'IN_PROGRESS', isOver: found?.state.end !== undefined });
}

interface Input {
  readonly payload: JsonObject;
  readonly labels: Readonly<Record<string, string>>;
  readonly startAt: number | undefined;
}

const noLabels: Readonly<Record<string, string>> = {};

function checkInput(request: StartRequest): Input | Refusal {
  const errors: string[] = [];
  const payload = request.payload ?? {};
  if (!isJsonObject(payload)) errors.push('payload: Must be an object.');
  const labels = checkLabels(request.labels ?? noLabels, errors);
  let startAt: number | undefined;
  if (request.startAt !== undefined && request.startAt !== null) {
    startAt = typeof request.startAt === 'string' ? parseInstant(request.startAt) : undefined;
    if (startAt === undefined) errors.push('startAt: Must be an ISO 8601 time with offset, like 2030-01-31T09:00:00Z.');
  }
  if (errors.length > 0) return refused('invalid_request', ...errors);
  return { payload: payload as JsonObject, labels, startAt };
}

function checkLabels(labels: Json, errors: string[]): Readonly<Record<string, string>> {
  if (!isJsonObject(labels)) {
    errors.push('labels: Must be an object whose values are strings.');
    return noLabels;
  }
  if (labels === noLabels) return noLabels;
  const entries = Object.entries(labels);
  if (entries.length > labelLimits.count) {
    errors.push(`labels: Must have at most ${String(labelLimits.count)} entries.`);
    return {};
  }
  for (const [key, value] of entries) {
    const path = `labels[${JSON.stringify(key.slice(0, labelLimits.key))}]`;
    if (unprintable.test(key) || (typeof value === 'string' && unprintable.test(value))) {
      errors.push(`${path}: Must hold no control character and no half of a character.`);
    } else if (key === '' || key.length > labelLimits.key) {
      errors.push(`${path}: A label's name has 1 to ${String(labelLimits.key)} characters.`);
    } else if (typeof value !== 'string') errors.push(`${path}: Must be a string.`);
    else if (value.length > labelLimits.value) {
      errors.push(`${path}: Must have at most ${String(labelLimits.value)} characters.`);
    }
  }
  return labels as Readonly<Record<string, string>>;
}

/**
 * A cached definition; the insert checks that it is still stored. `latest` may change at any time and is always read.
 */
function recalled(app: AppContext, { source }: StartRequest): KnownDefinition | undefined {
  if (source.kind === 'inline' || source.version === 'latest') return undefined;
  return app.known.recall(source.name, source.version);
}

async function findPlan(app: AppContext, request: StartRequest): Promise<KnownDefinition | Refusal> {
  if (request.source.kind === 'inline') {
    const compiled = app.plans.compile(request.source.definition);
    if (!compiled.ok) return refused('invalid_definition', ...compiled.errors);
    return { plan: compiled.plan, definition: stringifyJson(request.source.definition) };
  }
  const { name, version } = request.source;
  const record = await app.store.getDefinition({ name, version });
  if (record === undefined) return unknownDefinition(request.source);
  const compiled = (await app.plans.load(record.hash)) ?? recompiled(app, record.definition);
  if ('ok' in compiled) return compiled;
  const known = { plan: compiled, definition: record.definition };
  if (compiled.hash === record.hash) app.known.remember(known);
  return known;
}

function unknownDefinition(source: StartRequest['source']): Refusal {
  const { name, version } = source.kind === 'stored' ? source : { name: '', version: '' };
  return refused(
    'unknown_definition',
    `There is no definition ${JSON.stringify(name)} with version ${JSON.stringify(version)}.`,
  );
}

/** Compiles a stored definition again. A newer release may have stricter rules; the refusal then lists the errors. */
function recompiled(app: AppContext, definition: string): Plan | Refusal {
  const compiled = app.plans.compile(parseJson(definition));
  return compiled.ok ? compiled.plan : refused('invalid_definition', ...compiled.errors);
}

/**
 * A hash that is equal for equal requests: ignores the order of keys, compares numbers by their digits, and treats null
 * as absent.
 */
function fingerprint(request: StartRequest, payload: JsonObject, labels: JsonObject): string {
  const source: Json =
    request.source.kind === 'inline' ? request.source.definition : [request.source.name, request.source.version];
  const text = canonicalJson([source, payload, labels, request.startAt ?? null]);
  return createHash('sha256').update(text).digest('hex');
}
