/**
 * Stores that break one invariant each, to show that the simulator's rules bite. They stand between the processes and the
 * real store, so that nothing of this is in what is shipped.
 */
import { type Checkpoint, type CheckpointResult, type Store, StoreUnavailable } from '../../src/ports/store.ts';
import type { VirtualClock } from '../../simulator/virtual-clock.ts';

/** The store with some operations replaced. */
export function withOperations(store: Store, operations: Partial<Store>): Store {
  return new Proxy(store, {
    get: (target, name) => Reflect.get(operations, name) ?? Reflect.get(target, name),
  });
}

/** I2: the store believes that each writer holds the claim, so that a worker that lost it goes on. */
export function withoutFencing(store: Store): Store {
  const held = new Map<string, { claim: string; seq: number }>();
  const written = new Map<string, CheckpointResult>();
  return withOperations(store, {
    async submit(batch) {
      const results = await store.submit(batch);
      for (const { id, claim } of batch) if (claim !== undefined && !held.has(id)) held.set(id, { claim, seq: 0 });
      return results;
    },
    async takeOver(claims, now) {
      const loaded = await store.takeOver(claims, now);
      for (const { id, seq } of loaded) held.set(id, { claim: claims.find((one) => one.id === id)!.claim, seq });
      return loaded;
    },
    async checkpoint(batch) {
      const results: CheckpointResult[] = [];
      for (const asked of batch) {
        // The same checkpoint sent again is answered alike, as ever.
        const of = `${asked.id} ${asked.claim} ${asked.seq}`;
        const [result] = written.has(of)
          ? [written.get(of)!]
          : await store.checkpoint([{ ...asked, ...held.get(asked.id) }]);
        if (result!.kind === 'written' && !written.has(of)) {
          written.set(of, result!);
          const known = held.get(asked.id);
          if (known !== undefined) known.seq += 1;
        }
        results.push(result!);
      }
      return results;
    },
  });
}

/** A visit of unknown outcome is taken for one that did nothing. */
export function withoutUndoOfUnknown(store: Store): Store {
  const strip = (checkpoint: Checkpoint): Checkpoint => ({
    ...checkpoint,
    steps: checkpoint.steps.map((row) => {
      if (row.outcome !== 'unknown') return row;
      const { undo: _undo, undoRank: _rank, undoSort: _sort, ...rest } = row;
      return rest;
    }),
  });
  return withOperations(store, { checkpoint: (batch) => store.checkpoint(batch.map(strip)) });
}

/** I3: a checkpoint is said to be durable a moment before it is, so that calls leave first. */
export function withEagerAnswers(store: Store, clock: VirtualClock): Store {
  return withOperations(store, {
    checkpoint(batch) {
      clock.after(30, () => void store.checkpoint(batch));
      return Promise.resolve(batch.map(() => ({ kind: 'written', inboxSeq: 0 }) as const));
    },
  });
}

/** Events from outside that a worker has not seen do not hold up a checkpoint. */
export function withoutInboxCheck(store: Store): Store {
  const strip = ({ inboxSeq: _seen, ...checkpoint }: Checkpoint): Checkpoint => checkpoint;
  return withOperations(store, { checkpoint: (batch) => store.checkpoint(batch.map(strip)) });
}

/** I4: what the queue lost is not brought back from the store. */
export function withoutReconcile(store: Store): Store {
  return withOperations(store, { findDue: () => Promise.resolve([]), listDue: () => Promise.resolve([]) });
}

/** A process hears of the others one beat late, so it takes those that have just started for dead. */
export function hearingLate(store: Store): Store {
  let before: Awaited<ReturnType<Store['beat']>> | undefined;
  return withOperations(store, {
    beat: async (process, isFirst) => {
      const now = await store.beat(process, isFirst);
      const answer = before ?? now;
      before = now;
      return answer;
    },
  });
}

/** An event from outside makes an execution runnable and leaves its due time as it is. */
export function withoutDueOfOffers(store: Store): Store {
  return withOperations(store, { offer: (offer) => store.offer(offer, Infinity) });
}

/** A worker that takes over a parked execution leaves its due time as it is. */
export function withoutDueOfTakeOvers(store: Store): Store {
  return withOperations(store, { takeOver: (claims) => store.takeOver(claims, Infinity) });
}

/** Claims in vain are not counted. */
export function withoutPoisonCount(store: Store): Store {
  return withOperations(store, {
    takeOver: async (claims, now) => (await store.takeOver(claims, now)).map((loaded) => ({ ...loaded, claims: 1 })),
  });
}

/** A checkpoint sent again is not known as the one that was written. */
export function withoutWriteIds(store: Store): Store {
  const written = new Set<string>();
  return withOperations(store, {
    checkpoint: async (batch) => {
      const results = await store.checkpoint(batch);
      return results.map((result, i): CheckpointResult => {
        const { id, claim, seq } = batch[i]!;
        const of = `${id} ${claim} ${seq}`;
        if (result.kind !== 'written' || !written.has(of)) {
          if (result.kind === 'written') written.add(of);
          return result;
        }
        return { kind: 'fenced' };
      });
    },
  });
}

/** A checkpoint without an answer is given up. It stands between a process and its wire. */
export function withoutResends(store: Store): Store {
  return withOperations(store, {
    checkpoint: async (batch) => {
      try {
        return await store.checkpoint(batch);
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error;
        return batch.map((): CheckpointResult => ({ kind: 'fenced' }));
      }
    },
  });
}

/** A checkpoint removes whatever waits in the inbox of its execution. */
export function withoutInboxIds(store: Store): Store {
  return withOperations(store, {
    checkpoint: async (batch) => {
      const all = batch.map(async (one) => {
        const { inbox } = await store.readInbox(one.id);
        return { ...one, consumed: inbox.map(({ id }) => id) };
      });
      return store.checkpoint(await Promise.all(all));
    },
  });
}
