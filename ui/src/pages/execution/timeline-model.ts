import type { Execution, HistoryRow } from '../../api/executions.ts';

/** A bar of the timeline. */
export interface Bar {
  readonly kind:
    | 'ok'
    | 'rejected'
    | 'unknown'
    | 'unsent'
    | 'other'
    | 'running'
    | 'backoff'
    | 'blocked'
    | 'callback'
    | 'sleep'
    | 'hook'
    | 'undo-ok'
    | 'undo-bad'
    | 'undo-wait';
  readonly from: number;
  readonly to: number;
  readonly callId?: string | undefined;
  /** What the bar says in words. */
  readonly text: string;
}

/** The bars of one node. */
export interface Lane {
  readonly nodeId: string;
  readonly round: number;
  readonly bars: readonly Bar[];
  /** What became of it, behind its last bar: codes of answers. */
  readonly note: string;
  readonly undoNote: string;
}

/** Rounds of a run, each with its lanes in the order in which nodes were reached. */
export interface TimelineModel {
  readonly rounds: readonly { readonly round: number; readonly lanes: readonly Lane[] }[];
  readonly from: number;
  readonly to: number;
  /** When the latest round turned back: the first compensation was sent. */
  readonly turnedAt?: number | undefined;
}

const outcomeBars: Readonly<Record<string, Bar['kind']>> = {
  succeeded: 'ok',
  rejected: 'rejected',
  unknown: 'unknown',
  unsent: 'unsent',
};

const startOf = (row: HistoryRow): number => row.stepStartedAt ?? row.startedAt ?? row.createdAt ?? 0;
const endOf = (row: HistoryRow): number => Math.max(startOf(row), startOf(row) + (row.latencyMillis ?? 0));

const answerText = ({ statusCode, error, outcome }: HistoryRow): string =>
  statusCode !== undefined ? String(statusCode) : (error ?? outcome);

function callBar(row: HistoryRow): Bar {
  const text = `${row.nodeId}, attempt ${String(row.attempt)}: ${row.outcome}, ${answerText(row)}`;
  const place = { from: startOf(row), to: endOf(row), callId: row.callId };
  if (row.phase === 'DOWN') {
    return { ...place, kind: row.outcome === 'succeeded' ? 'undo-ok' : 'undo-bad', text: `undo of ${text}` };
  }
  if (row.phase === 'HOOK') return { ...place, kind: 'hook', text };
  return { ...place, kind: outcomeBars[row.outcome] ?? 'other', text };
}

/** Waits of less than this are not drawn. */
const minWaitMillis = 5;

/** Waits between attempts of one visit. */
function waitsOf(rows: readonly HistoryRow[]): readonly Bar[] {
  return rows.slice(1).flatMap((row, index): readonly Bar[] => {
    const before = rows[index];
    if (before === undefined || startOf(row) - endOf(before) < minWaitMillis) return [];
    const kind = row.phase === 'DOWN' ? 'undo-wait' : 'backoff';
    return [{ kind, from: endOf(before), to: startOf(row), text: 'wait before the next attempt' }];
  });
}

const stepBars: Readonly<Record<string, Bar['kind']>> = { SLEEP: 'sleep', CALLBACK: 'callback' };

/** Sleeps and callbacks: their rows say when they ended. A callback waits from the answer that accepted the request. */
function stepBar(row: HistoryRow, calls: readonly HistoryRow[]): readonly Bar[] {
  const kind = stepBars[row.phase];
  if (kind === undefined || row.createdAt === undefined) return [];
  const accepted = calls.findLast(
    (call) => call.nodeId === row.nodeId && call.visit === row.visit && call.round === row.round && call.phase === 'UP',
  );
  const from = kind === 'callback' && accepted !== undefined ? endOf(accepted) : (row.startedAt ?? row.createdAt);
  const text = kind === 'callback' ? `${row.nodeId}: callback ${row.outcome}` : `${row.nodeId} slept`;
  return [{ kind, from, to: row.createdAt, text }];
}

const openBars: Readonly<Record<string, Bar['kind']>> = {
  CALLING: 'running',
  BACKOFF: 'backoff',
  BLOCKED: 'blocked',
  WAITING_CALLBACK: 'callback',
  SLEEPING: 'sleep',
  COMPENSATING: 'undo-wait',
  HOOK: 'hook',
};

/** What is under way now, until now. */
function openBarsOf(run: Execution, now: number): readonly (Bar & { readonly nodeId: string })[] {
  return run.currentNodes.flatMap(({ nodeId, state, since, detail }) => {
    const kind = openBars[state] ?? 'running';
    const text = `${nodeId}: ${state}${detail === undefined ? '' : `, ${detail}`}`;
    return since === undefined ? [] : [{ nodeId, kind, from: since, to: Math.max(since, now), text }];
  });
}

/** Makes the timeline of a run from its history and its open places. */
export function timelineOf(
  run: Execution,
  steps: readonly HistoryRow[],
  calls: readonly HistoryRow[],
  now: number,
): TimelineModel {
  const open = run.completedAt === undefined ? openBarsOf(run, now) : [];
  const numbers = new Set([...calls, ...steps].map(({ round }) => round));
  if (open.length > 0 || numbers.size === 0) numbers.add(run.round);
  const rounds = [...numbers]
    .toSorted((a, b) => a - b)
    .map((round) => {
      const callRows = calls.filter((row) => row.round === round);
      const stepRows = steps.filter((row) => row.round === round);
      const byNode = Map.groupBy(callRows, ({ nodeId }) => nodeId);
      const order = [...callRows, ...stepRows.filter(({ phase }) => stepBars[phase] !== undefined)]
        .toSorted((a, b) => startOf(a) - startOf(b))
        .map(({ nodeId }) => nodeId);
      const openHere = round === run.round ? open : [];
      const names = [...new Set([...order, ...openHere.map(({ nodeId }) => nodeId)])];
      const lanes = names.map((nodeId): Lane => {
        const rows = byNode.get(nodeId) ?? [];
        const forward = rows.filter(({ phase }) => phase !== 'DOWN');
        const back = rows.filter(({ phase }) => phase === 'DOWN');
        const visits = [
          ...Map.groupBy(rows, ({ visit, phase }) => `${String(visit)} ${String(phase === 'DOWN')}`).values(),
        ];
        const bars = [
          ...visits.flatMap((visit) => waitsOf(visit)),
          ...stepRows.filter((row) => row.nodeId === nodeId).flatMap((row) => stepBar(row, rows)),
          ...rows.map((row) => callBar(row)),
          ...openHere.filter((bar) => bar.nodeId === nodeId),
        ];
        return { nodeId, round, bars, note: noteOf(forward), undoNote: noteOf(back) };
      });
      return { round, lanes };
    });
  const all = rounds.flatMap(({ lanes }) => lanes.flatMap(({ bars }) => bars));
  const from = Math.min(...all.map((bar) => bar.from), run.startedAt ?? now);
  const to = Math.max(...all.map((bar) => bar.to), run.completedAt ?? 0, from + 1);
  const turned = calls.filter((row) => row.phase === 'DOWN' && row.round === run.round).map(startOf);
  return { rounds, from, to, ...(turned.length > 0 && { turnedAt: Math.min(...turned) }) };
}

/** The answers of a node in a row: `503, then 201`; many of the same once: `15× 500`. */
function noteOf(rows: readonly HistoryRow[]): string {
  const groups: { text: string; count: number }[] = [];
  for (const row of rows) {
    const text = row.statusCode !== undefined ? String(row.statusCode) : row.outcome;
    const last = groups.at(-1);
    if (last?.text === text) last.count++;
    else groups.push({ text, count: 1 });
  }
  if (groups.length > 3) return `${String(rows.length)} attempts`;
  return groups.map(({ text, count }) => (count > 1 ? `${String(count)}× ${text}` : text)).join(', then ');
}

/** A stretch of the axis: in it, time runs evenly. */
interface Stretch {
  readonly from: number;
  readonly to: number;
  /** Place on the axis, in per cent. */
  readonly left: number;
  readonly width: number;
  readonly isGap: boolean;
}

/** The axis of a timeline. */
export interface Axis {
  readonly stretches: readonly Stretch[];
  /** The place of an instant, in per cent. */
  readonly at: (instant: number) => number;
}

/** A gap in which nothing ran is collapsed if it is longer than this share of everything that ran. */
const gapShare = 0.6;
const gapWidth = 9;
/** Bars end before the right edge, where their notes stand. */
const usable = 88;

/** Kinds of bars that keep time running: what waits may be collapsed. */
const busy: ReadonlySet<Bar['kind']> = new Set([
  'ok',
  'rejected',
  'unknown',
  'unsent',
  'other',
  'running',
  'hook',
  'undo-ok',
  'undo-bad',
]);

/** Makes an axis: stretches in which calls ran have one scale, long gaps between them are collapsed. */
export function axisOf({ rounds, from, to }: TimelineModel, isCollapsing: boolean): Axis {
  const runs = rounds
    .flatMap(({ lanes }) => lanes.flatMap(({ bars }) => bars))
    .filter(({ kind }) => busy.has(kind))
    .toSorted((a, b) => a.from - b.from);
  const merged: { from: number; to: number }[] = [{ from, to: from }];
  for (const bar of runs) {
    const last = merged.at(-1);
    if (last !== undefined && bar.from <= last.to) last.to = Math.max(last.to, bar.to);
    else merged.push({ from: bar.from, to: bar.to });
  }
  merged.push({ from: to, to });
  const active = Math.max(
    1,
    merged.reduce((sum, each) => sum + each.to - each.from, 0),
  );
  const isGap = (a: number, b: number): boolean => isCollapsing && b - a > Math.max(500, active * gapShare);
  const parts: { from: number; to: number; isGap: boolean }[] = [];
  for (const [index, part] of merged.entries()) {
    const before = merged[index - 1];
    if (before !== undefined && part.from > before.to) {
      parts.push({ from: before.to, to: part.from, isGap: isGap(before.to, part.from) });
    }
    if (part.to > part.from) parts.push({ ...part, isGap: false });
  }
  const gaps = parts.filter((part) => part.isGap).length;
  const width = Math.min(gapWidth, 40 / Math.max(1, gaps));
  const even = Math.max(
    1,
    parts.reduce((sum, part) => sum + (part.isGap ? 0 : part.to - part.from), 0),
  );
  const scale = (usable - gaps * width) / even;
  let left = 1;
  const stretches = parts.map((part): Stretch => {
    const own = part.isGap ? width : (part.to - part.from) * scale;
    const stretch = { ...part, left, width: own };
    left += own;
    return stretch;
  });
  return {
    stretches,
    at: (instant) => {
      const within = stretches.find((each) => instant <= each.to) ?? stretches.at(-1);
      if (within === undefined) return 0;
      const share = within.to === within.from ? 0 : (instant - within.from) / (within.to - within.from);
      return within.left + within.width * Math.min(1, Math.max(0, share));
    },
  };
}
