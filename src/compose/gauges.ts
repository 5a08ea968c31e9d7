/** Gauges that come from the store: read when the metrics are asked for, at most once every few seconds. */
import type { State } from '../core/state.ts';
import type { Plan } from '../core/plan.ts';
import type { ShardSet } from '../core/slot.ts';
import type { Clock } from '../ports/clock.ts';
import type { DueRow, Store } from '../ports/store.ts';
import type { GaugeReadings } from '../telemetry/prometheus-telemetry.ts';

/** What the gauges need. */
export interface GaugeParts {
  readonly store: Pick<Store, 'countByStatus' | 'findDue' | 'getExecution'>;
  readonly clock: Clock;
  /** Those that this process looks after: each pod counts its own, so that sums are true. */
  readonly shards: () => ShardSet;
  /** The plan of a pinned definition. */
  readonly plans: { load(hash: string): Promise<Plan | undefined> };
  /** Ids of the callback keys that may have signed the token of a waiting execution. */
  readonly kids: readonly string[];
  /** Time of a call whose definition says nothing. */
  readonly requestTimeoutMillis: number;
}

type StoreReadings = NonNullable<GaugeReadings['store']>;

/** Statuses that show also when nothing has them: a series that comes and goes cannot be alerted on. */
const shownStatuses = ['IN_PROGRESS', 'WAITING_CALLBACK', 'SLEEPING', 'COMPENSATING', 'CORRUPTED'] as const;

/** How old a reading may be. */
const cacheMillis = 5000;

/**
 * One that took long may be older: as many times as long. Counting a million sleeping executions takes Postgres some hundred
 * milliseconds of processor time, of which scrapes are to take no more than one part in fifty.
 */
const cacheFactor = 50;

const maxCacheMillis = 60_000;

/** Without a checkpoint for longer than this, and its call's timeout, an execution counts as stuck. */
const patienceMillis = 60_000;

/** Most executions that one reading looks at; beyond it, all that are overdue for so long count. */
const maxExamined = 200;

/** How many overdue executions are counted at most. */
const maxOverdue = 10_000;

/** Makes a reader of the store's gauges. Asked for twice at once, it reads once. Rejects while the store is away. */
export function createStoreGauges(parts: GaugeParts): () => Promise<StoreReadings> {
  const { clock } = parts;
  let latest: Promise<StoreReadings> | undefined;
  let validUntil = -Infinity;
  return () => {
    const now = clock.monotonic();
    if (latest === undefined || now > validUntil) {
      validUntil = Infinity;
      const reading = readStore(parts).finally(() => {
        const took = clock.monotonic() - now;
        validUntil = now + Math.min(maxCacheMillis, Math.max(cacheMillis, took * cacheFactor));
      });
      latest = reading;
      // A failure is not kept: the next one who asks tries again.
      reading.catch(() => {
        if (latest === reading) latest = undefined;
      });
    }
    return latest;
  };
}

async function readStore(parts: GaugeParts): Promise<StoreReadings> {
  const { store, clock, kids } = parts;
  const now = clock.now();
  const shards = parts.shards();
  const [counts, oldest, overdue] = await Promise.all([
    store.countByStatus(shards),
    store.findDue(shards, now, 1),
    store.findDue(shards, now - patienceMillis, maxOverdue),
  ]);
  const executions = Object.fromEntries(shownStatuses.map((status) => [status, counts[status] ?? 0]));
  const [kid, ...others] = kids;
  return {
    executions,
    oldestDueAgeMillis: oldest[0] === undefined ? 0 : Math.max(0, now - oldest[0].dueAt),
    stuck: await countStuck(parts, overdue, now),
    // A state does not say which key signed its token; with one key there is no doubt.
    waitingByKid: kid === undefined || others.length > 0 ? {} : { [kid]: counts.WAITING_CALLBACK ?? 0 },
  };
}

/** Of those that have been due for long, the ones without a checkpoint for as long: the others are long runs. */
async function countStuck(parts: GaugeParts, overdue: readonly DueRow[], now: number): Promise<number> {
  let stuck = Math.max(0, overdue.length - maxExamined);
  for (const { id } of overdue.slice(0, maxExamined)) {
    const detail = await parts.store.getExecution(id);
    if (detail === undefined || detail.state.end !== undefined) continue;
    const plan = await parts.plans.load(detail.definitionHash);
    const patience = patienceMillis + longestCallMillis(detail.state, plan, parts.requestTimeoutMillis);
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
