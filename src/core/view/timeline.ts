import { placesOf } from '../context/scope.ts';
import type { CallRow, StepRow, Waited } from '../history.ts';
import type { Outcome } from '../context/context.ts';

/** What a row of a timeline shows. */
export const timelineKinds = [
  'attempt',
  'wait',
  'sleep',
  'callback',
  'switch',
  'split',
  'join',
  'compensation',
  'hook',
  'control',
  'set',
  'fail',
  'forEach',
  'workflow',
] as const;

/** The kind of a row of a timeline. */
export type TimelineKind = (typeof timelineKinds)[number];

/** What is waited for. */
export interface TimelineWait {
  readonly for: 'backoff' | 'blocked' | 'callback';
  /** `host:port` whose circuit was open, or which had no free place. */
  readonly host?: string;
  readonly holdId?: string;
  /** Whether the circuit of the host was open. */
  readonly circuit?: true;
  /** Whether no place at the host was free. */
  readonly place?: true;
  /** Of a wait that is not over: the retries that are left after the next one begins to count. */
  readonly retriesLeft?: number;
}

/** A row of a timeline. Instants are ms since 1970. */
export interface TimelineRow {
  /** The number of its row in the history; of a wait, that of the row that ended it. */
  readonly seq: number;
  readonly kind: TimelineKind;
  readonly nodeId?: string;
  readonly visit?: number;
  readonly item?: readonly number[];
  readonly round: number;
  readonly attempt?: number;
  readonly phase?: string;
  readonly outcome?: Outcome | 'pending';
  readonly statusCode?: number;
  readonly from: number;
  /** Absent: it is not over. */
  readonly to?: number;
  /** When it ends at the latest. */
  readonly deadline?: number;
  readonly callId?: string;
  readonly wait?: TimelineWait;
  /** The node that a switch chose. */
  readonly target?: string;
  readonly note?: string;
  /** Of a control row. */
  readonly action?: string;
  readonly actor?: string;
  readonly reason?: string;
}

/** Rows of the history in ascending order of their ords. */
export interface TimelineSource {
  readonly steps: readonly StepRow[];
  readonly calls: readonly CallRow[];
}

const callKinds = { UP: 'attempt', DOWN: 'compensation', HOOK: 'hook' } as const;

const stepKinds: Readonly<Record<Exclude<StepRow['phase'], keyof typeof callKinds | 'RESOLVE'>, TimelineKind>> = {
  SWITCH: 'switch',
  CALLBACK: 'callback',
  SLEEP: 'sleep',
  SPLIT: 'split',
  JOIN: 'join',
  FAIL: 'fail',
  SET: 'set',
  FOREACH: 'forEach',
  WORKFLOW: 'workflow',
};

/**
 * The rows of a timeline that a part of a history tells, in ascending order. Each attempt is one row; waits that are over are made from the
 * attempts that they lie between. Rows that repeat an attempt, that record a resolve, or that exist for templates only have none.
 */
export function timelineRows({ steps, calls }: TimelineSource): readonly TimelineRow[] {
  const attempts = new Set(calls.map((call) => attemptKey(call)));
  const sources: (StepRow | CallRow)[] = [...calls];
  for (const step of steps) {
    // The audit log tells who asked for a resolve; the row of the visit that it settled follows.
    if (step.repeat === true || step.phase === 'RESOLVE' || attempts.has(attemptKey(step))) continue;
    sources.push(step);
  }
  sources.sort((a, b) => a.ord - b.ord);
  const rows: TimelineRow[] = [];
  /** When the latest attempt of a visit and phase was over. */
  const ends = new Map<string, number>();
  for (const row of sources) {
    const key = `${visitKey(row)} ${row.phase === 'CALLBACK' ? 'UP' : row.phase}`;
    rows.push(...waitsBefore(row, ends.get(key)), rowOf(row));
    ends.set(key, row.at);
  }
  return rows;
}

function isCallPhase(phase: string): phase is keyof typeof callKinds {
  return phase === 'UP' || phase === 'DOWN' || phase === 'HOOK';
}

function visitKey({ round, visit, nodeId }: StepRow | CallRow): string {
  return `${String(round)} ${String(visit)} ${nodeId}`;
}

function attemptKey(row: StepRow | CallRow): string {
  // A row of a visit that was settled by hand has the attempt of an earlier call.
  return `${visitKey(row)} ${row.phase} ${String(row.attempt)} ${String(row.at)}`;
}

/** The fields of a place in the definition. */
function fieldsOf(row: StepRow | CallRow): Pick<TimelineRow, 'seq' | 'nodeId' | 'visit' | 'round' | 'item'> {
  const item = 'scope' in row ? placesOf(row.scope) : row.item;
  return {
    seq: row.ord,
    nodeId: row.nodeId,
    visit: row.visit,
    round: row.round,
    ...(item === undefined ? undefined : { item }),
  };
}

/** The waits that ended with a row. */
function waitsBefore(row: StepRow | CallRow, previous: number | undefined): readonly TimelineRow[] {
  const fields = { ...fieldsOf(row), kind: 'wait' as const, attempt: row.attempt };
  if (row.phase === 'CALLBACK') {
    // The row of an operation that was decided has the begin of its attempt; its acceptance may be on an earlier page.
    return [{ ...fields, phase: 'UP', wait: { for: 'callback' }, from: previous ?? row.attemptAt, to: row.at }];
  }
  if (!isCallPhase(row.phase)) return [];
  const waited = 'waited' in row ? row.waited : undefined;
  const begun = waited?.since ?? row.attemptAt;
  const rows: TimelineRow[] = [];
  if (previous !== undefined && row.attempt > 1 && begun > previous) {
    rows.push({ ...fields, phase: row.phase, wait: { for: 'backoff' }, from: previous, to: begun });
  }
  if (waited !== undefined && row.attemptAt > begun) {
    rows.push({ ...fields, phase: row.phase, wait: blockedWait(waited), from: begun, to: row.attemptAt });
  }
  return rows;
}

/** What a blocked call waits or waited for. */
export function blockedWait({ cause, host, holdId }: Omit<Waited, 'since'>): TimelineWait {
  return {
    for: 'blocked',
    ...(host === undefined ? undefined : { host }),
    ...(holdId === undefined ? undefined : { holdId }),
    ...(cause === 'circuit' ? { circuit: true } : undefined),
    ...(cause === 'slots' ? { place: true } : undefined),
  };
}

function rowOf(row: StepRow | CallRow): TimelineRow {
  return 'callId' in row ? callRow(row) : stepRow(row);
}

function callRow(row: CallRow): TimelineRow {
  return {
    ...fieldsOf(row),
    kind: callKinds[row.phase],
    attempt: row.attempt,
    phase: row.phase,
    outcome: row.outcome,
    ...(row.statusCode === undefined ? undefined : { statusCode: row.statusCode }),
    from: row.attemptAt,
    to: row.at,
    callId: String(row.ord),
    ...(row.error === undefined ? undefined : { note: row.error }),
  };
}

function stepRow(row: StepRow): TimelineRow {
  const { phase, choice } = row;
  const kind = isCallPhase(phase) ? callKinds[phase] : phase === 'RESOLVE' ? 'control' : stepKinds[phase];
  // A callback arrives at an instant; the wait before it has a row of its own.
  const from = phase === 'CALLBACK' ? row.at : isCallPhase(phase) ? row.attemptAt : row.startedAt;
  return {
    ...fieldsOf(row),
    kind,
    ...(isCallPhase(phase) ? { attempt: row.attempt } : undefined),
    phase,
    outcome: row.outcome,
    ...(row.statusCode === undefined ? undefined : { statusCode: row.statusCode }),
    from,
    to: row.at,
    ...(choice === undefined ? undefined : { target: choice.target }),
    ...noteOf(row),
  };
}

function noteOf({ note, choice }: StepRow): Pick<TimelineRow, 'note'> {
  const text = note ?? (choice === undefined ? undefined : (choice.matchedCase ?? 'default'));
  return text === undefined ? {} : { note: text };
}
