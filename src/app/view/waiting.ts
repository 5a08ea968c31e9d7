import type { JsonObject } from '../../core/value/json.ts';
import { needsPlan, type Place, urgentPlace } from '../../core/view/place.ts';
import { isStuck } from '../../core/view/stuck.ts';
import type { ExecutionStatus } from '../../core/state.ts';
import { turns } from '../../engine/turns.ts';
import type { AppContext } from '../context.ts';

/** What executions wait for that no client of theirs can end. */
export interface Waiting {
  /** By host and cause, the most first. */
  readonly blocked: readonly Readonly<{ host?: string; cause: BlockedBy; count: number }>[];
  /** Executions that wait for each hold. */
  readonly byHold: ReadonlyMap<string, number>;
  /** Executions that are due or run without a checkpoint for too long. */
  readonly stuck: number;
  /** Whether all executions that are not over were looked at. */
  readonly isExact: boolean;
}

/** Why executions wait for a host. */
type BlockedBy = 'hold' | 'circuit' | 'place' | 'retryAfter';

/** How old an answer may be. */
const freshMillis = 5_000;
/** The newest executions that are looked at, and the time that this takes at most. */
const maxLooks = 10_000;
const maxMillis = 500;
/** Rows per read, and entries in an answer. */
const chunkRows = 500;
const maxBlocked = 200;

const active: readonly ExecutionStatus[] = ['IN_PROGRESS', 'WAITING_CALLBACK', 'SLEEPING', 'COMPENSATING'];

/** Counts what executions of all processes wait for, from the store; requests within {@link freshMillis} share a count. */
export class WaitingCounts {
  readonly #app: AppContext;
  #latest: { readonly at: number; readonly counted: Promise<Waiting> } | undefined;

  constructor(app: AppContext) {
    this.#app = app;
  }

  /** The counts, at most {@link freshMillis} old. */
  read(): Promise<Waiting> {
    const now = this.#app.clock.monotonic();
    if (this.#latest !== undefined && now - this.#latest.at < freshMillis) return this.#latest.counted;
    const latest = { at: now, counted: count(this.#app) };
    this.#latest = latest;
    // A failure is told to those that wait for it; the next request counts again.
    latest.counted.catch(() => {
      if (this.#latest === latest) this.#latest = undefined;
    });
    return latest.counted;
  }
}

async function count(app: AppContext): Promise<Waiting> {
  const end = app.clock.monotonic() + maxMillis;
  const blocked = new Map<string, { host?: string; cause: BlockedBy; count: number }>();
  const byHold = new Map<string, number>();
  let stuck = 0;
  let looks = 0;
  let cursor: string | undefined;
  do {
    const page = { limit: chunkRows, withState: true, ...(cursor === undefined ? undefined : { cursor }) };
    const found = await app.store.listExecutions({ statuses: active }, page);
    for (const { state, definitionHash, updatedAt } of found.items) {
      await turns.next();
      if (state === undefined) continue;
      // Only an execution without a recent checkpoint can be stuck, which spares most of them the plan.
      const isOld = app.clock.now() - updatedAt > freshMillis;
      const plan = isOld || needsPlan(state) ? await app.plans.load(definitionHash) : undefined;
      if (isOld && isStuck(state, plan, updatedAt, app.clock.now(), app.callTimes)) stuck++;
      const place = urgentPlace(state, plan);
      const cause = place === undefined ? undefined : causeOf(place);
      if (place === undefined || cause === undefined) continue;
      if (place.holdId !== undefined) byHold.set(place.holdId, (byHold.get(place.holdId) ?? 0) + 1);
      const key = `${cause} ${place.host ?? ''}`;
      const known = blocked.get(key);
      if (known !== undefined) known.count++;
      else blocked.set(key, { ...(place.host !== undefined && { host: place.host }), cause, count: 1 });
    }
    looks += found.items.length;
    ({ cursor } = found);
  } while (cursor !== undefined && looks < maxLooks && app.clock.monotonic() < end);
  return {
    blocked: [...blocked.values()].sort((a, b) => b.count - a.count).slice(0, maxBlocked),
    byHold,
    stuck,
    isExact: cursor === undefined,
  };
}

function causeOf({ state, cause, isRetryAfter }: Place): BlockedBy | undefined {
  if (state === 'BACKOFF') return isRetryAfter === true ? 'retryAfter' : undefined;
  if (state !== 'BLOCKED') return undefined;
  return cause === 'slots' ? 'place' : cause;
}

/** What executions wait for, as `/cluster` shows it; `probes` are the milliseconds until each host is probed. */
export function blockedDocuments({ blocked }: Waiting, probes: ReadonlyMap<string, number>): readonly JsonObject[] {
  return blocked.map((entry) => {
    const wait = entry.cause === 'circuit' && entry.host !== undefined ? probes.get(entry.host) : undefined;
    return { ...entry, ...(wait !== undefined && { nextProbeMillis: Math.round(wait) }) };
  });
}
