import type { CallCommand } from '../../core/event.ts';
import type { StartedCall } from './call-runner.ts';

/** A wanted call. It has no handle while a read for it is under way, or while it is postponed. */
export interface WantedCall {
  readonly command: CallCommand;
  readonly handle?: StartedCall;
}

/**
 * The calls that one execution wants answers of, by their ids. A list, because nearly every execution has one call at a
 * time, and a map allocates a new table whenever its only entry goes.
 */
export class WantedCalls {
  readonly #calls: WantedCall[] = [];

  get all(): readonly WantedCall[] {
    return this.#calls;
  }

  get(callId: number): WantedCall | undefined {
    for (const call of this.#calls) if (call.command.callId === callId) return call;
    return undefined;
  }

  /** Adds a call, or replaces the one with the same id. */
  put(call: WantedCall): void {
    const index = this.#indexOf(call.command.callId);
    if (index < 0) this.#calls.push(call);
    else this.#calls[index] = call;
  }

  /** Returns whether there was such a call. */
  delete(callId: number): boolean {
    const index = this.#indexOf(callId);
    if (index >= 0) this.#calls.splice(index, 1);
    return index >= 0;
  }

  clear(): void {
    this.#calls.length = 0;
  }

  #indexOf(callId: number): number {
    for (let i = 0; i < this.#calls.length; i++) if (this.#calls[i]?.command.callId === callId) return i;
    return -1;
  }
}
