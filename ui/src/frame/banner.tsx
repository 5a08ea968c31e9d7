import type { ReactNode } from 'react';
import { connection } from '../api/session.ts';
import { useNow } from '../platform/clock.ts';
import { useStore } from '../platform/store.ts';
import { useReading } from '../api/queries.ts';
import { Icon } from '../parts/icon.tsx';
import { Time } from '../parts/time.tsx';
import { useReadiness } from './readiness.ts';

/** A connection counts as lost once it has been so for this long: one slow answer is no news. */
const patienceMillis = 1500;

/** How often a page that reads nothing asks. */
const heartbeatMillis = 10_000;

/** Above the page: the connection was lost, or the server is not ready. Data on the page are as of the time named. */
export function Banner(): ReactNode {
  const { asOf, lostSince } = useStore(connection);
  const now = useNow(lostSince !== undefined);
  const reasons = useReadiness();
  if (lostSince !== undefined && now - lostSince >= patienceMillis) {
    return (
      <div className="banner lost" role="alert">
        <Icon name="clock" />
        <span>
          Connection lost
          {asOf !== undefined && (
            <>
              , as of <Time at={asOf} day={false} />
            </>
          )}
        </span>
        <p>It is tried again by itself.</p>
      </div>
    );
  }
  if (reasons.length === 0) return null;
  return (
    <div className="banner bad" role="alert">
      <Icon name="st-failed" />
      <span>Server not ready: {reasons.join(', ')}</span>
      <p>Runs are accepted where the store answers, and wait.</p>
    </div>
  );
}

/** Asks a small route from time to time, so that a page that reads nothing notices a lost connection, too. */
export function useHeartbeat(): void {
  useReading({ path: '/workflows', parameters: { limit: 1 }, read: () => true, everyMillis: heartbeatMillis });
}
