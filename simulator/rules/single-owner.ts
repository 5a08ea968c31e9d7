import type { Departure } from '../links/http-link.ts';

/** A process that makes calls. */
export interface Caller {
  readonly name: string;
  readonly isDead: () => boolean;
  readonly holds: (id: string) => boolean;
}

/**
 * Who works on what: an execution is in the hands of one process at a time. A call that leaves while another process,
 * alive and under a lease that has not ended, waits for the answer to one of the same execution breaks that.
 */
export class Custody {
  /** By execution: calls under way, by who made them. */
  readonly #open = new Map<string, Map<Caller, number>>();
  readonly #blame: (rule: string, what: string) => void;

  constructor(blame: (rule: string, what: string) => void) {
    this.#blame = blame;
  }

  /** A call leaves; `isExcused`: the queue has lost something that its holders cannot know of. */
  left(caller: Caller, { executionId, key }: Departure, isExcused: boolean): void {
    const callers = this.#open.get(executionId) ?? new Map<Caller, number>();
    this.#open.set(executionId, callers);
    for (const other of callers.keys()) {
      if (other === caller || other.isDead() || isExcused) continue;
      if (other.holds(executionId) && caller.holds(executionId)) {
        this.#blame('one at a time', `${caller.name} calls ${key} while ${other.name} is at work on it`);
      }
    }
    callers.set(caller, (callers.get(caller) ?? 0) + 1);
  }

  /** The caller knows how the call ended, or waits no more. */
  ended(caller: Caller, { executionId }: Departure): void {
    const callers = this.#open.get(executionId);
    const open = (callers?.get(caller) ?? 0) - 1;
    if (open > 0) callers?.set(caller, open);
    else callers?.delete(caller);
  }
}
