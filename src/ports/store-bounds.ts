/** The requested outputs exceed the caller's limit in bytes. */
export class OutputsTooLarge extends Error {
  override readonly name = 'OutputsTooLarge';
  constructor() {
    super('The outputs are larger than they may be.');
  }
}

/** Limits of `Store.takeOver`; absent ones do not restrict. */
export interface TakeOverBounds {
  /** Excludes executions with this many counted claims or more, unless the given claim already holds them. */
  readonly below?: number;
  /** With more counted claims than this, including this one, the result has an empty `payload` and an empty `inbox`. */
  readonly wholeUpTo?: number;
  /** Excludes larger payloads: `payload` is then empty, and `payloadBytes` has the size. */
  readonly maxPayloadBytes?: number;
}
