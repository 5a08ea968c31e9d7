import { useEffect, useState } from 'react';

/** How far the server's clock is ahead of this machine's, in milliseconds. */
let aheadMillis = 0;

/** Learns the server's clock from the header `Date` of an answer, which has whole seconds. */
export function learnClock(date: string | null, now: number = Date.now()): void {
  const server = date === null ? Number.NaN : Date.parse(date);
  if (Number.isNaN(server)) return;
  // Within the second that the header names both clocks agree.
  const ahead = server - now;
  aheadMillis = ahead <= 0 && ahead > -1000 ? 0 : ahead;
}

/** The time of the server, in milliseconds since 1970. */
export function serverNow(): number {
  return Date.now() + aheadMillis;
}

/** The time of the server, once a second while the component is shown. */
export function useNow(isRunning = true): number {
  const [now, setNow] = useState(serverNow);
  useEffect(() => {
    if (!isRunning) return undefined;
    const timer = setInterval(() => {
      setNow(serverNow());
    }, 1000);
    return () => {
      clearInterval(timer);
    };
  }, [isRunning]);
  return now;
}
