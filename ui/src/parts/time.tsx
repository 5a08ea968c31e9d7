import type { ReactNode } from 'react';
import { serverNow } from '../platform/clock.ts';
import { zoneSetting } from '../platform/settings.ts';
import { useStore } from '../platform/store.ts';
import { instantText, timeOfDay, zoneName } from '../platform/times.ts';

/** An instant in the reader's zone. The zone stands beside it, unless a column head already says it. */
export function Time({
  at,
  zoned = true,
  day = true,
}: {
  readonly at: number;
  readonly zoned?: boolean;
  readonly day?: boolean;
}): ReactNode {
  const zone = useStore(zoneSetting);
  const text = day ? instantText(at, zone, serverNow()) : timeOfDay(at, zone);
  return <time dateTime={new Date(at).toISOString()}>{zoned ? `${text} ${zoneName(zone)}` : text}</time>;
}

/** The name of the zone, for column heads. */
export function ZoneName(): ReactNode {
  return zoneName(useStore(zoneSetting));
}
