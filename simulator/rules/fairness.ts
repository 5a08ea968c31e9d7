import type { Ledger } from './ledger.ts';
import type { Account } from './account.ts';

/** How much longer than in a perfect queue the longest wait may be. */
const tolerance = 1.5;

/**
 * Checks that executions begin in the order in which they become due, when more are offered than are served. Compares,
 * in each queue, the longest wait until an execution was first taken over with that of a perfect queue served at the
 * same instants: there the n-th to be served is the n-th that became due. `queueOf` names the queue of an execution,
 * since processes serve shards at different speeds. `slackMillis` is what leases and heartbeats may add.
 */
export function checkFairness(ledger: Ledger, queueOf: (account: Account) => number, slackMillis: number): void {
  for (const [queue, accounts] of Map.groupBy(ledger.accounts.values(), queueOf)) {
    const begun = accounts.flatMap(({ firstDueAt, firstTakenAt }) =>
      firstTakenAt === undefined ? [] : [{ dueAt: firstDueAt, takenAt: firstTakenAt }],
    );
    const takes = begun.map(({ takenAt }) => takenAt).sort((a, b) => a - b);
    const dues = begun.map(({ dueAt }) => dueAt).sort((a, b) => a - b);
    const perfect = Math.max(0, ...takes.map((takenAt, i) => takenAt - (dues[i] ?? takenAt)));
    const longest = Math.max(0, ...begun.map(({ takenAt, dueAt }) => takenAt - dueAt));
    if (longest <= tolerance * perfect + slackMillis) continue;
    const waits = `one waited ${longest.toFixed(0)} ms, where the longest of a perfect queue is ${perfect.toFixed(0)}`;
    ledger.blame('fairness', `in queue ${String(queue)} ${waits}`);
  }
}
