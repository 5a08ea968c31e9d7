/** Where an error comes from, and what it was caused by. */
export function stackOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const cause = error.cause === error ? undefined : stackOf(error.cause);
  return cause === undefined ? error.stack : `${error.stack ?? ''}\ncaused by ${cause}`;
}
