import type { Zone } from './settings.ts';

const two = (value: number): string => String(value).padStart(2, '0');

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

interface Parts {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly millis: number;
}

function partsOf(at: number, zone: Zone): Parts {
  const date = new Date(at);
  return zone === 'utc'
    ? {
        year: date.getUTCFullYear(),
        month: date.getUTCMonth(),
        day: date.getUTCDate(),
        hour: date.getUTCHours(),
        minute: date.getUTCMinutes(),
        second: date.getUTCSeconds(),
        millis: date.getUTCMilliseconds(),
      }
    : {
        year: date.getFullYear(),
        month: date.getMonth(),
        day: date.getDate(),
        hour: date.getHours(),
        minute: date.getMinutes(),
        second: date.getSeconds(),
        millis: date.getMilliseconds(),
      };
}

/** What a zone is called beside a time. */
export function zoneName(zone: Zone): string {
  return zone === 'utc' ? 'UTC' : 'local';
}

/** The time of day: `03:11:02`, with a digit of the fraction on demand. */
export function timeOfDay(at: number, zone: Zone, fraction = false): string {
  const { hour, minute, second, millis } = partsOf(at, zone);
  return `${two(hour)}:${two(minute)}:${two(second)}${fraction ? `.${String(Math.floor(millis / 100))}` : ''}`;
}

/** The day: `14 Nov`. */
export function dayOf(at: number, zone: Zone): string {
  const { month, day } = partsOf(at, zone);
  return `${String(day)} ${months[month] ?? ''}`;
}

/** The time of day, with the day unless it is that of `now`, with the year unless it is the current one. */
export function instantText(at: number, zone: Zone, now: number): string {
  const [mine, current] = [partsOf(at, zone), partsOf(now, zone)];
  if (dayOf(at, zone) === dayOf(now, zone) && mine.year === current.year) return timeOfDay(at, zone);
  const day = mine.year === current.year ? dayOf(at, zone) : `${dayOf(at, zone)} ${String(mine.year)}`;
  return `${day} ${two(mine.hour)}:${two(mine.minute)}`;
}

/** A duration for people: `45 ms`, `2.8 s`, `14 min 46 s`, `2 h 10 min`, `6 d 0 h`. */
export function durationText(millis: number): string {
  const value = Math.max(0, millis);
  if (value < 1000) return `${String(Math.round(value))} ms`;
  if (value < 59_950) return `${(value / 1000).toFixed(1)} s`;
  const seconds = Math.round(value / 1000);
  if (seconds < 3600) return `${String(Math.floor(seconds / 60))} min ${String(seconds % 60)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1440) return `${String(Math.floor(minutes / 60))} h ${String(minutes % 60)} min`;
  const hours = Math.floor(minutes / 60);
  return `${String(Math.floor(hours / 24))} d ${String(hours % 24)} h`;
}

/** What is left until an instant, as a clock: `00:43`, `1:02:05`, `3 d 4 h`. */
export function countdownText(millis: number): string {
  const seconds = Math.max(0, Math.ceil(millis / 1000));
  if (seconds >= 86_400) return durationText(seconds * 1000);
  const clock = `${two(Math.floor((seconds % 3600) / 60))}:${two(seconds % 60)}`;
  return seconds >= 3600 ? `${String(Math.floor(seconds / 3600))}:${clock}` : clock;
}

/** How long ago, in one unit: `5 s ago`, `5 min ago`, `2 h ago`, `3 d ago`. */
export function agoText(millis: number): string {
  const seconds = Math.max(0, Math.round(millis / 1000));
  if (seconds < 60) return `${String(seconds)} s ago`;
  if (seconds < 3600) return `${String(Math.floor(seconds / 60))} min ago`;
  if (seconds < 86_400) return `${String(Math.floor(seconds / 3600))} h ago`;
  return `${String(Math.floor(seconds / 86_400))} d ago`;
}
