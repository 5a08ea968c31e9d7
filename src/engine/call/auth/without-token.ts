/**
 * Removes access tokens from what downstreams answer: tokens are no part of the definition, and no other process could
 * mask them.
 */
import { type Json, parseJson, stringifyJson } from '../../../core/value/json.ts';
import type { CallAnswer } from '../../../ports/http-caller.ts';

/** An answer with `mask` applied to everything that the downstream wrote. */
export function answerWithout(answer: CallAnswer, mask: (text: string) => string): CallAnswer {
  if (answer.kind === 'failed') return { ...answer, message: mask(answer.message) };
  const headers: Record<string, string> = {};
  for (const name in answer.headers) headers[name] = mask(answer.headers[name] as string);
  const body = mask(answer.body);
  if (body === answer.body) return { ...answer, headers };
  return { ...answer, headers, body, bodyJson: answer.bodyJson === answer.body ? body : reread(body) };
}

/** A body with `mask` applied, as JSON unless it is text; the same object when nothing was masked. */
export function bodyWithout(body: Json, mask: (text: string) => string): Json {
  if (typeof body === 'string') return mask(body);
  const text = stringifyJson(body);
  const masked = mask(text);
  return masked === text ? body : reread(masked);
}

/** The JSON of a masked text; text that is no longer JSON (a number was the token) stays text. */
function reread(masked: string): Json {
  try {
    return parseJson(masked);
  } catch {
    return masked;
  }
}
