/** Ids of executions: UUIDs whose first 48 bits are the time of creation (version 7, RFC 9562). */

const pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Whether the text is a UUID in lower case, the form of generated ids. */
export function isExecutionId(text: string): boolean {
  return pattern.test(text);
}

/** Returns the text. Throws a TypeError when it is not an execution id. */
export function executionId(text: string): string {
  if (!isExecutionId(text)) throw new TypeError(`This is no UUID: ${text}`);
  return text;
}

/** The lowest id of an instant, in ms since 1970; ids created earlier are lower. */
export function lowestIdAt(millis: number): string {
  const hex = Math.min(0xffff_ffff_ffff, Math.max(0, Math.floor(millis)))
    .toString(16)
    .padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}
