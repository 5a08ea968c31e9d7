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
import type { AppContext } from './context.ts';

/** A run as requested. Fields are unchecked client input, or absent. */
export interface StartRequest {
  readonly source:
    | { readonly kind: 'inline'; readonly definition: Json }
    | { readonly kind: 'stored'; readonly name: string; readonly version: string };
  readonly payload?: Json;
  readonly labels?: Json;
  readonly startAt?: Json;
  /** The caller's W3C traceparent. */
  readonly traceparent?: string;
  /** Makes the start idempotent: the same caller, key and request give the same execution. */
  readonly startKey?: { readonly caller: string; readonly key: string };
  /**
   * Receives the id of the execution before it is stored, or that of an earlier start before its status is read. The
   * last id is that of the started execution.
   */
  readonly announce?: (id: string) => void;
}

/** The started execution: a new one, or that of an earlier start with the same key. */
export interface Started {
  readonly id: string;
  readonly status: ExecutionStatus;
  /** Whether an earlier start has already ended. */
  readonly isOver: boolean;
}

/** Starts an execution: makes every check that a run must pass, then one insert. It is durable once this resolves. */
export async function start(app: AppContext, request: StartRequest): Promise<Answer<Started>> {
  const checked = checkInput(request);
  if ('ok' in checked) return checked;
  const known = recalled(app, request);
  // Only the definition stored now may refuse, since the cached one may be outdated.
  if (known !== undefined && missingPayload(known.plan, checked.payload).length === 0) {
    const started = await insert(app, request, checked, { ...known, mustBeStored: true });
    if (started !== undefined) return started;
  }
  const source = await findPlan(app, request);
  if ('ok' in source) return source;
  const missing = missingPayload(source.plan, checked.payload);
  if (missing.length > 0)
    return refused('invalid_payload', ...missing.map((path) => `${path}: The definition requires a value here.`));
  return (await insert(app, request, checked, source)) ?? unknownDefinition(request.source);
}

/** Stores the execution; undefined if its definition must be stored but is not. */
async function insert(
  app: AppContext,
  request: StartRequest,
  checked: Input,
  source: KnownDefinition & { readonly mustBeStored?: true },
): Promise<Answer<Started> | undefined> {
  const now = app.clock.now();
  const id = app.engine.mintId(now);
  request.announce?.(id);
  const result = await app.engine.submit({
    plan: source.plan,
    header: {
      id,
      name: source.plan.name,
      version: source.plan.version,
      payload: checked.payload,
      labels: { ...source.plan.labels, ...checked.labels },
    },
    definition: source.definition,
    ...(source.mustBeStored && { mustBeStored: true }),
    payload: stringifyJson(checked.payload),
    createdAt: now,
    ...(checked.startAt !== undefined && { startAt: checked.startAt }),
    ...(request.traceparent !== undefined && { traceparent: request.traceparent }),
    ...(request.startKey !== undefined && {
      startKey: { ...request.startKey, fingerprint: fingerprint(request, checked) },
    }),
  });
  switch (result.kind) {
    case 'created':
      return granted({
        id,
        status: checked.startAt !== undefined && checked.startAt > now ? 'SLEEPING' : 'IN_PROGRESS',
        isOver: false,
      });
    case 'existing': {
      request.announce?.(result.id);
      const existing = await app.store.getProgress(result.id);
      return granted({
        id: result.id,
        status: existing?.status ?? 'IN_PROGRESS',
        isOver: existing?.state.end !== undefined,
      });
    }
    case 'gone':
      return undefined;
    case 'reused':
      return refused('idempotency_key_reused', 'This Idempotency-Key was used before with another request.');
    case 'invalid':
      return refused('unstorable', `The request cannot be stored: ${result.message}`);
  }
}

interface Input {
  readonly payload: JsonObject;
  readonly labels: Readonly<Record<string, string>>;
  readonly startAt?: number;
}

function checkInput(request: StartRequest): Input | Refusal {
  const errors: string[] = [];
  const payload = request.payload ?? {};
  if (!isJsonObject(payload)) errors.push('payload: Must be an object.');
  const labels = checkLabels(request.labels ?? {}, errors);
  let startAt: number | undefined;
  if (request.startAt !== undefined && request.startAt !== null) {
    startAt = typeof request.startAt === 'string' ? parseInstant(request.startAt) : undefined;
    if (startAt === undefined) errors.push('startAt: Must be an ISO 8601 time with offset, like 2030-01-31T09:00:00Z.');
  }
  if (errors.length > 0) return refused('invalid_request', ...errors);
  return { payload: payload as JsonObject, labels, ...(startAt !== undefined && { startAt }) };
}

function checkLabels(labels: Json, errors: string[]): Readonly<Record<string, string>> {
  if (!isJsonObject(labels)) {
    errors.push('labels: Must be an object whose values are strings.');
    return {};
  }
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
function fingerprint(request: StartRequest, input: Input): string {
  const source: Json =
    request.source.kind === 'inline' ? request.source.definition : [request.source.name, request.source.version];
  const text = canonicalJson([source, input.payload, input.labels, request.startAt ?? null]);
  return createHash('sha256').update(text).digest('hex');
}
