/** Gauges read from the store at a scrape, at most once every few seconds. */
import { isSettled } from '../core/delivery.ts';
import type { State } from '../core/state.ts';
import type { Plan } from '../core/plan.ts';
import type { ShardSet } from '../core/value/slot.ts';
import type { Clock, Timer } from '../ports/clock.ts';
import { type Store, StoreUnavailable } from '../ports/store.ts';
import type { DueDetail } from '../ports/records.ts';
import type { GaugeReadings } from './prometheus-telemetry.ts';

/** What reading the gauges needs. */
export interface GaugeParts {
  readonly store: Pick<Store, 'countActive' | 'listDue' | 'getProgress'>;
  readonly clock: Clock;
  /** The shards that this process owns; each pod counts its own, so that sums are right. */
  readonly shards: () => ShardSet;
  /** The plan of a pinned definition. */
  readonly plans: { load(hash: string): Promise<Plan | undefined> };
  /** Whether the store is believed to answer. */
  readonly storeAnswers: () => boolean;
  /** Ids of the executions that run in this process. */
  readonly running: () => ReadonlySet<string>;
  /** Whether a claim belongs to another live process. */
  readonly isOfAnother: (claim: string) => boolean;
  /** Ids of the callback keys that are live. */
  readonly kids: readonly string[];
  /** Timeout of a call without one in its definition. */
  readonly requestTimeoutMillis: number;
  /** Longest total time of any call. */
  readonly maxTimeoutMillis: number;
}

type StoreReadings = NonNullable<GaugeReadings['store']>;

/** Statuses that show even at zero, since alerts need series that persist. */
const shownStatuses = ['IN_PROGRESS', 'WAITING_CALLBACK', 'SLEEPING', 'COMPENSATING', 'CORRUPTED'] as const;

/** How old a reading may be. */
const cacheMillis = 5000;

/**
 * One that took long may be older: as many times as long. Counting a million sleeping executions takes Postgres some hundred
 * milliseconds of processor time, of which scrapes are to take no more than one part in fifty.
 */
const cacheFactor = 50;

const maxCacheMillis = 60_000;

/** How long one gauge may take: a scraper waits for ten seconds, and must get the other gauges in any case. */
const deadlineMillis = 4000;

/** Without a checkpoint for longer than this, and its call's timeout, an execution counts as stuck. */
const patienceMillis = 60_000;

/** Most executions that one reading looks at; beyond it, all that are overdue for so long count. */
const maxExamined = 200;

/** How many due executions are read at most, and at a time. */
const maxOverdue = 10_000;
const pageSize = 500;

/**
 * Makes a reader of the store's gauges. Asked for twice at once, it reads once. Rejects while the store is away, at once where
 * that is known.
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
      // A failure is not cached; the next scrape tries again.
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

/** Rejects when it takes too long. */
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
  const [{ statuses, callbackKeys, pendingHooks }, due] = await Promise.all([
    store.countActive(shards),
    readDue(parts, shards, now),
  ]);
  return {
    executions: Object.fromEntries(shownStatuses.map((status) => [status, statuses[status] ?? 0])),
    oldestDueAgeMillis: Math.max(0, now - due.oldestAt),
    stuck: await countStuck(parts, due.overdue, now),
    pendingHooks,
    // A live key without waits shows 0; a removed key shows while executions still wait under it.
    waitingByKid: { ...Object.fromEntries(kids.map((kid) => [kid, 0])), ...callbackKeys },
  };
}

interface Due {
  /** When the execution that has waited longest for a worker began to wait; now when none waits. */
  readonly oldestAt: number;
  /** Ids of executions that have been due for long, and as long without a checkpoint. */
  readonly overdue: readonly string[];
}

/**
 * Reads due executions, oldest first. A running execution keeps its due time until it parks, so it does not count towards the
 * age; one whose process died has waited since its last checkpoint at most.
 */
async function readDue({ store, running, isOfAnother }: GaugeParts, shards: ShardSet, now: number): Promise<Due> {
  const overdue: string[] = [];
  const longAgo = now - patienceMillis;
  let oldestAt = now;
  let cursor: DueDetail | undefined;
  for (let read = 0; read < maxOverdue;) {
    const rows: readonly DueDetail[] = await store.listDue(shards, now, pageSize, cursor);
    // Read after the rows, so that executions claimed meanwhile do not count.
    const here = running();
    for (const { id, dueAt, updatedAt, claim } of rows) {
      const since = Math.max(dueAt, updatedAt);
      if (since <= longAgo) overdue.push(id);
      if (!here.has(id) && (claim === undefined || !isOfAnother(claim))) oldestAt = Math.min(oldestAt, since);
    }
    read += rows.length;
    cursor = rows.at(-1);
    // What comes later was due later: it is neither older nor overdue.
    if (rows.length < pageSize || cursor === undefined) break;
    if (cursor.dueAt >= oldestAt && cursor.dueAt > longAgo) break;
  }
  return { oldestAt, overdue };
}

/** Executions without a recent checkpoint, minus those in a call whose timeout allows it. */
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

/** The longest time that a call under way may take; 0 when none is. */
function longestCallMillis(state: State, plan: Plan | undefined, otherwise: number): number {
  const times = state.tokens.map(({ nodeId, stage }) => {
    if (stage.kind === 'hook' && stage.callId !== undefined) {
      const hook = stage.run.hook === 'onSuccessCallback' ? plan?.onSuccess : plan?.onFailure;
      return hook?.timeoutMillis ?? otherwise;
    }
    if (stage.kind === 'unwinding' && stage.callId !== undefined && stage.undo !== undefined) {
      const node = plan?.nodes.get(stage.undo.target.nodeId);
      return (node?.kind === 'task' ? node.compensation?.timeoutMillis : undefined) ?? otherwise;
    }
    if (stage.kind !== 'calling') return 0;
    const node = plan?.nodes.get(nodeId);
    return (node?.kind === 'task' ? node.call.timeoutMillis : undefined) ?? otherwise;
  });
  return Math.max(0, ...times);
}
