/**
 * Rules about lapses, poison and places in the queue, broken one by one. What stands between an engine and its ports is above
 * everything that watches them, so that the rules see what the engine was not told.
 */
import { PartlyRenewed, type Claimed, type Queue } from '../../src/ports/queue.ts';
import type { ShardEnding, ShardQueue } from '../../src/ports/shard-queue.ts';
import type { CheckpointResult, LoadedExecution, Store } from '../../src/ports/store.ts';
import type { Ports } from '../../simulator/process.ts';
import { withServerOperations } from './sabotage-shards.ts';

type Method = (...args: readonly unknown[]) => Promise<unknown>;
type Renewal = readonly Claimed[] | { readonly lost: readonly Claimed[]; readonly revived: readonly Claimed[] };

/** What the store says of the claim of an execution. */
interface Standing {
  readonly id: string;
  readonly claim: string;
  readonly seq: number;
  readonly inboxSeq: number;
}

/** A port with some methods replaced, by their names: some are not there yet. */
function replaced<T extends object>(port: T, methods: Readonly<Record<string, Method>>): T {
  return new Proxy(port, {
    get(target, name): unknown {
      const own = methods[String(name)];
      if (own !== undefined) return own;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

/** A renewal says of what it made anew that it was renewed. */
export function renewalRevives({ store, queue }: Ports): Ports {
  const renew = async (...args: readonly unknown[]): Promise<unknown> => {
    try {
      const renewal: Renewal = await queue.renew(...(args as Parameters<Queue['renew']>));
      return 'lost' in renewal ? { ...(renewal as object), revived: [] } : renewal;
    } catch (error) {
      // Of a renewal that was answered in part.
      throw error instanceof PartlyRenewed ? Object.assign(error, { revived: [] }) : error;
    }
  };
  return { store, queue: replaced(queue, { renew }) };
}

/** The store is believed to say what it said before the lease came back. */
export function askedBefore({ store, queue }: Ports): Ports {
  return { store: new Beliefs().answer(store, () => true), queue };
}

/** The same, where the process got an id once more that it still had in hand. */
export function adoptingRevives({ store, queue }: Ports): Ports {
  const held = new Set<string>();
  const adopted = new Set<string>();
  const end: (name: 'ack' | 'release') => Method = (name) => (ended) => {
    for (const { id } of ended as readonly Claimed[]) {
      held.delete(id);
      adopted.delete(id);
    }
    return queue[name](ended as readonly Claimed[]);
  };
  const watched = replaced(queue, {
    claim: async (...args) => {
      const result = await queue.claim(...(args as Parameters<Queue['claim']>));
      for (const { id } of result.claimed) {
        if (held.has(id)) adopted.add(id);
        held.add(id);
      }
      return result;
    },
    claimDirect: async (...args) => {
      const claimed = await queue.claimDirect(...(args as Parameters<Queue['claimDirect']>));
      for (const each of claimed) if (each !== undefined) held.add(each.id);
      return claimed;
    },
    ack: end('ack'),
    release: end('release'),
  });
  return { store: new Beliefs().answer(store, (id) => adopted.has(id)), queue: watched };
}

/** What a process last heard of the claims under which it works. */
class Beliefs {
  readonly #known = new Map<string, Standing>();

  /** The store, which answers from that for the ids that `isBelieved` names. */
  answer(store: Store, isBelieved: (id: string) => boolean): Store {
    const known = this.#known;
    return replaced(store, {
      submit: async (batch) => {
        const asked = batch as Parameters<Store['submit']>[0];
        const results = await store.submit(asked);
        for (const { id, claim } of asked) if (claim !== undefined) known.set(id, { id, claim, seq: 0, inboxSeq: 0 });
        return results;
      },
      takeOver: async (...args) => {
        const loaded: readonly LoadedExecution[] = await store.takeOver(...(args as Parameters<Store['takeOver']>));
        const claims = new Map((args[0] as readonly { id: string; claim: string }[]).map((one) => [one.id, one.claim]));
        for (const { id, seq, inboxSeq } of loaded) known.set(id, { id, claim: claims.get(id) ?? '', seq, inboxSeq });
        return loaded;
      },
      checkpoint: async (batch) => {
        const asked = batch as Parameters<Store['checkpoint']>[0];
        const results: readonly CheckpointResult[] = await store.checkpoint(asked);
        for (const [i, { id, claim, seq }] of asked.entries()) {
          const result = results[i]!;
          if (result.kind === 'written') known.set(id, { id, claim, seq: seq + 1, inboxSeq: result.inboxSeq });
          else if (result.kind === 'inbox') known.set(id, { id, claim, seq, inboxSeq: result.inboxSeq });
        }
        return results;
      },
      readClaims: async (ids) => {
        const asked = ids as readonly string[];
        const readClaims = Reflect.get(store, 'readClaims') as (ids: readonly string[]) => Promise<readonly Standing[]>;
        const told = await readClaims(asked.filter((id) => !isBelieved(id)));
        return [...told, ...asked.filter(isBelieved).flatMap((id) => known.get(id) ?? [])];
      },
    });
  }
}

/** Neither store nor queue is told which processes live, so that each claim of one that was fenced counts as poison. */
export function fencedCountsAsPoison({ store, queue }: Ports): Ports {
  const takeOver = (...args: readonly unknown[]): Promise<unknown> => {
    const [claims, now] = args as Parameters<Store['takeOver']>;
    return store.takeOver(claims, now, []);
  };
  const reconcile = (...args: readonly unknown[]): Promise<unknown> => {
    const [items] = args as Parameters<Queue['reconcile']>;
    return queue.reconcile(items.map(({ id, slot, dueAt }) => ({ id, slot, dueAt })));
  };
  return { store: replaced(store, { takeOver }), queue: replaced(queue, { reconcile }) };
}

/** What is handed back goes to the end of its queue. */
export function backToTheEnd(server: ShardQueue): ShardQueue {
  const last = (ending: ShardEnding): ShardEnding =>
    (ending.next as unknown) === 'back' ? { ...ending, next: 0 } : ending;
  return withServerOperations(server, { finish: (shard, endings) => server.finish(shard, endings.map(last)) });
}
