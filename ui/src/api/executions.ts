import { isJsonObject, type Json, type JsonObject, ownProperty, stringifyJson } from '../../../src/core/value/json.ts';
import { flagAt, instantAt, listAt, numberAt, objectAt, objectOf, textAt } from './reading.ts';

/** Where the most urgent token of a run is. */
export interface Place {
  readonly state: string;
  readonly nodeId: string;
  readonly visit?: number | undefined;
  readonly attempt?: number | undefined;
  readonly item?: string | undefined;
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  readonly detail?: string | undefined;
  readonly host?: string | undefined;
  readonly child?: string | undefined;
}

/** A run as lists show it. */
export interface Summary {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly status: string;
  readonly round: number;
  readonly startedAt?: number | undefined;
  readonly updatedAt?: number | undefined;
  readonly completedAt?: number | undefined;
  readonly durationMillis?: number | undefined;
  readonly reason?: string | undefined;
  readonly failureDescription?: string | undefined;
  readonly failedNodeId?: string | undefined;
  readonly failedCompensations: readonly { readonly nodeId: string; readonly visit: number }[];
  readonly callbackWarning?: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly place?: Place | undefined;
  /** The sentence of the server, where it makes one. */
  readonly why?: { readonly headline: string; readonly detail: string } | undefined;
  readonly standingCount?: number | undefined;
}

/** A compensation of the round. */
export interface Compensation {
  readonly nodeId: string;
  readonly visit: number;
  readonly state: string;
  readonly attempts: number;
  readonly statusCode?: number | undefined;
  readonly error?: string | undefined;
}

/** An effect that stands. */
export interface Standing {
  readonly nodeId: string;
  readonly visit: number;
  readonly outcome: string;
  readonly child?: string | undefined;
}

/** A run that another one started. */
export interface Child {
  readonly id: string;
  readonly nodeId: string;
  readonly visit: number;
  readonly round: number;
  readonly item?: string | undefined;
  readonly name: string;
  readonly version: string;
  readonly status: string;
}

/** A run as its own page shows it. */
export interface Execution extends Summary {
  readonly retryable: boolean;
  readonly currentNodes: readonly Place[];
  readonly compensations: readonly Compensation[];
  readonly standing: readonly Standing[];
  readonly changes: readonly Change[];
  readonly hook?:
    { readonly state: string; readonly attempts: number; readonly nextAt?: number | undefined } | undefined;
  readonly parent?: { readonly id: string; readonly nodeId: string; readonly visit: number } | undefined;
  readonly root?: string | undefined;
  readonly children?:
    | { readonly count: number; readonly running: number; readonly corrupted: number; readonly first: readonly Child[] }
    | undefined;
  readonly failedItem?: string | undefined;
}

/** A change by a person or a program. */
export interface Change {
  readonly at?: number | undefined;
  readonly actor: string;
  readonly action: string;
  readonly reason?: string | undefined;
}

const shown = (value: Json): string => (typeof value === 'string' ? value : stringifyJson(value));

/** The places of an item in loops, outermost first: `2` or `0.3`. */
function itemAt(value: JsonObject): string | undefined {
  const item = ownProperty(value, 'item');
  if (item === undefined || item === null) return undefined;
  return Array.isArray(item) ? (item as readonly Json[]).map(shown).join('.') : shown(item);
}

/** Reads where a token is. */
function readPlace(json: Json): Place {
  const value = objectOf(json);
  return {
    state: textAt(value, 'state') ?? '',
    nodeId: textAt(value, 'nodeId') ?? '',
    visit: numberAt(value, 'visit'),
    attempt: numberAt(value, 'attempt'),
    item: itemAt(value),
    since: instantAt(value, 'since'),
    until: instantAt(value, 'until'),
    detail: textAt(value, 'detail'),
    host: textAt(value, 'host'),
    child: textAt(value, 'child'),
  };
}

/** Reads a row of a list. */
export function readSummary(json: Json): Summary {
  const value = objectOf(json);
  const why = objectAt(value, 'why');
  const place = objectAt(value, 'place');
  return {
    id: textAt(value, 'id') ?? '',
    name: textAt(value, 'name') ?? '',
    version: textAt(value, 'version') ?? '',
    status: textAt(value, 'status') ?? '',
    round: numberAt(value, 'round') ?? 1,
    startedAt: instantAt(value, 'startedAt'),
    updatedAt: instantAt(value, 'updatedAt'),
    completedAt: instantAt(value, 'completedAt'),
    durationMillis: numberAt(value, 'durationMillis'),
    reason: textAt(value, 'reason'),
    failureDescription: textAt(value, 'failureDescription'),
    failedNodeId: textAt(value, 'failedNodeId'),
    failedCompensations: listAt(value, 'failedCompensations').map(readVisit),
    callbackWarning: textAt(value, 'callbackWarning'),
    labels: readLabels(objectAt(value, 'labels') ?? {}),
    ...(place !== undefined && { place: readPlace(place) }),
    ...(why !== undefined && { why: { headline: textAt(why, 'headline') ?? '', detail: textAt(why, 'detail') ?? '' } }),
    standingCount: numberAt(value, 'standingCount'),
  };
}

function readVisit(json: Json): { nodeId: string; visit: number } {
  const value = objectOf(json);
  return { nodeId: textAt(value, 'nodeId') ?? '', visit: numberAt(value, 'visit') ?? 1 };
}

function readLabels(value: JsonObject): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

/** Reads a run that another one started. */
export function readChild(json: Json): Child {
  const value = objectOf(json);
  return {
    ...readVisit(value),
    id: textAt(value, 'id') ?? '',
    round: numberAt(value, 'round') ?? 1,
    item: itemAt(value),
    name: textAt(value, 'name') ?? '',
    version: textAt(value, 'version') ?? '',
    status: textAt(value, 'status') ?? '',
  };
}

/** Reads a status document. */
export function readExecution(json: Json): Execution {
  const value = objectOf(json);
  const hook = objectAt(value, 'hook');
  const parent = objectAt(value, 'parent');
  const children = objectAt(value, 'children');
  return {
    ...readSummary(value),
    retryable: flagAt(value, 'retryable'),
    currentNodes: listAt(value, 'currentNodes').map(readPlace),
    compensations: listAt(value, 'compensations').map((each) => {
      const row = objectOf(each);
      return {
        ...readVisit(row),
        state: textAt(row, 'state') ?? '',
        attempts: numberAt(row, 'attempts') ?? 0,
        statusCode: numberAt(row, 'statusCode'),
        error: textAt(row, 'error'),
      };
    }),
    standing: listAt(value, 'standing').map((each) => {
      const row = objectOf(each);
      return { ...readVisit(row), outcome: textAt(row, 'outcome') ?? '', child: textAt(row, 'child') };
    }),
    changes: listAt(value, 'changes').map((each) => {
      const row = objectOf(each);
      return {
        at: instantAt(row, 'at'),
        actor: textAt(row, 'actor') ?? '',
        action: textAt(row, 'action') ?? '',
        reason: textAt(objectAt(row, 'details') ?? {}, 'reason'),
      };
    }),
    ...(hook !== undefined && {
      hook: {
        state: textAt(hook, 'state') ?? '',
        attempts: numberAt(hook, 'attempts') ?? 0,
        nextAt: instantAt(hook, 'nextAt'),
      },
    }),
    ...(parent !== undefined && { parent: { ...readVisit(parent), id: textAt(parent, 'id') ?? '' } }),
    root: textAt(value, 'root'),
    ...(children !== undefined && {
      children: {
        count: numberAt(children, 'count') ?? 0,
        running: numberAt(children, 'running') ?? 0,
        corrupted: numberAt(children, 'corrupted') ?? 0,
        first: listAt(children, 'first').map(readChild),
      },
    }),
    failedItem: itemAt({ item: ownProperty(value, 'failedItem') ?? null }),
  };
}

/** A row of the history: an attempt of a call, or the end of a visit. */
export interface HistoryRow {
  /** Its order number as a text, which names it in addresses. */
  readonly callId: string;
  readonly nodeId: string;
  readonly stepIndex: number;
  readonly phase: string;
  readonly visit: number;
  readonly round: number;
  readonly attempt: number;
  readonly outcome: string;
  readonly statusCode?: number | undefined;
  readonly error?: string | undefined;
  readonly note?: string | undefined;
  readonly startedAt?: number | undefined;
  readonly stepStartedAt?: number | undefined;
  readonly createdAt?: number | undefined;
  readonly latencyMillis?: number | undefined;
  readonly url?: string | undefined;
  readonly verb?: string | undefined;
  readonly requestHeaders?: JsonObject | undefined;
  readonly responseHeaders?: JsonObject | undefined;
  readonly requestBody?: Json | undefined;
  readonly responseBody?: Json | undefined;
  readonly isRequestCut: boolean;
  readonly isResponseCut: boolean;
  readonly idempotencyKey?: string | undefined;
  readonly rule?: string | undefined;
}

/** Reads a row of the history. */
export function readHistoryRow(json: Json): HistoryRow {
  const value = objectOf(json);
  const rowId = textAt(value, 'id') ?? '';
  const rule = objectAt(value, 'rule');
  return {
    callId: textAt(value, 'callId') ?? rowId.slice(rowId.lastIndexOf(':') + 1),
    nodeId: textAt(value, 'stepName') ?? '',
    stepIndex: numberAt(value, 'stepIndex') ?? -1,
    phase: textAt(value, 'phase') ?? '',
    visit: numberAt(value, 'visit') ?? 1,
    round: numberAt(value, 'round') ?? 1,
    attempt: numberAt(value, 'attempt') ?? 1,
    outcome: textAt(value, 'outcome') ?? '',
    statusCode: numberAt(value, 'statusCode'),
    error: textAt(value, 'error'),
    note: textAt(value, 'note'),
    startedAt: instantAt(value, 'startedAt'),
    stepStartedAt: instantAt(value, 'stepStartedAt'),
    createdAt: instantAt(value, 'createdAt'),
    latencyMillis: numberAt(value, 'latencyMs'),
    url: textAt(value, 'requestUrl'),
    verb: textAt(value, 'requestVerb'),
    requestHeaders: objectAt(value, 'requestHeaders'),
    responseHeaders: objectAt(value, 'responseHeaders'),
    requestBody: ownProperty(value, 'requestBody'),
    responseBody: ownProperty(value, 'responseBody'),
    isRequestCut: flagAt(value, 'requestBodyTruncated'),
    isResponseCut: flagAt(value, 'responseBodyTruncated'),
    idempotencyKey: textAt(value, 'idempotencyKey'),
    rule: rule === undefined ? undefined : textAt(rule, 'text'),
  };
}

/** A request of a preview. */
export interface PreviewedCall {
  readonly nodeId: string;
  readonly visit: number;
  readonly verb: string;
  readonly url: string;
  readonly headers: JsonObject;
  readonly body: Json | undefined;
  readonly isCut: boolean;
  readonly error?: string | undefined;
}

/** Reads the requests of a preview: a list, or a document with `calls`. */
export function readPreview(json: Json): readonly PreviewedCall[] {
  const list = Array.isArray(json) ? (json as readonly Json[]) : isJsonObject(json) ? listAt(json, 'calls') : [];
  return list.map((each) => {
    const value = objectOf(each);
    return {
      ...readVisit(value),
      verb: textAt(value, 'verb') ?? '',
      url: textAt(value, 'url') ?? '',
      headers: objectAt(value, 'headers') ?? {},
      body: ownProperty(value, 'body'),
      isCut: flagAt(value, 'bodyTruncated'),
      error: textAt(value, 'error'),
    };
  });
}
