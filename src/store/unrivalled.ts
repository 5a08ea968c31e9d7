/** The candidacy for being the sole worker of a store that one process has for itself. */
import type { SoleWorkerCandidacy } from '../ports/processes.ts';

/** It always succeeds, and nothing can take it away. */
export const unrivalled: SoleWorkerCandidacy = {
  listen: () => Promise.resolve(),
  acquire: () => Promise.resolve(true),
  isHeld: () => Promise.resolve(true),
  release: () => Promise.resolve(),
  close: () => Promise.resolve(),
};
