/** The form of a signed JSON Web Token; kept apart from the verifier, so that checking the form does not load it. */

const maxTokenLength = 8192;

/** Whether a credential has the form of a signed token. */
export function looksLikeJwt(credential: string): boolean {
  return credential.length <= maxTokenLength && /^[\w-]+\.[\w-]+\.[\w-]+$/.test(credential);
}
