/** Why a use case refused. Each is a code of the error registry, whose meaning never changes. */
export type RefusalCode =
  | 'invalid_request'
  | 'invalid_definition'
  | 'invalid_payload'
  | 'unknown_definition'
  | 'unknown_execution'
  | 'unknown_call'
  | 'definition_conflict'
  | 'idempotency_key_reused'
  | 'state_conflict'
  | 'state_changed'
  | 'nothing_to_undo'
  | 'forbidden'
  | 'unknown_hold'
  | 'too_many_holds'
  | 'unstorable'
  | 'callback_malformed'
  | 'callback_signature'
  | 'callback_other_body'
  | 'callback_earlier_operation'
  | 'callback_not_waiting'
  | 'callback_rate_limited'
  | 'rate_limited';

/** A refusal; nothing was changed. `errors` has at least one sentence for people. */
export interface Refusal {
  readonly ok: false;
  readonly code: RefusalCode;
  readonly errors: readonly string[];
}

/** The result of a use case: the requested value, or a refusal. */
export type Answer<T> = { readonly ok: true; readonly value: T } | Refusal;

/** A successful answer. */
export function granted<T>(value: T): Answer<T> {
  return { ok: true, value };
}

/** A refusal with its sentences. */
export function refused(code: RefusalCode, ...errors: readonly string[]): Refusal {
  return { ok: false, code, errors };
}

/** The refusal for an unknown id, or that of a removed execution. */
export function unknownExecution(id: string): Refusal {
  return refused('unknown_execution', `There is no execution ${id}.`);
}

/** The refusal of a change that was decided on an earlier revision of the execution. */
export function changedSince(): Refusal {
  return refused('state_changed', 'The execution has changed since; look at it again.');
}
