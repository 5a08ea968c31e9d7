import type { Execution, HistoryRow } from '../../api/executions.ts';
import { mostUrgent } from './sentence.ts';

/** What the rest of a run's address names. */
export type Selection =
  | { readonly tab: 'run'; readonly nodeId?: string; readonly visit?: string; readonly callId?: string }
  | { readonly tab: string };

/** Tabs of a run that have an address of their own. */
const tabNames = ['payload', 'result', 'definition', 'children', 'audit'] as const;

/** Reads `nodes/{nodeId}/{round}.{visit}`, `calls/{callId}`, or the name of a tab. */
export function readSelection(splat: string | undefined): Selection {
  const [first = '', second, third] = (splat ?? '').split('/').map(decodePart);
  if (first === 'nodes' && second !== undefined) {
    return { tab: 'run', nodeId: second, ...(third !== undefined && { visit: third }) };
  }
  if (first === 'calls' && second !== undefined) return { tab: 'run', callId: second };
  return tabNames.some((name) => name === first) ? { tab: first } : { tab: 'run' };
}

function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The rest of the address of a call. */
export const callPath = (callId: string): string => `calls/${encodeURIComponent(callId)}`;

/** The rest of the address of a node. */
export const nodePath = (nodeId: string): string => `nodes/${encodeURIComponent(nodeId)}`;

/** Rows of attempts that went wrong, hooks aside. */
export const isTrouble = ({ outcome, phase }: HistoryRow): boolean =>
  outcome !== 'succeeded' && outcome !== 'pending' && phase !== 'HOOK';

/** The attempt that decided: of a failed compensation, else of the failing node, else the latest that went wrong. */
export function decidingCall(run: Execution, calls: readonly HistoryRow[]): HistoryRow | undefined {
  const [failed] = run.failedCompensations;
  const last = (keep: (row: HistoryRow) => boolean): HistoryRow | undefined => calls.findLast(keep);
  return (
    (run.failedNodeId === undefined
      ? undefined
      : last((row) => row.nodeId === run.failedNodeId && row.phase !== 'DOWN' && isTrouble(row))) ??
    (failed === undefined ? undefined : last((row) => row.nodeId === failed.nodeId && row.phase === 'DOWN')) ??
    last(isTrouble)
  );
}

/** The attempt that the inspector shows: the one of the address, or the one that answers the first question. */
export function selectedCall(
  selection: Selection,
  run: Execution,
  calls: readonly HistoryRow[],
): HistoryRow | undefined {
  if ('callId' in selection) return calls.find(({ callId }) => callId === selection.callId);
  if ('nodeId' in selection && selection.nodeId !== undefined) {
    const ofNode = calls.filter(
      ({ nodeId, round, visit }) =>
        nodeId === selection.nodeId &&
        (selection.visit === undefined || selection.visit === `${String(round)}.${String(visit)}`),
    );
    return (
      ofNode.findLast((row) => row.phase !== 'DOWN' && isTrouble(row)) ??
      ofNode.findLast(({ phase }) => phase !== 'DOWN') ??
      ofNode.at(-1)
    );
  }
  const urgent = mostUrgent(run.currentNodes);
  // Of a node that waits without an attempt there is no call to show: the page says why it waits.
  if (urgent !== undefined && run.completedAt === undefined)
    return calls.findLast(({ nodeId }) => nodeId === urgent.nodeId);
  return decidingCall(run, calls) ?? calls.at(-1);
}
