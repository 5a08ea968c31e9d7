/**
 * What work costs. The core has no clock, so it counts what it does: in steps, each worth about half a microsecond, and in bytes of the
 * texts that it makes.
 */

/** Takes note of work that was done. */
export interface Meter {
  /** Adds work: steps (fractions count), and bytes of text that was made. Throws nothing. */
  charge(steps: number, bytes: number): void;
}

/** UTF-16 units of a text that one step copies, compares or looks through. */
export const charsPerStep = 256;

/** UTF-16 units of a text that one step reads as a number, or goes through one by one: a good part of the speed of a copy. */
export const readCharsPerStep = 64;

/** Values of a document that one step walks over. */
export const valuesPerStep = 16;
