import type { Departure } from '../links/http-link.ts';

/** A process that makes calls. */
export interface Caller {
  readonly name: string;
  readonly isDead: () => boolean;
  readonly holds: (id: string) => boolean;
}

/**
 * Checks that one process at a time works on an execution. A call that leaves while another process, alive and under a
 * lease that has not ended, waits for the answer to a call of the same execution breaks the rule.
 */
export class SingleOwner {
  /** By execution: its calls under way, by their callers. */
  readonly #open = new Map<string, Map<Caller, number>>();
  readonly #blame: (rule: string, what: string) => void;

  constructor(blame: (rule: string, what: string) => void) {
    this.#blame = blame;
  }

  /** Checks a call that leaves; `isExcused`: the queue has lost something that its holders cannot know of. */
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

  /** Notes that the caller knows the result of a call, or no longer waits for it. */
  ended(caller: Caller, { executionId }: Departure): void {
    const callers = this.#open.get(executionId);
    const open = (callers?.get(caller) ?? 0) - 1;
    if (open > 0) callers?.set(caller, open);
    else callers?.delete(caller);
  }
}
