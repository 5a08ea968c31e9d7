import type { TimelineRow } from '../../api/timeline.ts';

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
  readonly rounds: readonly {
    readonly round: number;
    readonly lanes: readonly Lane[];
    /** When the round turned back: its first compensation was sent. */
    readonly turnedAt?: number | undefined;
  }[];
  readonly from: number;
  readonly to: number;
}

const outcomeBars: Readonly<Record<string, Bar['kind']>> = {
  succeeded: 'ok',
  rejected: 'rejected',
  unknown: 'unknown',
  unsent: 'unsent',
};

const waitBars: Readonly<Record<string, Bar['kind']>> = {
  backoff: 'backoff',
  blocked: 'blocked',
  callback: 'callback',
};

function kindOf({ kind, phase, outcome, to, wait }: TimelineRow): Bar['kind'] | undefined {
  switch (kind) {
    case 'attempt':
      return to === undefined ? 'running' : (outcomeBars[outcome] ?? 'other');
    case 'compensation':
      return to === undefined ? 'undo-wait' : outcome === 'succeeded' ? 'undo-ok' : 'undo-bad';
    case 'hook':
      return 'hook';
    case 'wait':
      return phase === 'DOWN' && wait?.for === 'backoff' ? 'undo-wait' : (waitBars[wait?.for ?? ''] ?? 'backoff');
    case 'sleep':
      return 'sleep';
    case 'callback':
      return 'callback';
    default:
      return undefined;
  }
}

function textOf(row: TimelineRow): string {
  const { kind, nodeId, attempt, outcome, statusCode, note, wait } = row;
  if (kind === 'wait') {
    const host = wait?.host === undefined ? '' : ` ${wait.host}`;
    return `${nodeId} waits: ${wait?.for ?? ''}${host}${note === undefined ? '' : `, ${note}`}`;
  }
  if (kind === 'sleep') return `${nodeId} sleeps`;
  if (kind === 'callback') return `${nodeId}: callback ${outcome}`;
  const answer = statusCode !== undefined ? String(statusCode) : (note ?? '');
  const said = [outcome === '' ? 'under way' : outcome, answer].filter((part) => part !== '').join(', ');
  return `${kind === 'compensation' ? 'undo of ' : ''}${nodeId}, attempt ${String(attempt)}: ${said}`;
}

function barOf(row: TimelineRow, now: number): readonly Bar[] {
  const kind = kindOf(row);
  if (kind === undefined) return [];
  const { from, to, callId } = row;
  return [{ kind, from, to: Math.max(from, to ?? now), text: textOf(row), ...(callId !== undefined && { callId }) }];
}

/** Makes the timeline of a run from its rows. What goes on reaches until `now`. */
export function timelineOf(rows: readonly TimelineRow[], now: number): TimelineModel {
  const drawn = rows.filter((row) => kindOf(row) !== undefined && row.nodeId !== '');
  const byRound = Map.groupBy(drawn, ({ round }) => round);
  const rounds = [...byRound]
    .toSorted(([a], [b]) => a - b)
    .map(([round, ofRound]) => {
      const lanes = [...Map.groupBy(ofRound, ({ nodeId }) => nodeId)].map(([nodeId, ofNode]): Lane => ({
        nodeId,
        round,
        // Bars of calls lie over those of waits.
        bars: ofNode
          .flatMap((row) => barOf(row, now))
          .toSorted((a, b) => Number(busy.has(a.kind)) - Number(busy.has(b.kind))),
        note: noteOf(ofNode.filter(({ kind }) => kind === 'attempt' || kind === 'hook')),
        undoNote: noteOf(ofNode.filter(({ kind }) => kind === 'compensation')),
      }));
      const turned = ofRound.filter(({ kind }) => kind === 'compensation').map(({ from }) => from);
      return { round, lanes, ...(turned.length > 0 && { turnedAt: Math.min(...turned) }) };
    });
  const all = rounds.flatMap(({ lanes }) => lanes.flatMap(({ bars }) => bars));
  const from = all.reduce((least, bar) => Math.min(least, bar.from), rows[0]?.from ?? now);
  const to = all.reduce((most, bar) => Math.max(most, bar.to), from + 1);
  return { rounds, from, to };
}

/** The answers of a node in a row: `503, then 201`; many of the same once: `15× 500`. */
function noteOf(rows: readonly TimelineRow[]): string {
  const groups: { text: string; count: number }[] = [];
  for (const { statusCode, outcome } of rows) {
    const text = statusCode !== undefined ? String(statusCode) : outcome;
    if (text === '') continue;
    const last = groups.at(-1);
    if (last?.text === text) last.count++;
    else groups.push({ text, count: 1 });
  }
  if (groups.length > 3) return `${String(rows.length)} attempts`;
  return groups.map(({ text, count }) => (count > 1 ? `${String(count)}× ${text}` : text)).join(', then ');
}

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
const minGapMillis = 500;
const gapWidth = 9;
/** All gaps together take at most this share of the axis. */
const maxGapsWidth = 40;
/** Bars end before the right edge, where their notes stand. */
const usable = 88;

/** Stretches in which something ran, joined where they touch, and the first and the last instant. */
function activeStretches({ rounds, from, to }: TimelineModel): readonly { from: number; to: number }[] {
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
  return merged;
}

const lengthOf = (parts: readonly { from: number; to: number }[]): number =>
  Math.max(
    1,
    parts.reduce((sum, each) => sum + each.to - each.from, 0),
  );

/** Makes an axis: stretches in which calls ran have one scale, long gaps between them are collapsed. */
export function axisOf(model: TimelineModel, isCollapsing: boolean): Axis {
  const merged = activeStretches(model);
  const minGap = Math.max(minGapMillis, lengthOf(merged) * gapShare);
  const parts: { from: number; to: number; isGap: boolean }[] = [];
  for (const [index, part] of merged.entries()) {
    const before = merged[index - 1];
    if (before !== undefined && part.from > before.to) {
      parts.push({ from: before.to, to: part.from, isGap: isCollapsing && part.from - before.to > minGap });
    }
    if (part.to > part.from) parts.push({ ...part, isGap: false });
  }
  const gaps = parts.filter((part) => part.isGap).length;
  const width = Math.min(gapWidth, maxGapsWidth / Math.max(1, gaps));
  const scale = (usable - gaps * width) / lengthOf(parts.filter((part) => !part.isGap));
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
