/** A pending timer. */
export interface Timer {
  /** Prevents the timer from firing; does nothing after it has fired or was cancelled. */
  cancel(): void;
}

/** Wall and monotonic time; a port, so that a simulation controls it. */
export interface Clock {
  /** Milliseconds since 1970 (UTC). May jump. */
  now(): number;
  /** Milliseconds since some fixed instant; never goes backwards. */
  monotonic(): number;
  /** Calls `fire` once, after at least `millis` (values over 2^31-1 are allowed). */
  after(millis: number, fire: () => void): Timer;
}

/** An instant by both clocks. */
export interface Stamp {
  readonly monotonic: number;
  readonly wall: number;
}

/** Ids and randomness; a port, so that a simulation derives them from a seed. */
export interface Entropy {
  /** A UUIDv7 whose timestamp is `now`. */
  uuid(now: number): string;
  /** A short unguessable id (at least 96 bits, URL-safe). */
  nonce(): string;
  /** Uniform in [0, 1). */
  random(): number;
}
