/** What a process says of itself to the others, as text in the queue server. */
import type { Member } from '../../ports/shard-queue.ts';

/** Circuits that a process tells of at most. */
export const maxToldCircuits = 20;

/** See the file header. */
export interface MemberInfo {
  readonly podId: string;
  /** Whether it takes shards; a process that only serves the API does not. */
  readonly works: boolean;
  /** Virtual shards that it works with. */
  readonly count: number;
  /** Virtual shards that it was configured with. */
  readonly wants: number;
  readonly version: string;
  /** Executions in hand at its latest heartbeat. */
  readonly busy: number;
  /** About how many bytes they take, and beyond how many nothing new is claimed; absent in earlier versions. */
  readonly bytes?: number;
  readonly maxBytes?: number;
  /** Hosts whose circuits are open there, at most {@link maxToldCircuits}; absent in earlier versions. */
  readonly openCircuits?: readonly string[];
}

/** A process of the cluster. */
export interface ClusterMember extends MemberInfo {
  /** `<podId>/<nonce>`. */
  readonly id: string;
  /** Since its latest heartbeat. */
  readonly ageMillis: number;
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
  } = value as Partial<Record<keyof MemberInfo, unknown>>;
  return (
    typeof podId === 'string' &&
    typeof works === 'boolean' &&
    [count, wants, busy, bytes, maxBytes].every((number) => Number.isSafeInteger(number)) &&
    typeof version === 'string' &&
    (openCircuits === undefined ||
      (Array.isArray(openCircuits) && openCircuits.every((host) => typeof host === 'string')))
  );
}
