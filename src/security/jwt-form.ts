/** How a signed JSON Web Token looks; beside the verifier, so that whoever asks need not load it. */

const maxTokenLength = 8192;

/** Whether a credential has the form of a signed token. */
export function looksLikeJwt(credential: string): boolean {
  return credential.length <= maxTokenLength && /^[\w-]+\.[\w-]+\.[\w-]+$/.test(credential);
}
