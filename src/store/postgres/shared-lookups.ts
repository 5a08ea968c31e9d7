/**
 * Shares lookups of a key: one statement serves all callers that asked while an earlier statement was running.
 *
 * A statement serves only callers that asked before it was sent, so a caller that knows of a change sees it.
 */
export class SharedLookups<T> {
  readonly #look: (key: string) => Promise<T>;
  readonly #sent = new Map<string, Promise<T>>();
  readonly #waiting = new Map<string, Promise<T>>();

  constructor(look: (key: string) => Promise<T>) {
    this.#look = look;
  }

  /** Returns the result of a `look` that starts at or after this call. */
  find(key: string): Promise<T> {
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined) return waiting;
    const sent = this.#sent.get(key);
    if (sent === undefined) return this.#send(key);
    const next = sent.then(
      () => this.#sendWaiting(key),
      () => this.#sendWaiting(key),
    );
    this.#waiting.set(key, next);
    return next;
  }

  #sendWaiting(key: string): Promise<T> {
    this.#waiting.delete(key);
    return this.#send(key);
  }

  #send(key: string): Promise<T> {
    const found = this.#look(key);
    this.#sent.set(key, found);
    const forget = (): void => {
      if (this.#sent.get(key) === found) this.#sent.delete(key);
    };
    found.then(forget, forget);
    return found;
  }
}
