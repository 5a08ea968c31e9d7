/** The keys of the token issuer are unavailable, so that tokens cannot be verified. */
export class KeysUnavailable extends Error {
  override readonly name = 'KeysUnavailable';
}
