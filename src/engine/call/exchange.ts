import type { ResponseView } from '../../core/context/context.ts';
import type { Exchange } from '../../core/history.ts';
import type { CallAnswer, CallResponse, OutboundRequest } from '../../ports/http-caller.ts';

/** Masks secrets and tokens in text that leaves the process. */
export interface ExchangeMasker {
  text(text: string): string;
  headers(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>>;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * The exchange of one attempt for the history. Masks it first, then cuts and marks bodies longer than `maxBody`. `response` is
 * the answer as the core receives it: the exchange refers to it unless something in the answer is masked or cut.
 */
export function exchangeOf(
  request: OutboundRequest,
  answer: CallAnswer,
  response: ResponseView | undefined,
  masker: ExchangeMasker,
  maxBody: number,
): Exchange {
  const requestBody = request.body === undefined ? undefined : masker.text(request.body);
  const exchange: Mutable<Exchange> = {
    url: masker.text(request.url),
    verb: request.verb,
    requestHeaders: masker.headers(request.headers),
    latencyMillis: Math.round(answer.latencyMillis),
  };
  if (requestBody !== undefined) {
    exchange.requestBody = cut(requestBody, maxBody);
    if (requestBody.length > maxBody) exchange.requestBodyTruncated = true;
  }
  if (answer.kind === 'failed') return exchange;
  const responseBody = masker.text(answer.body);
  const responseHeaders = masker.headers(answer.headers);
  const isWhole = responseBody === answer.body && responseHeaders === answer.headers && responseBody.length <= maxBody;
  if (isWhole && response !== undefined && isTold(answer)) {
    exchange.answer = response;
    return exchange;
  }
  exchange.responseHeaders = responseHeaders;
  exchange.responseBody = cut(responseBody, maxBody);
  if (responseBody.length > maxBody) exchange.responseBodyTruncated = true;
  return exchange;
}

/**
 * Whether the value of a body tells its text, up to spaces between JSON values. Texts `null` and `"text"` have the same value
 * as an empty body and the text without quotes.
 */
function isTold({ body, bodyJson }: CallResponse): boolean {
  if (typeof bodyJson === 'string') return bodyJson === body;
  return bodyJson !== null || body === '';
}

/** The first `max` characters, without a split surrogate pair, which not every store can keep. */
export function cut(text: string, max: number): string {
  if (text.length <= max) return text;
  const last = text.charCodeAt(max - 1);
  return text.slice(0, last >= 0xd8_00 && last <= 0xdb_ff ? max - 1 : max);
}
