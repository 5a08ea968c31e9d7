import type { SoleWorkerCandidacy } from '../ports/processes.ts';

/** The sole-worker candidacy for a store that belongs to one process: it always succeeds and is never lost. */
export const unrivalled: SoleWorkerCandidacy = {
  listen: () => Promise.resolve(),
  acquire: () => Promise.resolve(true),
  isHeld: () => Promise.resolve(true),
  release: () => Promise.resolve(),
  close: () => Promise.resolve(),
};
