import { useEffect } from 'react';
import { stringifyJson } from '../../../../src/core/value/json.ts';
import { type Execution, type HistoryRow, readExecution, readHistoryRow } from '../../api/executions.ts';
import { type Previewed, readPreviewed } from './previewed.ts';
import { useReading } from '../../api/queries.ts';
import { useQuery, type UseQueryResult } from '@tanstack/react-query';
import type { Drawn } from '../../graph/model.ts';
import { drawGraph } from '../../graph/draw.ts';
import { isOver } from '../../parts/words.ts';

const liveMillis = 1000;
const overMillis = 10_000;

/** Rows of the history that the page reads at most; it says so where there are more. */
const maxRows = 1000;

/** Everything that the page of a run shows. */
export interface RunData {
  readonly status: UseQueryResult<Execution>;
  readonly steps: UseQueryResult<History>;
  readonly calls: UseQueryResult<History>;
  readonly definition: UseQueryResult<string>;
  readonly graph: UseQueryResult<Drawn>;
  /** What a cancel would send now; read while the run is not over. */
  readonly cancel: UseQueryResult<Previewed>;
}

/** Rows in the order in which they were written. */
export interface History {
  readonly rows: readonly HistoryRow[];
  /** Whether older rows exist that were not read. */
  readonly isCut: boolean;
}

/** Reads a run: its status again and again, its history when the status has moved, its definition once. */
export function useRun(id: string): RunData {
  const base = `/workflows/${id}`;
  const status = useReading({
    path: base,
    read: readExecution,
    everyMillis: (data) => (data !== undefined && isOver(data) ? overMillis : liveMillis),
  });
  const steps = useHistory(`${base}/steps`);
  const calls = useHistory(`${base}/steps/calls`);
  const definition = useReading({ path: `${base}/definition`, read: (json) => stringifyJson(json) });
  const isLive = status.data !== undefined && !isOver(status.data) && status.data.status !== 'COMPENSATING';
  const cancel = useReading({ path: `${base}/cancel-preview`, read: readPreviewed, enabled: isLive });
  const text = definition.data;
  const graph = useQuery({
    queryKey: ['graph', text],
    enabled: text !== undefined,
    staleTime: Infinity,
    queryFn: () => drawGraph(text ?? ''),
  });
  const moved = `${String(status.data?.updatedAt)} ${status.data?.status ?? ''} ${stateKey(status.data)}`;
  const [readSteps, readCalls, readCancel] = [steps.refetch, calls.refetch, cancel.refetch];
  useEffect(() => {
    void readSteps();
    void readCalls();
    if (isLive) void readCancel();
  }, [moved, isLive, readSteps, readCalls, readCancel]);
  return { status, steps, calls, definition, graph, cancel };
}

/** Where the tokens are: an attempt may end without a change of the status. */
function stateKey(run: Execution | undefined): string {
  return (run?.currentNodes ?? [])
    .map(({ nodeId, visit = 0, state, attempt = 0 }) => `${nodeId}.${String(visit)}.${state}.${String(attempt)}`)
    .join(' ');
}

function useHistory(path: string): UseQueryResult<History> {
  return useReading({
    path,
    parameters: { order: 'desc', limit: maxRows },
    read: (json, { headers }): History => ({
      rows: (Array.isArray(json) ? json.map(readHistoryRow) : []).toReversed(),
      isCut: headers.has('x-next-cursor'),
    }),
  });
}
