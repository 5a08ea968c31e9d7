/**
 * Accounts for work. The core has no clock, so it counts steps, each worth about half a microsecond, and bytes of
 * produced text.
 */
export interface Meter {
  /** Adds steps (possibly fractional) and bytes of produced text. Does not throw. */
  charge(steps: number, bytes: number): void;
}

/** Number of UTF-16 units that one step copies, compares or searches. */
export const charsPerStep = 256;

/** Number of UTF-16 units that one step parses as a number or examines one by one; slower than a copy. */
export const readCharsPerStep = 64;

/** Number of values of a document that one step visits. */
export const valuesPerStep = 16;
