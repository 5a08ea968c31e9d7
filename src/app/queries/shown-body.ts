/** Bodies of the history as people see them: masked, and cut. */
import type { ShownBody, StepRow } from '../../core/history.ts';
import { type Json, stringifyJson } from '../../core/value/json.ts';
import type { ShowStep } from '../../ports/listing.ts';
import { type CallMasker, cut } from '../../engine/call/exchange.ts';

/** What bodies are shown by. */
export interface BodyView {
  readonly masker: Pick<CallMasker, 'text'>;
  /** Characters of a body that are shown. */
  readonly maxHistoryBody: number;
}

/**
 * Characters behind a cut that are masked too, and then dropped: a secret that begins before the cut, in whatever encoding, is found as
 * long as it is not longer. What is masked of a large body is bounded by this, not by the body.
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
  // Where the text goes on, its last part may hold the beginning of a secret, however much masking has shortened what is before it.
  const sure = looked.length === text.length ? masked.length : Math.max(0, masked.length - maskedBeyond);
  return { body: cut(masked, Math.min(maxHistoryBody, sure)), isCut: true };
}

/** What a store keeps of large outputs, for lists. */
export function showStep(view: BodyView): ShowStep {
  return (row) => {
    const body = bodyOf(row);
    return body === undefined || body === null ? {} : shownBody(body, view);
  };
}

/** The body of the answer that this row is about. */
export function bodyOf({ phase, output }: StepRow): Json | undefined {
  if (output === undefined) return undefined;
  if (phase === 'DOWN') return output.downBody;
  if (phase === 'CALLBACK') return output.callback?.body;
  return output.response?.body ?? output.accepted?.body;
}
