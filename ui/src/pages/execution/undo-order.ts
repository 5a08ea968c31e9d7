import type { Execution, HistoryRow, PreviewedCall } from '../../api/executions.ts';

/** A compensation in the order in which it is, was, or would be sent. */
export interface Undo {
  readonly order: number;
  readonly nodeId: string;
  readonly visit: number;
  /** `if`: it would be sent if the run failed now. */
  readonly state: 'if' | 'planned' | 'done' | 'failed' | 'resolved' | 'other';
  /** The engine's word for the state; empty for `if`. */
  readonly word: string;
  readonly attempts: number;
  readonly statusCode?: number | undefined;
}

const states: Readonly<Record<string, Undo['state']>> = {
  PENDING: 'planned',
  DONE: 'done',
  FAILED: 'failed',
  RESOLVED: 'resolved',
};

const keyOf = (nodeId: string, visit: number): string => `${String(visit)} ${nodeId}`;

/**
 * The way back of a run from 1 upwards. What was sent comes first, in the order of its first attempts, then what is planned.
 * While nothing has failed, it is what a cancel would send now.
 */
export function undoOrder(
  run: Execution,
  calls: readonly HistoryRow[],
  preview: readonly PreviewedCall[],
): readonly Undo[] {
  if (run.compensations.length === 0) {
    return preview.map(({ nodeId, visit }, index) => ({
      order: index + 1,
      nodeId,
      visit,
      state: 'if',
      word: '',
      attempts: 0,
    }));
  }
  const sent = new Map<string, number>();
  for (const { phase, round, nodeId, visit } of calls) {
    const key = keyOf(nodeId, visit);
    if (phase === 'DOWN' && round === run.round && !sent.has(key)) sent.set(key, sent.size);
  }
  const place = ({ nodeId, visit }: { nodeId: string; visit: number }): number =>
    sent.get(keyOf(nodeId, visit)) ?? sent.size;
  return run.compensations
    .toSorted((a, b) => place(a) - place(b))
    .map(({ nodeId, visit, state, attempts, statusCode }, index) => ({
      order: index + 1,
      nodeId,
      visit,
      state: states[state] ?? 'other',
      word: state,
      attempts,
      statusCode,
    }));
}

/** The class of the circle with the number. */
export const orderClass: Readonly<Record<Undo['state'], string>> = {
  if: 'if',
  planned: '',
  done: 'done',
  failed: 'bad',
  resolved: 'done',
  other: 'if',
};
