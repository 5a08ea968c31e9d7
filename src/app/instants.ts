/** An instant as clients read it: ISO 8601, UTC, milliseconds. */
export function instant(millis: number): string {
  return new Date(millis).toISOString();
}
