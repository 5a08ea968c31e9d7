import { useNavigate, useParams } from '@tanstack/react-router';
import { lazy, type ReactNode, Suspense, useMemo, useState } from 'react';
import { useTitle } from '../../frame/title.ts';
import type { Execution } from '../../api/executions.ts';
import { failureOf } from '../../api/queries.ts';
import { useShortcuts } from '../../frame/shortcuts.ts';
import { useNow } from '../../platform/clock.ts';
import { attemptsOf, type Timeline as TimelineData } from '../../api/timeline.ts';
import { copyText } from '../../parts/copy.tsx';
import { Failure, Loading } from '../../parts/failure.tsx';
import { isOver, shortId } from '../../parts/words.ts';
import { curlOf } from './curl.ts';
import { Inspector } from './inspector.tsx';
import { nodeViews } from './node-views.ts';
import { RunHead } from './run-head.tsx';
import { RunTabs, TabContent } from './run-tabs.tsx';
import { callPath, decidingCall, nodePath, readSelection, selectedCall } from './selection.ts';
import { mostUrgent } from './sentence.ts';
import { StandsLine } from './stands-line.tsx';
import { Timeline } from './timeline.tsx';
import { UndoLane } from './undo-lane.tsx';
import { undoOrder } from './undo-order.ts';
import { type RunData, useCall, useRun } from './use-run.ts';

const RunGraph = lazy(async () => ({ default: (await import('./run-graph.tsx')).RunGraph }));

/** One run: what it did, why it waits or how it ended, what it left behind, and what can be pressed. */
export function ExecutionPage(): ReactNode {
  const { id, _splat } = useParams({ from: '/executions/$id/$' });
  const data = useRun(id);
  const run = data.status.data;
  useTitle(run === undefined ? 'Run' : `${run.name} ${shortId(run.id)}, ${run.status}`);
  const now = useNow(run === undefined || !isOver(run));
  const selection = readSelection(_splat);
  if (run === undefined) {
    const failure = failureOf(data.status);
    return failure === null || failure === undefined ? <Loading what="Reading the run" /> : <Failure error={failure} />;
  }
  return (
    <div className="run-page">
      <RunHead run={run} now={now} host={waitedHost(data.timeline.data)} />
      <RunTabs
        run={run}
        tab={selection.tab}
        rows={data.timeline.data?.rows ?? noRows}
        definition={data.definition.data}
      />
      <div className="run-body">
        {selection.tab === 'run' ? (
          <RunPanels run={run} data={data} now={now} splat={_splat} />
        ) : (
          <TabContent run={run} tab={selection.tab} definition={data.definition.data} />
        )}
      </div>
      <StandsLine run={run} preview={data.cancel.data?.calls} />
    </div>
  );
}

/** The host for which a wait goes on. */
function waitedHost(timeline: TimelineData | undefined): string | undefined {
  return timeline?.rows.findLast(({ to, wait }) => to === undefined && wait?.host !== undefined)?.wait?.host;
}

function RunPanels({
  run,
  data,
  now,
  splat,
}: {
  readonly run: Execution;
  readonly data: RunData;
  readonly now: number;
  readonly splat: string | undefined;
}): ReactNode {
  const navigate = useNavigate();
  const [focus, setFocus] = useState<{ nodeId: string; count: number }>();
  const timeline = data.timeline.data ?? noTimeline;
  const calls = useMemo(() => attemptsOf(timeline.rows), [timeline]);
  const preview = data.cancel.data?.calls ?? noRows;
  const undos = useMemo(() => undoOrder(run, calls, preview), [run, calls, preview]);
  const views = useMemo(() => nodeViews(run, timeline, undos), [run, timeline, undos]);
  const selection = readSelection(splat);
  const call = selectedCall(selection, run, calls);
  const whole = useCall(run.id, call?.callId).data;
  const urgent = mostUrgent(run.currentNodes);
  const picked = ('nodeId' in selection ? selection.nodeId : undefined) ?? call?.nodeId ?? urgent?.nodeId;
  const place = run.currentNodes.find(({ nodeId }) => nodeId === picked);
  const go = (path: string): void => {
    void navigate({ to: '/executions/$id/$', params: { id: run.id, _splat: path }, replace: true });
  };
  const step = (by: number): void => {
    if (call === undefined) return;
    const same = calls.filter(
      (row) => row.nodeId === call.nodeId && row.visit === call.visit && row.round === call.round,
    );
    const next = same[same.indexOf(call) + by];
    if (next !== undefined) go(callPath(next.callId));
  };
  useShortcuts({
    '[': () => {
      step(-1);
    },
    ']': () => {
      step(1);
    },
    c: () => {
      if (whole !== undefined) void copyText(curlOf(whole));
    },
    'g f': () => {
      const failed = decidingCall(run, calls);
      if (failed === undefined) return;
      go(callPath(failed.callId));
      setFocus((before) => ({ nodeId: failed.nodeId, count: (before?.count ?? 0) + 1 }));
    },
  });
  const drawn = data.graph.data;
  const graph = drawn?.ok === true ? drawn.graph : undefined;
  const notReached = useMemo(
    () =>
      (graph?.nodes ?? [])
        .filter(({ id, kind }) => !views.has(id) && ['task', 'async', 'workflow', 'sleep'].includes(kind))
        .map(({ id }) => id),
    [graph, views],
  );
  const pick = (nodeId: string): void => {
    go(nodePath(nodeId));
  };
  return (
    <>
      <div className="run-panels">
        <section className="panel graph-panel" aria-label="Graph">
          <div className="panel-head">
            <h2>Graph</h2>
            <span className="small muted">as pinned</span>
          </div>
          <div className="graph-in">
            <div className="graph-flow">
              {graph !== undefined ? (
                <Suspense fallback={<Loading what="Drawing" />}>
                  <RunGraph graph={graph} views={views} picked={picked} onPick={pick} focus={focus} />
                </Suspense>
              ) : drawn?.ok === false ? (
                <div className="empty" role="alert">
                  <b>The graph cannot be drawn.</b>
                  <span>{drawn.errors[0]}</span>
                </div>
              ) : failureOf(data.definition) !== null && failureOf(data.definition) !== undefined ? (
                <Failure error={failureOf(data.definition)} />
              ) : (
                <Loading what="Drawing" />
              )}
            </div>
            {graph !== undefined && <UndoLane undos={undos} graph={graph} onPick={pick} />}
          </div>
        </section>
        {failureOf(data.timeline) !== null && failureOf(data.timeline) !== undefined ? (
          <section className="panel" aria-label="Timeline">
            <Failure error={failureOf(data.timeline)} />
          </section>
        ) : (
          <Timeline
            run={run}
            rows={timeline.rows}
            now={now}
            views={views}
            notReached={notReached}
            picked={picked}
            pickedCall={call?.callId}
            onPickNode={pick}
            onPickCall={(callId) => {
              go(callPath(callId));
            }}
          />
        )}
      </div>
      {timeline.isCut && (
        <p className="small muted cut-note">
          The latest {timeline.rows.length} rows are shown; earlier ones are in the history of the API.
        </p>
      )}
      <Inspector run={run} calls={calls} call={call} place={place} now={now} />
    </>
  );
}

const noRows: readonly never[] = [];
const noTimeline: TimelineData = { nodes: [], rows: [], isCut: false };
