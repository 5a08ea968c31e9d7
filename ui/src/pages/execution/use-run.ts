import { useQuery, type UseQueryResult } from '@tanstack/react-query';
import { useEffect } from 'react';
import { stringifyJson } from '../../../../src/core/value/json.ts';
import { type Execution, type HistoryRow, readExecution, readHistoryRow } from '../../api/executions.ts';
import { useReading } from '../../api/queries.ts';
import { readTimeline, type Timeline } from '../../api/timeline.ts';
import { drawGraph } from '../../graph/draw.ts';
import type { Drawn } from '../../graph/model.ts';
import { isOver } from '../../parts/words.ts';
import { type Previewed, previewParameters, readPreviewed } from './previewed.ts';

const liveMillis = 1000;
const overMillis = 10_000;

/** Rows of the timeline that the page reads, the newest; it says so where there are more. */
const maxRows = 2000;

/** Everything that the page of a run shows. */
export interface RunData {
  readonly status: UseQueryResult<Execution>;
  readonly timeline: UseQueryResult<Timeline>;
  readonly definition: UseQueryResult<string>;
  readonly graph: UseQueryResult<Drawn>;
  /** What a cancel would send now; read while the run is not over. */
  readonly cancel: UseQueryResult<Previewed>;
}

/** Reads a run: its status again and again, its timeline when the status has moved, its definition once. */
export function useRun(id: string): RunData {
  const base = `/workflows/${id}`;
  const status = useReading({
    path: base,
    // Payload and result may have a megabyte each: their tabs ask for them.
    parameters: { bodies: 'none' },
    read: readExecution,
    everyMillis: (data) => (data !== undefined && isOver(data) ? overMillis : liveMillis),
  });
  const timeline = useReading({
    path: `${base}/timeline`,
    parameters: { order: 'desc', limit: maxRows },
    read: readTimeline,
  });
  const definition = useReading({ path: `${base}/definition`, read: (json) => stringifyJson(json) });
  const run = status.data;
  const isLive = run !== undefined && !isOver(run) && run.status !== 'COMPENSATING';
  const cancel = useReading({
    path: `${base}/cancel-preview`,
    parameters: previewParameters('cancel-preview'),
    read: readPreviewed,
    enabled: isLive,
  });
  const text = definition.data;
  const graph = useQuery({
    queryKey: ['graph', text],
    enabled: text !== undefined,
    staleTime: Infinity,
    queryFn: () => drawGraph(text ?? ''),
  });
  const [readRows, readCancel] = [timeline.refetch, cancel.refetch];
  useEffect(() => {
    // The first reading of everything is under way by itself.
    if (run === undefined) return;
    void readRows();
    if (isLive) void readCancel();
  }, [run, isLive, readRows, readCancel]);
  return { status, timeline, definition, graph, cancel };
}

/** One attempt, whole: what was sent and received, and why its outcome was judged so. */
export function useCall(id: string, callId: string | undefined): UseQueryResult<HistoryRow> {
  return useReading({
    path: `/workflows/${id}/steps/calls/${callId ?? ''}`,
    enabled: callId !== undefined,
    read: readHistoryRow,
  });
}
