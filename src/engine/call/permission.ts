/**
 * Whether a call may go out: at once; after the store has confirmed the execution, which {@link OutgoingCalls.again}
 * reports; or never from this process, because it is releasing the execution.
 */
export type Permission = 'granted' | 'later' | 'denied';
