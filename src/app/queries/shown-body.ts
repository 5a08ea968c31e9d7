import type { ShownBody, StepRow } from '../../core/history.ts';
import { type Json, stringifyJson } from '../../core/value/json.ts';
import type { ShowStep } from '../../ports/listing.ts';
import { type ExchangeMasker, cut } from '../../engine/call/exchange.ts';

/** How the history shows bodies. */
export interface BodyView {
  readonly masker: Pick<ExchangeMasker, 'text'>;
  /** Characters of a body to show. */
  readonly maxHistoryBody: number;
}

/**
 * Characters beyond the cut that are masked and then dropped, so that a secret that begins before the cut is found in
 * any encoding up to this length. Bounds the masking of a large body.
 */
const maskedBeyond = 64 * 1024;

/** A body as masked and cut text, as the history shows it. */
export function shownBody(body: Json, { masker, maxHistoryBody }: BodyView): ShownBody {
  const text = typeof body === 'string' ? body : stringifyJson(body);
  const looked = cut(text, maxHistoryBody + maskedBeyond);
  const masked = masker.text(looked);
  if (looked.length === text.length && masked.length <= maxHistoryBody) {
    return typeof body === 'string' ? { body: masked } : { body: masked, isJson: true };
  }
  // If the text continues, its last `maskedBeyond` characters may contain the start of a secret, however much
  // masking has shortened the text before them.
  const sure = looked.length === text.length ? masked.length : Math.max(0, masked.length - maskedBeyond);
  return { body: cut(masked, Math.min(maxHistoryBody, sure)), isCut: true };
}

/** Returns the function that shortens large outputs for a store, which keeps the result for lists. */
export function showStep(view: BodyView): ShowStep {
  return (row) => {
    const body = bodyOf(row);
    return body === undefined || body === null ? {} : shownBody(body, view);
  };
}

/** The response or callback body of a row. */
export function bodyOf({ phase, output }: StepRow): Json | undefined {
  if (output === undefined) return undefined;
  if (phase === 'DOWN') return output.downBody;
  if (phase === 'CALLBACK') return output.callback?.body;
  return output.response?.body ?? output.accepted?.body;
}
