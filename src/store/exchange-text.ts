/**
 * Exchanges as part of a row's text, without what the row says anyway: headers that Trama adds to every call, and a response
 * that is also the row's output.
 */
import { bodyText, shownExchange } from '../core/call/ending-call.ts';
import type { ResponseView } from '../core/context/context.ts';
import type { Exchange } from '../core/history.ts';
import { orUsual, withoutUndefined } from './usual.ts';

/** The call that an exchange belongs to. */
export interface CallPlace {
  readonly executionId: string;
  readonly nodeId: string;
  readonly attempt: number;
  /** Its idempotency key. */
  readonly key: string | undefined;
}

type Headers = Readonly<Record<string, string>>;

/** An exchange as it is written. */
export interface WrittenExchange {
  readonly url: string;
  /** Absent: POST. */
  readonly verb?: string | undefined;
  /** The request's headers without those that Trama adds; absent if there are no others. */
  readonly headers?: Headers | undefined;
  /** The end of `traceparent`, if it is the last header and has the execution's own trace; without the flags `-00`. */
  readonly span?: string | undefined;
  /** All of the request's headers, if those that Trama adds are unusual. */
  readonly allHeaders?: Headers | undefined;
  readonly body?: string | undefined;
  readonly isBodyCut?: boolean | undefined;
  /** Absent: the row's answer, if it has one; null: none, although the row has an answer. */
  readonly response?: WrittenResponse | null | undefined;
  readonly ms: number;
}

interface WrittenResponse {
  readonly headers?: Headers | undefined;
  readonly body?: string | undefined;
  readonly isCut?: boolean | undefined;
}

/** The exchange as it is written in a row that has the answer `own`. */
export function writtenExchange(place: CallPlace, exchange: Exchange, own: ResponseView | undefined): WrittenExchange {
  const { url, verb, requestHeaders, requestBody, requestBodyTruncated, answer, latencyMillis } = exchange;
  const isOwn = answer !== undefined && answer === own;
  const headers = writtenHeaders(place, requestHeaders);
  return {
    url,
    verb: verb === 'POST' ? undefined : verb,
    headers: headers?.rest,
    span: headers?.span,
    allHeaders: headers === undefined ? requestHeaders : undefined,
    body: requestBody,
    isBodyCut: requestBodyTruncated,
    response: isOwn ? undefined : (writtenResponse(exchange) ?? (own === undefined ? undefined : null)),
    ms: latencyMillis,
  };
}

function writtenResponse(exchange: Exchange): WrittenResponse | undefined {
  const { responseHeaders: headers, responseBody: body, responseBodyTruncated: isCut } = shownExchange(exchange);
  return headers === undefined && body === undefined ? undefined : { headers, body, isCut };
}

/** The exchange as lists show it, of what {@link writtenExchange} made. */
export function readExchange(place: CallPlace, written: WrittenExchange, own: ResponseView | undefined): Exchange {
  const { url, verb = 'POST', allHeaders, body, isBodyCut, ms } = written;
  const response = orUsual(written.response, own && { headers: own.headers, body: bodyText(own), isCut: undefined });
  return withoutUndefined({
    url,
    verb,
    requestHeaders: allHeaders ?? readHeaders(place, written),
    requestBody: body,
    requestBodyTruncated: isBodyCut,
    responseHeaders: response?.headers,
    responseBody: response?.body,
    responseBodyTruncated: response?.isCut,
    latencyMillis: ms,
  });
}

/** Headers that Trama adds to every call, in their order; a definition that sets one of them leaves it in its place. */
const addedHeaders = ['idempotency-key', 'trama-execution-id', 'trama-node-id', 'trama-attempt'] as const;

function addedValue({ key, executionId, nodeId, attempt }: CallPlace, i: number): string | undefined {
  switch (i) {
    case 0:
      return key;
    case 1:
      return executionId;
    case 2:
      return nodeId;
    default:
      return String(attempt);
  }
}

/** The headers that remain to be written; undefined if those that Trama adds are not first and as usual. */
function writtenHeaders(
  place: CallPlace,
  headers: Headers,
): { readonly rest: Headers | undefined; readonly span: string | undefined } | undefined {
  let added = 0;
  let rest: Record<string, string> | undefined;
  let span: string | undefined;
  for (const name in headers) {
    const value = headers[name] as string;
    if (added < addedHeaders.length) {
      if (name !== addedHeaders[added] || value !== addedValue(place, added)) return undefined;
      added++;
      continue;
    }
    // Assignment would make it the prototype; and what follows the trace would come before it when it is read.
    if (name === '__proto__' || span !== undefined) return undefined;
    if (name === 'traceparent') span = spanOf(place, value);
    if (span === undefined) (rest ??= {})[name] = value;
  }
  return added === addedHeaders.length ? { rest, span } : undefined;
}

function readHeaders(place: CallPlace, { headers = {}, span }: Pick<WrittenExchange, 'headers' | 'span'>): Headers {
  return {
    ...Object.fromEntries(addedHeaders.map((name, i) => [name, addedValue(place, i) ?? ''])),
    ...headers,
    ...(span === undefined
      ? undefined
      : { traceparent: `00-${place.executionId.replaceAll('-', '')}-${withFlags(span)}` }),
  };
}

const traceparentLength = 55;
const spanBegins = 36;
const dash = 0x2d;
const notSampled = '-00';

function spanOf(place: CallPlace, value: string): string | undefined {
  if (value.length !== traceparentLength || !hasOwnTrace(place, value)) return undefined;
  return value.slice(spanBegins, value.endsWith(notSampled) ? -notSampled.length : undefined);
}

/** Compares without making a text, since this happens for each call. */
function hasOwnTrace({ executionId: id }: CallPlace, value: string): boolean {
  if (!value.startsWith('00-')) return false;
  let at = 3;
  for (let i = 0; i < id.length; i++) {
    const char = id.charCodeAt(i);
    if (char !== dash && value.charCodeAt(at++) !== char) return false;
  }
  return at === spanBegins - 1 && value.charCodeAt(at) === dash;
}

function withFlags(span: string): string {
  return span.length === 16 ? `${span}${notSampled}` : span;
}
