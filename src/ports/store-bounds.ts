/** Bounds of what a caller of the store can take at once. */

/** What was asked for takes more bytes than the caller takes. */
export class OutputsTooLarge extends Error {
  override readonly name = 'OutputsTooLarge';
  constructor() {
    super('The outputs are larger than they may be.');
  }
}

/** What `Store.takeOver` leaves out; absent: nothing. */
export interface TakeOverBounds {
  /** Executions for which as many claims are counted already are left out, unless they stand under the claim. */
  readonly below?: number;
  /** Where more claims are counted, this one included, only the row is read: `payload` is an empty text, `inbox` an empty list. */
  readonly wholeUpTo?: number;
  /** Payloads of more bytes are left out: then `payload` is an empty text, and `payloadBytes` says how large it is. */
  readonly maxPayloadBytes?: number;
}
