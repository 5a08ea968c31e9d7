/** Reads the Retry-After header (RFC 9110, 10.2.3). */

/** Milliseconds from `now` (ms since 1970) that the header asks to wait, or undefined when it says nothing usable. */
export function retryAfterMillis(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  const text = value.trim();
  if (/^\d{1,10}$/.test(text)) return Number(text) * 1000;
  // Only the forms of HTTP dates: `Date.parse` alone would accept almost anything.
  if (!/^[A-Z][a-z]{2,8},? .*\d{2}:\d{2}:\d{2}/.test(text)) return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
