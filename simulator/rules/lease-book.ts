import { PartlyRenewed, type Claimed, type Queue, type Renewal } from '../../src/ports/queue.ts';
import type { CheckpointResult, Store, SubmitResult } from '../../src/ports/store.ts';
import type { VirtualClock } from '../virtual-clock.ts';

/** How and when a lease came back. Answers of the store to earlier questions do not count. */
interface Doubt {
  readonly by: 'renewal' | 'claim';
  readonly since: number;
}

interface Lease {
  readonly token: string;
  readonly end: number;
  /** Present since the lease came back after it had ended. */
  readonly doubt: Doubt | undefined;
}

type Method = (...args: unknown[]) => Promise<unknown>;
type ClaimOf = { readonly id: string; readonly claim?: string };

/**
 * The executions that a process may believe to hold in its queue, and until when: counted from when the confirmed
 * request was sent.
 *
 * A lease that was over stays in doubt, whatever the queue answers later: another process may have held the execution
 * meanwhile and ended it, and the queue may know nothing of it. Only the store, asked after that answer, ends the
 * doubt.
 */
export class LeaseBook {
  readonly #clock: VirtualClock;
  readonly #leases = new Map<string, Lease>();
  /** Numbers questions and answers, since many things happen at one instant of the clock. */
  #order = 0;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  /** Whether calls may be made for the execution now, as far as the queue knows. */
  holds(id: string): boolean {
    return !this.#isOver(this.#leases.get(id));
  }

  /** How its lease came back after it had ended, if the store has not answered since. */
  doubtOf(id: string): Doubt['by'] | undefined {
    return this.#leases.get(id)?.doubt?.by;
  }

  /** Wraps the queue so that every claim, renewal and end is entered here. */
  watch(queue: Queue): Queue {
    const enter = (claimed: readonly Claimed[], end: number): void => {
      for (const { id, token } of claimed) {
        const known = this.#leases.get(id);
        // The queue handed out the same id again, so its worker continues.
        const wasOver = known !== undefined && this.#isOver(known);
        this.#leases.set(id, { token, end, doubt: wasOver ? this.#doubt('claim') : known?.doubt });
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
      claimDirect: async (items, leaseMillis) => {
        const end = this.#clock.monotonic() + leaseMillis;
        const claimed = await queue.claimDirect(items, leaseMillis);
        enter(
          claimed.filter((each) => each !== undefined),
          end,
        );
        return claimed;
      },
      renew: (held, leaseMillis) => this.#renew(queue, held, leaseMillis, strike),
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

  /**
   * Wraps the store so that every answer about the claim of an execution is entered here; `acts` is called with the
   * claims.
   */
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
    // A renewal sent in time renews a lease that lasts, however late the answer comes: no other process had it
    // meanwhile.
    const late = new Set(held.flatMap(({ id, token }) => (this.#isOver(this.#leases.get(id)) ? [token] : [])));
    const note = ({ lost, revived }: Renewal, unanswered: ReadonlySet<string>): void => {
      const gone = new Set(lost.map(({ token }) => token));
      const anew = new Set(revived.map(({ token }) => token));
      strike(lost);
      for (const { id, token } of held) {
        const known = this.#leases.get(id);
        if (gone.has(token) || unanswered.has(id) || known?.token !== token) continue;
        const wasOver = late.has(token) || anew.has(token);
        this.#leases.set(id, { token, end, doubt: wasOver ? this.#doubt('renewal') : known.doubt });
      }
    };
    try {
      const renewal = await queue.renew(held, leaseMillis);
      note(renewal, new Set());
      return renewal;
    } catch (error) {
      if (error instanceof PartlyRenewed) note(error.renewal, error.ids);
      throw error;
    }
  }

  #isOver(lease: Lease | undefined): boolean {
    return (lease?.end ?? -1) <= this.#clock.monotonic();
  }

  #doubt(by: Doubt['by']): Doubt {
    return { by, since: ++this.#order };
  }

  #confirm(id: string, askedAt: number): void {
    const known = this.#leases.get(id);
    if (known?.doubt === undefined || askedAt < known.doubt.since) return;
    this.#leases.set(id, { ...known, doubt: undefined });
  }
}

function idsOf(
  asked: readonly ClaimOf[],
  results: readonly unknown[],
  stands: (result: unknown) => boolean,
): readonly string[] {
  return asked.flatMap(({ id }, i) => (stands(results[i]) ? [id] : []));
}
