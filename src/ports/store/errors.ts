/** The store is temporarily unavailable (unreachable, read-only, full, closing). The failure does not count against executions. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
  /** `read_only` and `full` need an operator; `unreachable` usually passes. */
  readonly kind: 'unreachable' | 'read_only' | 'full';
  constructor(kind: 'unreachable' | 'read_only' | 'full', message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
  }
}

/** Other sessions hold the required locks for longer than the operation waits. The same call may succeed later. */
export class StoreContended extends StoreUnavailable {
  constructor(message: string) {
    super('unreachable', message);
  }
}

/** A cursor that this store did not issue. */
export class BadCursor extends Error {
  override readonly name = 'BadCursor';
}

/** A fault of an adapter outside of any call, for the log. */
export interface StoreFault {
  /** `warn` for faults that recover by themselves; default `error`. */
  readonly level?: 'warn' | 'error';
  /** One sentence. */
  readonly message: string;
  readonly error?: Error;
}
