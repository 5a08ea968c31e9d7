/** Requests that stay open (waits, event streams): bounded in number, and told when the server stops. */

/** A place among the open requests; `signal` aborts when the server stops or the client has gone. */
export interface OpenRequest {
  readonly signal: AbortSignal;
  /** The client has gone. */
  abort(): void;
  /** Gives the place back; a second call does nothing. */
  release(): void;
}

/** See the file header. */
export class OpenRequests {
  readonly #limit: number;
  readonly #open = new Set<AbortController>();
  #stopped = false;

  /** @param limit places, at least 1. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** A place, or undefined when all are taken or the server stops. */
  take(): OpenRequest | undefined {
    if (this.#stopped || this.#open.size >= this.#limit) return undefined;
    const controller = new AbortController();
    this.#open.add(controller);
    return {
      signal: controller.signal,
      abort: () => controller.abort(),
      release: () => void this.#open.delete(controller),
    };
  }

  /** Aborts all, and takes no more. */
  stop(): void {
    this.#stopped = true;
    for (const controller of this.#open) controller.abort();
  }
}
