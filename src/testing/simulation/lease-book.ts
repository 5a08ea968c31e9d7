/**
 * What a process may believe to hold in its queue, and until when: counted from when what was confirmed had been sent.
 *
 * A lease that was over stays in doubt, however the queue answers afterwards: the queue may know nothing of the one who
 * held the execution meanwhile, and has ended it. Only the store, asked after that answer, ends the doubt.
 */
import { PartlyRenewed, type Claimed, type Queue } from '../../ports/queue.ts';
import type { CheckpointResult, Store, SubmitResult } from '../../ports/store.ts';
import type { VirtualClock } from '../virtual-clock.ts';

interface Lease {
  readonly token: string;
  readonly end: number;
  /** Since the lease was renewed after it had been over: what the store was asked before counts for nothing. */
  readonly doubtedSince: number | undefined;
}

/** What a renewal gives: those lost, or beside them those that the queue made anew. */
type Renewal = readonly Claimed[] | { readonly lost: readonly Claimed[]; readonly revived: readonly Claimed[] };
type Method = (...args: unknown[]) => Promise<unknown>;
type ClaimOf = { readonly id: string; readonly claim?: string };

/** See the file header. */
export class LeaseBook {
  readonly #clock: VirtualClock;
  readonly #leases = new Map<string, Lease>();
  /** Numbers what is asked and answered, because many things happen at one instant of the clock. */
  #order = 0;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  /** Whether calls may be made for the execution now, as far as the queue knows. */
  holds(id: string): boolean {
    return !this.#isOver(this.#leases.get(id));
  }

  /** Whether its lease was over, and the store has not spoken since it was renewed. */
  isDoubted(id: string): boolean {
    return this.#leases.get(id)?.doubtedSince !== undefined;
  }

  /** The queue with every claim, renewal and end entered here. */
  watch(queue: Queue): Queue {
    const enter = (claimed: readonly Claimed[], end: number): void => {
      for (const { id, token } of claimed) {
        const known = this.#leases.get(id);
        // The same id again: its worker goes on.
        const wasOver = known !== undefined && this.#isOver(known);
        this.#leases.set(id, { token, end, doubtedSince: wasOver ? ++this.#order : known?.doubtedSince });
      }
    };
    const strike = (ended: readonly Claimed[]): void => {
      for (const { id, token } of ended) if (this.#leases.get(id)?.token === token) this.#leases.delete(id);
    };
    const operations: Partial<Queue> = {
      claim: async (max, leaseMillis) => {
        const end = this.#clock.monotonic() + leaseMillis;
        const result = await queue.claim(max, leaseMillis);
        enter(result.claimed, end);
        return result;
      },
      claimDirect: async (item, leaseMillis) => {
        const end = this.#clock.monotonic() + leaseMillis;
        const claimed = await queue.claimDirect(item, leaseMillis);
        if (claimed !== undefined) enter([claimed], end);
        return claimed;
      },
      renew: (held, leaseMillis) => this.#renew(queue, held, leaseMillis, strike) as ReturnType<Queue['renew']>,
      ack: (done) => {
        strike(done);
        return queue.ack(done);
      },
      release: (held) => {
        strike(held);
        return queue.release(held);
      },
    };
    return new Proxy(queue, {
      get(target, name): unknown {
        const own: unknown = Reflect.get(operations, name);
        if (own !== undefined) return own;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
  }

  /** The store with every answer entered here that says under which claims executions stand; `acts` is told of the claims. */
  watchStore(store: Store, acts: (claim: string) => void): Store {
    const stands: Readonly<
      Record<string, (results: readonly unknown[], asked: readonly ClaimOf[]) => readonly string[]>
    > = {
      submit: (results, asked) => idsOf(asked, results, (result) => (result as SubmitResult).kind === 'created'),
      checkpoint: (results, asked) =>
        idsOf(asked, results, (result) => ['written', 'inbox'].includes((result as CheckpointResult).kind)),
      takeOver: (results) => (results as readonly ClaimOf[]).map(({ id }) => id),
      readClaims: (results) => (results as readonly ClaimOf[]).map(({ id }) => id),
    };
    return new Proxy(store, {
      get: (target, name): Method => {
        const method = Reflect.get(target, name) as Method;
        const ids = stands[String(name)];
        if (ids === undefined) return method;
        return async (...args) => {
          const asked = args[0] as readonly ClaimOf[];
          const askedAt = ++this.#order;
          for (const { claim } of asked) if (claim !== undefined) acts(claim);
          const results = (await method.apply(target, args)) as readonly unknown[];
          for (const id of ids(results, asked)) this.#confirm(id, askedAt);
          return results;
        };
      },
    });
  }

  async #renew(
    queue: Queue,
    held: readonly Claimed[],
    leaseMillis: number,
    strike: (ended: readonly Claimed[]) => void,
  ): Promise<Renewal> {
    const end = this.#clock.monotonic() + leaseMillis;
    // What is sent in time renews a lease that lasts, however late the answer comes: nobody else had it meanwhile.
    const late = new Set(held.flatMap(({ id, token }) => (this.#isOver(this.#leases.get(id)) ? [token] : [])));
    const note = (lost: readonly Claimed[], revived: readonly Claimed[], unanswered: ReadonlySet<string>): void => {
      const gone = new Set(lost.map(({ token }) => token));
      const anew = new Set(revived.map(({ token }) => token));
      strike(lost);
      for (const { id, token } of held) {
        const known = this.#leases.get(id);
        if (gone.has(token) || unanswered.has(id) || known?.token !== token) continue;
        const wasOver = late.has(token) || anew.has(token);
        this.#leases.set(id, { token, end, doubtedSince: wasOver ? ++this.#order : known.doubtedSince });
      }
    };
    try {
      const renewal = (await queue.renew(held, leaseMillis)) as Renewal;
      note(...partsOf(renewal), new Set());
      return renewal;
    } catch (error) {
      if (error instanceof PartlyRenewed) {
        const { revived = [] } = error as { readonly revived?: readonly Claimed[] };
        note(error.lost, revived, error.ids);
      }
      throw error;
    }
  }

  #isOver(lease: Lease | undefined): boolean {
    return (lease?.end ?? -1) <= this.#clock.monotonic();
  }

  #confirm(id: string, askedAt: number): void {
    const known = this.#leases.get(id);
    if (known?.doubtedSince === undefined || askedAt < known.doubtedSince) return;
    this.#leases.set(id, { ...known, doubtedSince: undefined });
  }
}

function partsOf(renewal: Renewal): [readonly Claimed[], readonly Claimed[]] {
  return 'lost' in renewal ? [renewal.lost, renewal.revived] : [renewal, []];
}

function idsOf(
  asked: readonly ClaimOf[],
  results: readonly unknown[],
  stands: (result: unknown) => boolean,
): readonly string[] {
  return asked.flatMap(({ id }, i) => (stands(results[i]) ? [id] : []));
}
