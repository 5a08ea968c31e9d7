/** Formats an instant for clients: ISO 8601 in UTC with milliseconds. */
export function instant(millis: number): string {
  return new Date(millis).toISOString();
}
