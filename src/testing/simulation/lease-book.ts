/** What a process may believe to hold in its queue, and until when: counted from when what was confirmed had been sent. */
import { PartlyRenewed, type Claimed, type Queue } from '../../ports/queue.ts';
import type { VirtualClock } from '../virtual-clock.ts';

/** See the file header. */
export class LeaseBook {
  readonly #clock: VirtualClock;
  readonly #leases = new Map<string, { readonly token: string; readonly end: number }>();

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  /** Whether calls may be made for the execution now. */
  holds(id: string): boolean {
    return (this.#leases.get(id)?.end ?? -1) > this.#clock.monotonic();
  }

  /** The queue with every claim, renewal and end entered here. */
  watch(queue: Queue): Queue {
    const enter = (claimed: readonly Claimed[], end: number): void => {
      for (const { id, token } of claimed) this.#leases.set(id, { token, end });
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
      renew: async (held, leaseMillis) => {
        const end = this.#clock.monotonic() + leaseMillis;
        const note = (lost: readonly Claimed[], unanswered: ReadonlySet<string>): void => {
          const isLost = new Set(lost.map(({ token }) => token));
          strike(lost);
          const isKept = ({ id, token }: Claimed): boolean =>
            !isLost.has(token) && !unanswered.has(id) && this.#leases.get(id)?.token === token;
          enter(held.filter(isKept), end);
        };
        try {
          const renewal = await queue.renew(held, leaseMillis);
          note(renewal.lost, new Set());
          return renewal;
        } catch (error) {
          if (error instanceof PartlyRenewed) note(error.renewal.lost, error.ids);
          throw error;
        }
      },
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
}
