/** Callback addresses of the simulated world: tokens that say what they are for, and are not signed. */
import type { CallbackClaims, CallbackVerification } from '../src/ports/callback-token.ts';

/** The address of a callback. */
export function issueCallback(claims: CallbackClaims): { url: string; token: string; signedUrl: string } {
  const { executionId, round, nodeId, visit, operation, nonce } = claims;
  const token = [executionId, round, nodeId, visit, operation, nonce].join('~');
  return { url: 'http://trama.test/callback', token, signedUrl: `http://trama.test/callback/${token}` };
}

/** What a token says. */
export function verifyToken(token: string): CallbackVerification {
  const [executionId = '', round, nodeId = '', visit, operation, nonce = ''] = token.split('~');
  return {
    ok: true,
    claims: { executionId, round: Number(round), nodeId, visit: Number(visit), operation: Number(operation), nonce },
  };
}

/** What a callback's address says, for whoever posts to it. */
export function tokenOf(address: string): { readonly token: string; readonly claims: CallbackClaims } {
  const token = address.slice(address.lastIndexOf('/') + 1);
  const checked = verifyToken(token);
  if (!checked.ok) throw new Error(`No callback address: ${address}.`);
  return { token, claims: checked.claims };
}
