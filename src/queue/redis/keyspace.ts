import type { Shard } from '../../ports/shard-queue.ts';
import { slotOfKey } from './cluster-slot.ts';

/** A key, or keys of one slot. */
export interface Keys<Names extends string> {
  readonly slot: number;
  readonly names: Readonly<Record<Names, string>>;
}

/** The keys of a shard. */
export type ShardKeys = Keys<'ready' | 'inflight' | 'claims' | 'marker'>;

/**
 * The names of all keys. The keys of one script share a hash tag, so they lie in one slot of a Redis Cluster:
 *
 * | key | type | holds |
 * |---|---|---|
 * | `{<prefix>:vs-<count>-<index>}:ready` | sorted set | ids by due time |
 * | `{<prefix>:vs-<count>-<index>}:inflight` | sorted set | ids by the end of their lease |
 * | `{<prefix>:vs-<count>-<index>}:claims` | hash | id to its due time and token |
 * | `{<prefix>:vs-<count>-<index>}:marker` | string | the incarnation that the shard was rebuilt for, and its rest after a loss |
 * | `<membershipKey>` | sorted set | members by their latest heartbeat |
 * | `{<membershipKey>}:info` | hash | member to its info |
 * | `{<membershipKey>}:store` | string | the store of the members, while at least one of them lives |
 * | `{<prefix>:bell:<member>}` | sorted set | rings that the member has not popped |
 */
export class Keyspace {
  readonly #prefix: string;
  readonly #shards = new Map<number, ShardKeys[]>();
  readonly membership: Keys<'members' | 'infos' | 'store'>;

  /**
   * `prefix` is `redis.queue.keyPrefix`, `membershipKey` is `redis.sharding.membershipKey`.
   *
   * @throws RangeError when the prefix contains a brace (all shards would share one slot), or when a brace in the
   * membership key is not part of one pair around a name.
   */
  constructor(prefix: string, membershipKey: string) {
    if (/[{}]/.test(prefix)) throw new RangeError(`The key prefix must hold no braces: ${prefix}`);
    const tag = membershipKey.includes('{') ? membershipKey : `{${membershipKey}}`;
    const infos = `${tag}:info`;
    const slot = slotOfKey(membershipKey);
    if (slotOfKey(infos) !== slot) throw new RangeError(`The membership key has a stray brace: ${membershipKey}`);
    this.#prefix = prefix;
    this.membership = { slot, names: { members: membershipKey, infos, store: `${tag}:store` } };
  }

  /** The keys of a shard; repeated calls return the same object. */
  shard({ count, index }: Shard): ShardKeys {
    let shards = this.#shards.get(count);
    if (shards === undefined) {
      shards = [];
      this.#shards.set(count, shards);
    }
    return (shards[index] ??= this.#shardKeys(count, index));
  }

  /** The bell of a member. */
  bell(member: string): Keys<'bell'> {
    const bell = `{${this.#prefix}:bell:${member}}`;
    return { slot: slotOfKey(bell), names: { bell } };
  }

  #shardKeys(count: number, index: number): ShardKeys {
    const tag = `{${this.#prefix}:vs-${String(count)}-${String(index).padStart(4, '0')}}`;
    return {
      slot: slotOfKey(tag),
      names: {
        ready: `${tag}:ready`,
        inflight: `${tag}:inflight`,
        claims: `${tag}:claims`,
        marker: `${tag}:marker`,
      },
    };
  }
}
