/** Bodies of the history as shown: masked and cut. */
import type { ShownBody, StepRow } from '../../core/history.ts';
import { type Json, stringifyJson } from '../../core/value/json.ts';
import type { ShowStep } from '../../ports/listing.ts';
import { type CallMasker, cut } from '../../engine/call/exchange.ts';

/** How bodies are shown. */
export interface BodyView {
  readonly masker: Pick<CallMasker, 'text'>;
  /** Characters of a body to show. */
  readonly maxHistoryBody: number;
}

/**
 * Characters behind a cut that are masked and then dropped, so that a secret that begins before the cut is found in any encoding
 * up to this length. They bound the masking of a large body.
 */
const maskedBeyond = 64 * 1024;

/** A body as text, masked and cut. */
export function shownBody(body: Json, { masker, maxHistoryBody }: BodyView): ShownBody {
  const text = typeof body === 'string' ? body : stringifyJson(body);
  const looked = cut(text, maxHistoryBody + maskedBeyond);
  const masked = masker.text(looked);
  if (looked.length === text.length && masked.length <= maxHistoryBody) {
    return typeof body === 'string' ? { body: masked } : { body: masked, isJson: true };
  }
  // If the text continues, its last part may hold the beginning of a secret, however much masking shortened the text before.
  const sure = looked.length === text.length ? masked.length : Math.max(0, masked.length - maskedBeyond);
  return { body: cut(masked, Math.min(maxHistoryBody, sure)), isCut: true };
}

/** The shortened form of large outputs that a store keeps for lists. */
export function showStep(view: BodyView): ShowStep {
  return (row) => {
    const body = bodyOf(row);
    return body === undefined || body === null ? {} : shownBody(body, view);
  };
}

/** The body of this row's answer. */
export function bodyOf({ phase, output }: StepRow): Json | undefined {
  if (output === undefined) return undefined;
  if (phase === 'DOWN') return output.downBody;
  if (phase === 'CALLBACK') return output.callback?.body;
  return output.response?.body ?? output.accepted?.body;
}
