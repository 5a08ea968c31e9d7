/** What a callback token stands for: one operation of one visit of a node. */
export interface CallbackClaims {
  readonly executionId: string;
  readonly round: number;
  /** Any characters. */
  readonly nodeId: string;
  readonly visit: number;
  /** Counts from 1; a retry after a callback that said failure is a new operation. */
  readonly operation: number;
  readonly nonce: string;
}

/** Why a token was not accepted: no token of this form, made with a key that is not live, or not made by that key. */
export type CallbackTokenProblem = 'malformed' | 'unknown_kid' | 'signature';

/** What verifying a token found. */
export type CallbackVerification =
  | { readonly ok: true; readonly claims: CallbackClaims }
  | { readonly ok: false; readonly problem: CallbackTokenProblem };
