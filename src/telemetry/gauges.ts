import { isSettled } from '../core/delivery.ts';
import { longestCallMillis, patienceMillis } from '../core/view/stuck.ts';
import type { Plan } from '../core/plan.ts';
import type { ShardSet } from '../core/value/slot.ts';
import type { Clock, Timer } from '../ports/clock.ts';
import { type Store, StoreUnavailable } from '../ports/store.ts';
import type { DueDetail } from '../ports/records.ts';
import type { GaugeReadings } from './prometheus-telemetry.ts';

/** Dependencies of the gauges. */
export interface GaugeParts {
  readonly store: Pick<Store, 'countActive' | 'listDue' | 'getProgress'>;
  readonly clock: Clock;
  /** The shards that this process owns. Each pod counts its own, so that sums over pods are right. */
  readonly shards: () => ShardSet;
  /** The plan of a pinned definition. */
  readonly plans: { load(hash: string): Promise<Plan | undefined> };
  /** Whether the store is known to answer. */
  readonly storeAnswers: () => boolean;
  /** Ids of the executions running in this process. */
  readonly running: () => ReadonlySet<string>;
  /** Whether a claim belongs to another live process. */
  readonly isOfAnother: (claim: string) => boolean;
  /** Ids of the configured callback keys. */
  readonly kids: readonly string[];
  /** Timeout of calls whose definition sets none. */
  readonly requestTimeoutMillis: number;
  /** Longest total time of any call. */
  readonly maxTimeoutMillis: number;
}

type StoreReadings = NonNullable<GaugeReadings['store']>;

/** Statuses shown even at zero, since alerts need persistent series. */
const shownStatuses = ['IN_PROGRESS', 'WAITING_CALLBACK', 'SLEEPING', 'COMPENSATING', 'CORRUPTED'] as const;

/** Shortest time for which a reading is cached. */
const cacheMillis = 5000;

/**
 * A slow reading is cached for this many times its duration. Counting a million sleeping executions takes Postgres some
 * hundred milliseconds of CPU time, and scrapes may use at most a fiftieth of it.
 */
const cacheFactor = 50;

const maxCacheMillis = 60_000;

/** Deadline of one gauge: a scraper waits for ten seconds and must get the other gauges in any case. */
const deadlineMillis = 4000;

/** Executions examined per reading. All further ones that are overdue count as stuck. */
const maxExamined = 200;

/** Bound on the due executions read, and rows per page. */
const maxOverdue = 10_000;
const pageSize = 500;

/**
 * Creates a reader of the gauges that come from the store. Concurrent calls share one reading, which is cached for at
 * least {@link cacheMillis}. Rejects while the store is unavailable, at once if that is known.
 */
export function createStoreGauges(parts: GaugeParts): () => Promise<StoreReadings> {
  const { clock } = parts;
  let latest: Promise<StoreReadings> | undefined;
  let validUntil = -Infinity;
  return () => {
    const now = clock.monotonic();
    if (latest === undefined || now > validUntil) {
      validUntil = Infinity;
      const asked = parts.storeAnswers() ? inTime(clock, readStore(parts)) : Promise.reject(away());
      const reading = asked.finally(() => {
        const took = clock.monotonic() - now;
        validUntil = now + Math.min(maxCacheMillis, Math.max(cacheMillis, took * cacheFactor));
      });
      latest = reading;
      // A failure is not cached; the next scrape reads again.
      reading.catch(() => {
        if (latest === reading) latest = undefined;
      });
    }
    return latest;
  };
}

function away(): StoreUnavailable {
  return new StoreUnavailable('unreachable', 'The gauges of the store cannot be read now.');
}

/** Rejects after {@link deadlineMillis}. */
async function inTime<T>(clock: Clock, reading: Promise<T>): Promise<T> {
  let timer: Timer | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = clock.after(deadlineMillis, () => reject(away()));
  });
  try {
    return await Promise.race([reading, late]);
  } finally {
    timer?.cancel();
  }
}

async function readStore(parts: GaugeParts): Promise<StoreReadings> {
  const { store, clock, kids } = parts;
  const now = clock.now();
  const shards = parts.shards();
  const [{ statuses, callbackKeys, pendingHooks, openChildren }, due] = await Promise.all([
    store.countActive(shards),
    readDue(parts, shards, now),
  ]);
  return {
    executions: Object.fromEntries(shownStatuses.map((status) => [status, statuses[status] ?? 0])),
    oldestDueAgeMillis: Math.max(0, now - due.oldestAt),
    stuck: await countStuck(parts, due.overdue, now),
    pendingHooks,
    openChildren,
    // A configured key without waits shows 0; a removed key shows while executions still wait for its callbacks.
    waitingByKid: { ...Object.fromEntries(kids.map((kid) => [kid, 0])), ...callbackKeys },
  };
}

interface Due {
  /** When the execution that has waited longest for a worker began to wait; now if none waits. */
  readonly oldestAt: number;
  /** Ids of executions that have been due, and without a checkpoint, for long. */
  readonly overdue: readonly string[];
}

/**
 * Reads due executions, oldest first. A running execution keeps its due time until it parks, so it does not count
 * towards the age. One whose process died has waited at most since its last checkpoint.
 */
async function readDue({ store, running, isOfAnother }: GaugeParts, shards: ShardSet, now: number): Promise<Due> {
  const overdue: string[] = [];
  const longAgo = now - patienceMillis;
  let oldestAt = now;
  let cursor: DueDetail | undefined;
  for (let read = 0; read < maxOverdue;) {
    const rows: readonly DueDetail[] = await store.listDue(shards, now, pageSize, cursor);
    // Read after the rows, to exclude executions claimed in the meantime.
    const here = running();
    for (const { id, dueAt, updatedAt, claim } of rows) {
      const since = Math.max(dueAt, updatedAt);
      if (since <= longAgo) overdue.push(id);
      if (!here.has(id) && (claim === undefined || !isOfAnother(claim))) oldestAt = Math.min(oldestAt, since);
    }
    read += rows.length;
    cursor = rows.at(-1);
    // Later rows became due later: they are neither older nor overdue.
    if (rows.length < pageSize || cursor === undefined) break;
    if (cursor.dueAt >= oldestAt && cursor.dueAt > longAgo) break;
  }
  return { oldestAt, overdue };
}

/** Counts executions without a recent checkpoint, except those in a call whose timeout allows it. */
async function countStuck(parts: GaugeParts, overdue: readonly string[], now: number): Promise<number> {
  let stuck = Math.max(0, overdue.length - maxExamined);
  for (const id of overdue.slice(0, maxExamined)) {
    const detail = await parts.store.getProgress(id);
    if (detail === undefined || isSettled(detail.state)) continue;
    const plan = await parts.plans.load(detail.definitionHash);
    const patience =
      patienceMillis +
      Math.min(longestCallMillis(detail.state, plan, parts.requestTimeoutMillis), parts.maxTimeoutMillis);
    if (now - detail.updatedAt > patience) stuck++;
  }
  return stuck;
}
