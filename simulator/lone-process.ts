import type { Processes } from '../src/ports/queue.ts';

/** A process that shares its store with no other, for tests of queues. */
export const loneProcess: Processes = {
  hasOtherSoleWorker: false,
  look: () => Promise.resolve(),
  declare: () => Promise.resolve(),
};
