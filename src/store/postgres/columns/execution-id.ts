/** Ids of executions: UUIDs whose first 48 bits are the time of creation (version 7, RFC 9562). */

const pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Whether it has the form of an id: a UUID in lower case, as they are made. */
export function isExecutionId(text: string): boolean {
  return pattern.test(text);
}

/** Throws a TypeError when it has not the form of an id. */
export function executionId(text: string): string {
  if (!isExecutionId(text)) throw new TypeError(`This is no UUID: ${text}`);
  return text;
}

/** The lowest id of an instant, in ms since 1970; ids made before it are lower. */
export function lowestIdAt(millis: number): string {
  const hex = Math.min(0xffff_ffff_ffff, Math.max(0, Math.floor(millis)))
    .toString(16)
    .padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}
