import type { CallCommand } from '../../core/event.ts';
import type { StartedCall } from './call-runner.ts';

/** A wanted call. It has no handle while a read for it is under way, or while it is postponed. */
export interface WantedCall {
  readonly command: CallCommand;
  readonly handle?: StartedCall;
}

/**
 * The calls that one execution wants answers of, by their ids. A new list for every change, because nearly every
 * execution has one call at a time: a map and a growing list both allocate a table with room for more whenever the first
 * call comes.
 */
export class WantedCalls {
  #calls: readonly WantedCall[] = none;

  get all(): readonly WantedCall[] {
    return this.#calls;
  }

  get(callId: number): WantedCall | undefined {
    for (const call of this.#calls) if (call.command.callId === callId) return call;
    return undefined;
  }

  /** Adds a call, or replaces the one with the same id. */
  put(call: WantedCall): void {
    const { callId } = call.command;
    const known = this.get(callId);
    if (known === undefined) this.#calls = this.#calls.length === 0 ? [call] : [...this.#calls, call];
    else this.#calls = this.#calls.map((other) => (other === known ? call : other));
  }

  /** Returns whether there was such a call. */
  delete(callId: number): boolean {
    const known = this.get(callId);
    if (known === undefined) return false;
    this.#calls = this.#calls.length === 1 ? none : this.#calls.filter((call) => call !== known);
    return true;
  }

  clear(): void {
    this.#calls = none;
  }
}

const none: readonly WantedCall[] = [];
