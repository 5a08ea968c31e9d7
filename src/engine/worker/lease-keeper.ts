import type { Clock } from '../../ports/clock.ts';
import { PartlyRenewed, type Queue, type Renewal } from '../../ports/queue.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { stampOf } from './lease.ts';
import type { QueueHealth } from '../queue/queue-health.ts';
import type { WorkerPool } from './worker-pool.ts';

/** What a lease keeper needs. */
export interface LeaseKeeperParts {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly queueHealth: QueueHealth;
  readonly queue: Pick<Queue, 'renew' | 'wantsRenewal'>;
  readonly pool: WorkerPool;
  readonly leaseMillis: number;
}

/**
 * Renews all leases of this process in one message. A periodic loop calls it every third of a lease, and at least every
 * two seconds. Throws what the queue throws.
 *
 * Guarantees: a lease counts from the sending of its renewal, not from the answer. An execution that the queue has given
 * to another process makes no more calls here, but answers that have arrived are still offered to the store, which
 * decides. If a lease had ended, or if the queue created the claim again, calls leave only once the store has confirmed
 * the execution; its driver sends that query. An unavailable server affects only the leases that it keeps.
 */
export async function renewLeases(parts: LeaseKeeperParts): Promise<void> {
  const { clock, telemetry, queueHealth, queue, pool, leaseMillis } = parts;
  const leases = pool.leases();
  if (leases.length === 0 && !queue.wantsRenewal) return;
  const claims = leases.map((lease) => lease.claimed);
  const sent = stampOf(clock);
  let failure: PartlyRenewed | undefined;
  let renewal: Renewal;
  try {
    renewal = await queue.renew(claims, leaseMillis);
    queueHealth.answered();
  } catch (error) {
    queueHealth.failed('renew', error);
    if (!(error instanceof PartlyRenewed)) throw error;
    failure = error;
    ({ renewal } = error);
  }
  const gone = new Set(renewal.lost.map((claim) => claim.token));
  const revived = new Set(renewal.revived.map((claim) => claim.token));
  for (const [i, lease] of leases.entries()) {
    const token = claims[i]?.token ?? '';
    if (failure?.ids.has(lease.id) === true) continue;
    if (!gone.has(token)) {
      if (revived.has(token)) lease.revived(token, sent);
      else lease.renewed(token, sent);
      if (lease.standing === 'doubtful') pool.driverOf(lease.id)?.nudge();
      continue;
    }
    // An id that was released during the renewal is not lost.
    if (!pool.has(lease.id) || lease.claimed.token !== token) continue;
    lease.lose(token);
    telemetry.fenced('lease');
    pool.driverOf(lease.id)?.nudge();
  }
  if (failure !== undefined) throw failure;
}
