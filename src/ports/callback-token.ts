/** The content of a callback token, which identifies one operation of one visit of a node. */
export interface CallbackClaims {
  readonly executionId: string;
  readonly round: number;
  /** Any characters. */
  readonly nodeId: string;
  readonly visit: number;
  /** Counts from 1; a retry after a callback that reported failure is a new operation. */
  readonly operation: number;
  readonly nonce: string;
}

/** Why a token was rejected: malformed, signed with a key that is not active, or a wrong signature. */
export type CallbackTokenProblem = 'malformed' | 'unknown_kid' | 'signature';

/** The result of verifying a token. */
export type CallbackVerification =
  | { readonly ok: true; readonly claims: CallbackClaims }
  | { readonly ok: false; readonly problem: CallbackTokenProblem };
