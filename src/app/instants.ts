const minuteMillis = 60_000;

/** The ends of instants, by seconds and by milliseconds. */
const secondsText: readonly string[] = Array.from({ length: 60 }, (_, i) => `${String(i).padStart(2, '0')}.`);
const millisText: readonly string[] = Array.from({ length: 1000 }, (_, i) => `${String(i).padStart(3, '0')}Z`);

/** The minute written last, and the text of its instants up to the seconds. */
let lastMinute = NaN;
let lastText = '';

/**
 * Formats an instant for clients: ISO 8601 in UTC with milliseconds. Keeps the text of the last minute, since most
 * instants of a document are of one: `Date` takes several times as long.
 *
 * @throws RangeError in a minute that `Date` cannot hold.
 */
export function instant(millis: number): string {
  const whole = Math.trunc(millis);
  const minute = Math.floor(whole / minuteMillis);
  if (minute !== lastMinute) {
    lastText = new Date(minute * minuteMillis).toISOString().slice(0, -'00.000Z'.length);
    lastMinute = minute;
  }
  const rest = whole - minute * minuteMillis;
  const end = (secondsText[Math.floor(rest / 1000)] as string) + (millisText[rest % 1000] as string);
  return lastText + end;
}
