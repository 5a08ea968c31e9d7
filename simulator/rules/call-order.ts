import { isSettled } from '../../src/core/delivery.ts';
import type { KeyParts } from '../definition-view.ts';
import type { Departure } from '../links/http-link.ts';
import type { Account } from './account.ts';

/**
 * Checks the order in which calls of one execution leave, when each departs. Every process must keep this order,
 * whatever it believes: a late call changes what a later one has settled, and nothing records it. Nothing excuses a
 * violation.
 */
export class CallOrder {
  readonly #blame: (rule: string, what: string) => void;
  /** The latest call that left, by key. Checkpoints release the calls of an execution in the order of their numbers. */
  readonly #latest = new Map<string, number>();

  constructor(blame: (rule: string, what: string) => void) {
    this.#blame = blame;
  }

  /**
   * Checks a call that leaves; `account` is its execution as it is durable now. `callId` is the latest call that was
   * released as this attempt: a compensation that begins again counts its attempts anew.
   */
  leaves(who: string, account: Account, of: KeyParts, { key, attempt }: Departure, callId: number): void {
    const call = `${who} calls ${key}, attempt ${String(attempt)},`;
    if (of.phase === 'UP' && account.compensated.has(key)) {
      this.#blame('after compensation', `${call} after a compensation of it was sent`);
    }
    if (isOver(account, of, key)) this.#blame('after the end', `${call} after the end of its round was durable`);
    const latest = this.#latest.get(key) ?? 0;
    if (callId < latest) this.#blame('attempt order', `${call} after a later one`);
    else this.#latest.set(key, callId);
  }
}

/**
 * Whether the round of a call has ended. A later round may send the key of an earlier effect again as long as that
 * effect remains.
 */
function isOver({ state, steps, undo }: Account, of: KeyParts, key: string): boolean {
  // A hook that was not delivered before the end is delivered after it, and a retry may come between its checkpoint and
  // its call.
  if (of.phase === 'HOOK') return of.round === state.round && isSettled(state);
  if (of.round === state.round) return state.end !== undefined;
  const mayReuse = (ord: number): boolean => !['failed', 'reopened', 'done', 'resolved'].includes(undo.get(ord) ?? '');
  return !(of.phase === 'UP' && steps.some((row) => row.key === key && mayReuse(row.ord)));
}
