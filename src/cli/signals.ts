/** The signals by which a process is asked to stop. */

const names = ['SIGTERM', 'SIGINT'] as const;

/** See {@link untilStopped}. */
export interface StopSignals {
  /** Resolves at the first signal. */
  readonly stopped: Promise<void>;
  /** Leaves signals to Node again: the next one ends the process at once. */
  forget(): void;
}

/** Waits for SIGTERM or SIGINT; `again` is called at every further one. */
export function untilStopped(again: () => void): StopSignals {
  const { promise, resolve } = Promise.withResolvers<void>();
  let isStopping = false;
  const onSignal = (): void => {
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
