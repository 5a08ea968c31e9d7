import type { CallbackClaims, CallbackVerification } from '../src/ports/callback-token.ts';

/** Issues the address of a callback in the simulated world, with a token that says what it is for and is not signed. */
export function issueCallback(claims: CallbackClaims): { url: string; token: string; signedUrl: string } {
  const { executionId, round, nodeId, visit, operation, nonce } = claims;
  const token = [executionId, round, nodeId, visit, operation, nonce].join('~');
  return { url: 'http://trama.test/callback', token, signedUrl: `http://trama.test/callback/${token}` };
}

/** The content of a token, as the verifier of an engine answers it. */
export function verifyToken(token: string): CallbackVerification {
  const [executionId = '', round, nodeId = '', visit, operation, nonce = ''] = token.split('~');
  return {
    ok: true,
    claims: { executionId, round: Number(round), nodeId, visit: Number(visit), operation: Number(operation), nonce },
  };
}

/** The content of a callback's address, for downstreams that post to it. */
export function tokenOf(address: string): { readonly token: string; readonly claims: CallbackClaims } {
  const token = address.slice(address.lastIndexOf('/') + 1);
  const checked = verifyToken(token);
  if (!checked.ok) throw new Error(`No callback address: ${address}.`);
  return { token, claims: checked.claims };
}
