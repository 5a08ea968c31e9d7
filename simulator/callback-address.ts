import type { CallbackClaims, CallbackVerification } from '../src/ports/callback-token.ts';

/** Issues the address of a callback in the simulated world, with an unsigned token that names the operation. */
export function issueCallback(claims: CallbackClaims): { url: string; token: string; signedUrl: string } {
  const { executionId, round, nodeId, visit, operation, nonce } = claims;
  const token = [executionId, round, nodeId, visit, operation, nonce].join('~');
  return { url: 'http://trama.test/callback', token, signedUrl: `http://trama.test/callback/${token}` };
}

/** Returns the content of a token, as an engine's verifier returns it. */
export function verifyToken(token: string): CallbackVerification {
  const [executionId = '', round, nodeId = '', visit, operation, nonce = ''] = token.split('~');
  return {
    ok: true,
    claims: { executionId, round: Number(round), nodeId, visit: Number(visit), operation: Number(operation), nonce },
  };
}

/** Returns the content of a callback's address, for downstreams that post to it. */
export function tokenOf(address: string): { readonly token: string; readonly claims: CallbackClaims } {
  const token = address.slice(address.lastIndexOf('/') + 1);
  const checked = verifyToken(token);
  if (!checked.ok) throw new Error(`No callback address: ${address}.`);
  return { token, claims: checked.claims };
}
