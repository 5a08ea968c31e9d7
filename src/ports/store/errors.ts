/** The store cannot answer now (away, read-only, full, closing). Nothing is counted against executions. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
  /** `read_only` and `full` need an operator; `unreachable` usually passes. */
  readonly kind: 'unreachable' | 'read_only' | 'full';
  constructor(kind: 'unreachable' | 'read_only' | 'full', message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
  }
}

/** Others hold what the operation needs, for longer than it waits: nothing is wrong, and the same call may succeed later. */
export class StoreContended extends StoreUnavailable {
  constructor(message: string) {
    super('unreachable', message);
  }
}

/** A cursor that this store did not give out. */
export class BadCursor extends Error {
  override readonly name = 'BadCursor';
}

/** Trouble of an adapter that no caller is waiting to hear about; for the log. */
export interface StoreFault {
  /** `warn` for what passes by itself; default `error`. */
  readonly level?: 'warn' | 'error';
  /** One sentence. */
  readonly message: string;
  readonly error?: Error;
}
