/** What a process publishes about itself to the other members, as text in the queue server. */
import type { FullHost } from '../../call/gate/hosts.ts';
import type { PlacesInUse } from '../../worker/worker-pool.ts';
import type { Member } from '../../../ports/shard-queue.ts';

/** Open circuits and full hosts that a process publishes at most. */
const maxToldHosts = 20;

/** The load of a process. */
export interface MemberLoad {
  /** Executions in hand. */
  readonly busy: number;
  /**
   * Approximate bytes of those executions, and the bound beyond which the process claims nothing new; absent in earlier
   * versions.
   */
  readonly bytes?: number;
  readonly maxBytes?: number;
  /** What the executions use the process' places for; absent in earlier versions, and where the process runs none. */
  readonly places?: PlacesInUse;
  /** Hosts whose circuits are open there, at most 20 to other processes; absent in earlier versions. */
  readonly openCircuits?: readonly string[];
  /** Hosts whose places are all taken there, at most 20 to other processes; absent in earlier versions. */
  readonly fullHosts?: readonly FullHost[];
}

/** What a process publishes about itself. */
export interface MemberInfo extends MemberLoad {
  readonly podId: string;
  /** Whether it takes shards; a process that only serves the API does not. */
  readonly works: boolean;
  /** Virtual shards in force for this process. */
  readonly count: number;
  /** Virtual shards in its configuration. */
  readonly wants: number;
  readonly version: string;
}

/** A process of the cluster. */
export interface ClusterMember extends MemberInfo {
  /** `<podId>/<nonce>`. */
  readonly id: string;
  /** Since its latest heartbeat. */
  readonly ageMillis: number;
}

/** The part of a load that a process publishes. */
export function toldOf({ openCircuits = [], fullHosts = [], ...load }: MemberLoad): MemberLoad {
  return {
    ...load,
    openCircuits: openCircuits.slice(0, maxToldHosts),
    fullHosts: fullHosts.slice(0, maxToldHosts),
  };
}

/** Parses a member; undefined when its text is no such info (another product, a broken entry). */
export function readMember({ id, ageMillis, info }: Member): ClusterMember | undefined {
  let read: unknown;
  try {
    read = JSON.parse(info);
  } catch {
    return undefined;
  }
  return isInfo(read) ? { ...read, id, ageMillis } : undefined;
}

function isInfo(value: unknown): value is MemberInfo {
  if (typeof value !== 'object' || value === null) return false;
  const {
    podId,
    works,
    count,
    wants,
    version,
    busy,
    bytes = 0,
    maxBytes = 0,
    openCircuits,
    places,
    fullHosts,
  } = value as Partial<Record<keyof MemberInfo, unknown>>;
  return (
    typeof podId === 'string' &&
    typeof works === 'boolean' &&
    [count, wants, busy, bytes, maxBytes].every((number) => Number.isSafeInteger(number)) &&
    typeof version === 'string' &&
    isAbsentOr(openCircuits, (hosts) => isListOf(hosts, (host) => typeof host === 'string')) &&
    isAbsentOr(places, isPlaces) &&
    isAbsentOr(fullHosts, (hosts) => isListOf(hosts, isFullHost))
  );
}

function isAbsentOr(value: unknown, isGood: (value: unknown) => boolean): boolean {
  return value === undefined || isGood(value);
}

function isListOf(value: unknown, isGood: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(isGood);
}

function isPlaces(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const places = value as Partial<Record<keyof PlacesInUse, unknown>>;
  const { calling, host, loading, store, other, free } = places;
  return [calling, host, loading, store, other, free].every((count) => Number.isSafeInteger(count));
}

function isFullHost(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { host, calls, waiting } = value as Partial<Record<keyof FullHost, unknown>>;
  return typeof host === 'string' && Number.isSafeInteger(calls) && Number.isSafeInteger(waiting);
}
