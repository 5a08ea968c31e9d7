const pattern =
  /^P(?!$)(?:(\d+(?:[.,]\d+)?)W|(?:(\d+(?:[.,]\d+)?)D)?(?:T(?!$)(?:(\d+(?:[.,]\d+)?)H)?(?:(\d+(?:[.,]\d+)?)M)?(?:(\d+(?:[.,]\d+)?)S)?)?)$/;

const unitMillis = [604_800_000, 86_400_000, 3_600_000, 60_000, 1000];

/**
 * Parses an ISO 8601 duration (`PT5M`, `P1DT12H`, `P2W`, `PT0.5S`) into whole milliseconds, rounded. Only the last part
 * may have a fraction, and weeks cannot be combined with other units. Years and months are rejected, since their length
 * varies.
 *
 * @returns undefined if the text is not such a duration.
 */
export function parseDuration(text: string): number | undefined {
  const match = pattern.exec(text);
  if (match === null) return undefined;
  const parts = match.slice(1);
  const last = parts.findLastIndex((part) => part !== undefined);
  let millis = 0;
  for (const [index, part] of parts.entries()) {
    if (part === undefined) continue;
    if (index !== last && /[.,]/.test(part)) return undefined;
    millis += Number(part.replace(',', '.')) * (unitMillis[index] ?? 0);
  }
  return Math.round(millis);
}

/** Whether the text is an ISO 8601 duration with years or months, which deserves an error message of its own. */
export function hasMonthsOrYears(text: string): boolean {
  return /^P(?=\d)(?:\d+Y)?(?:\d+M)?(?:\d+W)?(?:\d+D)?(?:T.*)?$/.test(text) && /^P[^T]*[YM]/.test(text);
}
