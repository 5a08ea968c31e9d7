import { type Json, parseJson, stringifyJson } from '../../../core/value/json.ts';
import type { CallAnswer } from '../../../ports/http-caller.ts';

/**
 * An answer with `mask` applied to all content from the downstream. Access tokens must be removed here, because they are
 * not part of the definition and no other process could mask them.
 */
export function answerWithout(answer: CallAnswer, mask: (text: string) => string): CallAnswer {
  if (answer.kind === 'failed') return { ...answer, message: mask(answer.message) };
  const headers: Record<string, string> = {};
  for (const name in answer.headers) headers[name] = mask(answer.headers[name] as string);
  const body = mask(answer.body);
  if (body === answer.body) return { ...answer, headers };
  return { ...answer, headers, body, bodyJson: answer.bodyJson === answer.body ? body : reread(body) };
}

/** A body with `mask` applied, as JSON unless it is text; the same object if nothing was masked. */
export function bodyWithout(body: Json, mask: (text: string) => string): Json {
  if (typeof body === 'string') return mask(body);
  const text = stringifyJson(body);
  const masked = mask(text);
  return masked === text ? body : reread(masked);
}

/** Parses a masked text. Text that is no longer JSON, because a number was masked, stays text. */
function reread(masked: string): Json {
  try {
    return parseJson(masked);
  } catch {
    return masked;
  }
}
