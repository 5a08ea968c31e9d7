import type { Exchange } from '../../core/history.ts';
import type { CallAnswer, OutboundRequest } from '../../ports/http-caller.ts';

/** Masks secrets and tokens in text that leaves the process. */
export interface CallMasker {
  text(text: string): string;
  headers(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>>;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The exchange of one attempt for the history. Masks it first, then cuts and marks bodies longer than `maxBody`. */
export function exchangeOf(
  request: OutboundRequest,
  answer: CallAnswer,
  masker: CallMasker,
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
  exchange.responseHeaders = masker.headers(answer.headers);
  exchange.responseBody = cut(responseBody, maxBody);
  if (responseBody.length > maxBody) exchange.responseBodyTruncated = true;
  return exchange;
}

/** The first `max` characters, without a split surrogate pair, which not every store can keep. */
export function cut(text: string, max: number): string {
  if (text.length <= max) return text;
  const last = text.charCodeAt(max - 1);
  return text.slice(0, last >= 0xd8_00 && last <= 0xdb_ff ? max - 1 : max);
}
