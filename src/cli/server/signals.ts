const names = ['SIGTERM', 'SIGINT'] as const;

/** See {@link untilStopped}. */
export interface StopSignals {
  /** Resolves at the first signal. */
  readonly stopped: Promise<void>;
  /** Leaves signals to Node again: the next one ends the process at once. */
  forget(): void;
}

/**
 * Interrupts within this time of the first one are the same: Ctrl-C reaches all processes of a terminal, and npm, which
 * is one of them, passes its own on to the program that it runs. People take longer to press it again.
 */
const sameInterruptMillis = 300;

/**
 * Waits for SIGTERM or SIGINT, which ask the process to stop. Calls `again` at every further one, except the echo of an
 * interrupt (see above).
 */
export function untilStopped(again: () => void): StopSignals {
  const { promise, resolve } = Promise.withResolvers<void>();
  let interruptedAt: number | undefined;
  let isStopping = false;
  const onSignal = (name: NodeJS.Signals): void => {
    const now = performance.now();
    if (name === 'SIGINT' && interruptedAt !== undefined && now - interruptedAt < sameInterruptMillis) return;
    if (name === 'SIGINT') interruptedAt = now;
    if (isStopping) again();
    isStopping = true;
    resolve();
  };
  for (const name of names) process.on(name, onSignal);
  return {
    stopped: promise,
    forget() {
      for (const name of names) process.off(name, onSignal);
    },
  };
}
