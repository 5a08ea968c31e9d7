const maxTokenLength = 8192;

/**
 * Whether a credential has the form of a signed JSON Web Token. Kept apart from the verifier, so that this check does
 * not load it.
 */
export function looksLikeJwt(credential: string): boolean {
  return credential.length <= maxTokenLength && /^[\w-]+\.[\w-]+\.[\w-]+$/.test(credential);
}
