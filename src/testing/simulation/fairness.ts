/** Whether executions were begun in the order in which they became due, where more were offered than were served. */
import type { Ledger } from './ledger.ts';

/** How much longer than in a perfect queue the longest wait may be. */
const tolerance = 1.5;

/**
 * Compares the longest wait until an execution was first taken over with that of a perfect queue which was served at the same
 * instants: there the n-th that was served is the n-th that became due. `slackMillis` is what leases and heartbeats may add.
 */
export function checkFairness(ledger: Ledger, slackMillis: number): void {
  const begun = [...ledger.accounts.values()].flatMap(({ firstDueAt, firstTakenAt }) =>
    firstTakenAt === undefined ? [] : [{ dueAt: firstDueAt, takenAt: firstTakenAt }],
  );
  const takes = begun.map(({ takenAt }) => takenAt).sort((a, b) => a - b);
  const dues = begun.map(({ dueAt }) => dueAt).sort((a, b) => a - b);
  const perfect = Math.max(0, ...takes.map((takenAt, i) => takenAt - (dues[i] ?? takenAt)));
  const longest = Math.max(0, ...begun.map(({ takenAt, dueAt }) => takenAt - dueAt));
  if (longest <= tolerance * perfect + slackMillis) return;
  ledger.blame(
    'fairness',
    `one waited ${String(longest)} ms, where the longest of a perfect queue is ${String(perfect)}`,
  );
}
