/** What a process says of itself to the others, as text in the queue server. */
import type { FullHost } from '../../call/gate/hosts.ts';
import type { PlacesInUse } from '../../worker/worker-pool.ts';
import type { Member } from '../../../ports/shard-queue.ts';

/** Circuits, and hosts without a free place, that a process tells of at most. */
const maxToldHosts = 20;

/** What a process has in hand, and what it waits for. */
export interface MemberLoad {
  /** Executions in hand. */
  readonly busy: number;
  /** About how many bytes they take, and beyond how many nothing new is claimed; absent in earlier versions. */
  readonly bytes?: number;
  readonly maxBytes?: number;
  /** What they use its places for; absent in earlier versions, and where none are run. */
  readonly places?: PlacesInUse;
  /** Hosts whose circuits are open there, at most 20 to other processes; absent in earlier versions. */
  readonly openCircuits?: readonly string[];
  /** Hosts whose places are all taken there, at most 20 to other processes; absent in earlier versions. */
  readonly fullHosts?: readonly FullHost[];
}

/** What a process says of itself. */
export interface MemberInfo extends MemberLoad {
  readonly podId: string;
  /** Whether it takes shards; a process that only serves the API does not. */
  readonly works: boolean;
  /** Virtual shards that it works with. */
  readonly count: number;
  /** Virtual shards that it was configured with. */
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

/** The part of a load that other processes are told. */
export function toldOf({ openCircuits = [], fullHosts = [], ...load }: MemberLoad): MemberLoad {
  return {
    ...load,
    openCircuits: openCircuits.slice(0, maxToldHosts),
    fullHosts: fullHosts.slice(0, maxToldHosts),
  };
}

/** Reads a member; undefined when it is no info of this kind (another product, a broken entry). */
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
